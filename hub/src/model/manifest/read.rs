//! A file as a whole: which object each of its entries is, and what it says of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::fields::Fields;
use super::key::{self, is_key};
use super::problem::{Problem, Problems};
use super::secret::{Look, Secrets};
use super::spec::{DEFAULT_NAME, Kind, Known, Space, Spec, State};
use super::yaml::Node;
use super::{about, channel, maintenance, status_page, website, yaml};
use crate::model::retention::Retention;
use crate::model::url::{normalise, without_credentials};
use crate::model::{RegionId, TargetRules, UtcMs, WebsiteId, mute};

/// What else decides what a file may say.
pub struct Context<'a> {
    /// Which addresses are nobody's to watch.
    pub rules: &'a TargetRules,
    /// For how long the installation keeps history.
    pub retention: Retention,
    /// Regions there are.
    pub regions: &'a [RegionId],
    /// Now.
    pub now: UtcMs,
    /// Where secrets are.
    pub secrets: &'a Secrets<'a>,
    /// Ids of what is new.
    pub new_id: &'a dyn Fn() -> Uuid,
    /// Of which signing secrets are made.
    pub random: &'a dyn Fn() -> [u8; 32],
}

/// A file that was understood.
#[derive(Debug)]
pub struct Manifest {
    /// What it calls itself.
    pub name: String,
    pub(super) entries: Vec<Entry>,
    /// Secrets that it names and that are not set here: those that are stored stay.
    pub(super) unset: Vec<String>,
}

/// An object of a file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) id: Uuid,
    /// Its place among what is stored.
    pub(super) stored: Option<usize>,
    pub(super) spec: Spec,
}

/// An entry before what it says is looked at.
struct Draft<'n> {
    kind: Kind,
    key: String,
    identity: String,
    node: &'n Node,
    place: String,
    stored: Option<usize>,
    id: Uuid,
}

/// A file while it is read.
pub(super) struct Reading<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    pub(super) problems: Problems,
    pub(super) look: Look<'a>,
    ids: HashMap<(Space, String), Uuid>,
}

impl Reading<'_, '_> {
    /// What a field refers to by its key.
    pub(super) fn reference(&mut self, fields: &Fields<'_>, name: &str, space: Space) -> Option<Uuid> {
        let key = fields.text(name, &mut self.problems);
        if key.is_empty() {
            return None;
        }
        let found = self.ids.get(&(space, key.clone())).copied();
        if found.is_none() {
            let what = match space {
                Space::Websites => "website or job",
                Space::Channels => "channel",
                Space::Maintenance => "maintenance window",
                Space::StatusPages => "status page",
            };
            let remedy = format!("There is no {what} with this key, in this file or in the account.");
            self.problems.add(fields.line(name), fields.place(name), &key, remedy);
        }
        found
    }
}

const SECTIONS: [Kind; 5] = [Kind::Channel, Kind::Website, Kind::Job, Kind::Maintenance, Kind::StatusPage];
const TOP: [&str; 7] = ["version", "name", "channels", "websites", "jobs", "maintenance", "status_pages"];

impl Manifest {
    /// What a file says about an account of which `state` is stored.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(text: &str, state: &State, context: &Context<'_>) -> Result<Self, Vec<Problem>> {
        let mut problems = Problems::default();
        let Some(root) = yaml::parse(text, &mut problems) else { return Err(problems.sorted()) };
        let top = Fields::of(&root, "", &TOP, &mut problems);
        let version = top.text("version", &mut problems);
        if !matches!(version.as_str(), "" | "1") {
            problems.add(top.line("version"), "version", &version, "This version of the hub reads files of version 1.");
        }
        let mut name = top.text("name", &mut problems);
        if name.is_empty() {
            DEFAULT_NAME.clone_into(&mut name);
        } else if !is_key(&name) {
            problems.add(top.line("name"), "name", &name, key::REMEDY);
        }
        let mut drafts = drafts(&top, context, &mut problems);
        recognise(&mut drafts, state, &name, &mut problems);
        let mut ids = HashMap::new();
        let keys = state.keys();
        // What the file had before and has no more may be removed: nothing in it can refer to that.
        let is_gone = |known: &Known| known.managed.as_ref().is_some_and(|managed| managed.by == name);
        for (known, key) in state.objects.iter().zip(keys).filter(|(known, _)| !is_gone(known)) {
            ids.insert((known.spec.kind().space(), key), known.id);
        }
        // An entry's key counts for more than one that was made up for another.
        for draft in &drafts {
            ids.insert((draft.kind.space(), draft.key.clone()), draft.id);
        }
        let look = Look { secrets: context.secrets, unset: Vec::new() };
        let mut reading = Reading { context, problems, look, ids };
        let mut entries = Vec::new();
        for draft in &drafts {
            let stored = draft.stored.and_then(|n| state.objects.get(n));
            if let Some(spec) = read_one(draft, stored, &mut reading) {
                entries.push(Entry { key: draft.key.clone(), id: draft.id, stored: draft.stored, spec });
            }
        }
        circles(&drafts, &entries, state, &mut reading.problems);
        if !reading.problems.is_empty() {
            return Err(reading.problems.sorted());
        }
        let mut unset = reading.look.unset;
        unset.sort_unstable();
        unset.dedup();
        Ok(Self { name, entries, unset })
    }
}

/// The entries, each with its key, by what makes it known.
fn drafts<'n>(top: &Fields<'n>, context: &Context<'_>, problems: &mut Problems) -> Vec<Draft<'n>> {
    let mut drafts: Vec<Draft<'n>> = Vec::new();
    let mut known: HashSet<(Space, String)> = HashSet::new();
    for kind in SECTIONS {
        for (n, node) in top.list(kind.section()).into_iter().enumerate() {
            let text = |name: &str| node.get(name).and_then(Node::text).unwrap_or_default();
            let identity = match kind {
                Kind::Website => normalise(text("url")).unwrap_or_else(|_| without_credentials(text("url"))),
                Kind::Job | Kind::Maintenance | Kind::StatusPage => {
                    text("name").split_whitespace().collect::<Vec<_>>().join(" ")
                }
                Kind::Channel => text("name").trim().to_owned(),
            };
            let said = text("key").to_owned();
            let key = if said.is_empty() { key::made_of(&identity, kind.as_str()) } else { said.clone() };
            let place = if is_key(&key) {
                format!("{} \"{key}\"", kind.section())
            } else {
                problems.add(node.line, format!("{} {}, key", kind.section(), n + 1), &key, key::REMEDY);
                format!("{} {}", kind.section(), n + 1)
            };
            if !known.insert((kind.space(), key.clone())) {
                let remedy = if said.is_empty() {
                    "Another entry has this key, which was made of its address or name; give each a key."
                } else {
                    "Another entry has this key; give each its own."
                };
                problems.add(node.line, place, &key, remedy);
                continue;
            }
            let id = (context.new_id)();
            drafts.push(Draft { kind, key, identity, node, place, stored: None, id });
        }
    }
    if drafts.len() > super::MOST_OBJECTS {
        let remedy = format!("A file keeps {} objects at most; split it.", super::MOST_OBJECTS);
        problems.add(0, "", &drafts.len().to_string(), remedy);
        drafts.clear();
    }
    drafts
}

/// Finds what is stored of each entry: under its key; or, not kept by any other file, the same address or name.
fn recognise(drafts: &mut [Draft<'_>], state: &State, name: &str, problems: &mut Problems) {
    let keys = state.keys();
    let mut free: Vec<bool> = vec![true; state.objects.len()];
    let mut by_key: HashMap<(Space, &str), usize> = HashMap::new();
    for (n, known) in state.objects.iter().enumerate() {
        if let Some(managed) = &known.managed {
            by_key.insert((known.spec.kind().space(), managed.key.as_str()), n);
            // Under another key only what this file has no more.
            free[n] = managed.by == name;
        }
    }
    for draft in drafts.iter_mut() {
        let Some(n) = by_key.get(&(draft.kind.space(), draft.key.as_str())).copied() else { continue };
        let Some(known) = state.objects.get(n) else { continue };
        free[n] = false;
        let by = known.managed.as_ref().map_or("", |managed| managed.by.as_str());
        if by != name {
            let remedy = format!("The file that calls itself \"{by}\" keeps what has this key; give this one another.");
            problems.add(draft.node.line, &draft.place, &draft.key, remedy);
        } else if known.spec.kind() != draft.kind {
            let remedy = format!("What has this key is a {}; give this one another.", known.spec.kind());
            problems.add(draft.node.line, &draft.place, &draft.key, remedy);
        } else {
            (draft.stored, draft.id) = (Some(n), known.id);
        }
    }
    let mut same: HashMap<(Kind, String), Vec<usize>> = HashMap::new();
    for (n, known) in state.objects.iter().enumerate().filter(|(n, known)| free[*n] && !known.is_unreadable) {
        same.entry((known.spec.kind(), known.spec.title().to_owned())).or_default().push(n);
    }
    for exactly in [true, false] {
        for draft in drafts.iter_mut().filter(|draft| draft.stored.is_none()) {
            let Some(found) = same.get_mut(&(draft.kind, draft.identity.clone())) else { continue };
            let fits = |n: &usize| !exactly || keys.get(*n).is_some_and(|key| *key == draft.key);
            let Some(place) = found.iter().position(fits) else { continue };
            let n = found.remove(place);
            if let Some(known) = state.objects.get(n) {
                (draft.stored, draft.id) = (Some(n), known.id);
            }
        }
    }
}

fn read_one(draft: &Draft<'_>, stored: Option<&Known>, reading: &mut Reading<'_, '_>) -> Option<Spec> {
    if stored.is_some_and(|known| known.is_unreadable) {
        let remedy = "A newer version of the hub wrote what is stored of it; use that version.";
        reading.problems.add(draft.node.line, &draft.place, "", remedy);
        return None;
    }
    let known = match draft.kind {
        Kind::Website => website::known_fields(),
        Kind::Job => about::job_fields(),
        Kind::Channel => channel::known_fields(draft.node),
        Kind::Maintenance => maintenance::FIELDS.to_vec(),
        Kind::StatusPage => status_page::FIELDS.to_vec(),
    };
    let fields = Fields::of(draft.node, &draft.place, &known, &mut reading.problems);
    match draft.kind {
        Kind::Website => website::read(&fields, stored, reading),
        Kind::Job => about::read_job(&fields, reading),
        Kind::Channel => channel::read(&fields, draft.id, stored, reading),
        Kind::Maintenance => maintenance::read(&fields, reading),
        Kind::StatusPage => status_page::read(&fields, reading),
    }
}

/// What cannot depend on what it is to depend on.
fn circles(drafts: &[Draft<'_>], entries: &[Entry], state: &State, problems: &mut Problems) {
    let mut parents: BTreeMap<WebsiteId, WebsiteId> = state.website_edges().collect();
    for entry in entries {
        let Some(about) = entry.spec.about() else { continue };
        match about.ties.parent_id {
            Some(parent) => parents.insert(WebsiteId(entry.id), parent),
            None => parents.remove(&WebsiteId(entry.id)),
        };
    }
    // Looking for what is to blame goes through all of them for each.
    if parents.keys().all(|id| mute::above(*id, |id| parents.get(&id).copied()).is_some()) {
        return;
    }
    for entry in entries {
        let Some(parent) = entry.spec.about().and_then(|about| about.ties.parent_id) else { continue };
        let Some(refused) = mute::refusal(WebsiteId(entry.id), parent, &parents) else { continue };
        let Some(draft) = drafts.iter().find(|draft| draft.id == entry.id) else { continue };
        let line = draft.node.get("parent").map_or(draft.node.line, |node| node.line);
        problems.add(line, format!("{}, parent", draft.place), "", refused.remedy);
    }
}
