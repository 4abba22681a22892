//! What is carried over, piece by piece.

use std::collections::HashSet;

use uuid::Uuid;

use crate::model::manifest::{Context, Kind, Manifest, Out, State, to_yaml};
use crate::model::retention::Retention;
use crate::model::{SecretText, TargetRules, UtcMs};

/// What became of another program's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// As a file of ours. No secret is in it.
    pub yaml: String,
    /// The secrets it names that were in the other file, by name.
    pub secrets: Vec<(String, SecretText)>,
    /// How many websites, jobs, channels and maintenance windows are in it.
    pub counts: [(Kind, usize); 4],
    /// What is not, or not as it was.
    pub not_carried: Vec<NotCarried>,
}

/// Something that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCarried {
    /// What.
    pub what: String,
    /// Why, and what to do about it.
    pub why: String,
}

/// Fields of channels that hold secrets.
const SECRETS: [&str; 6] = [" password", " url", " secret", " token", " topic", " routing_key"];

/// An object as its fields.
pub(super) type Entries = Vec<(String, Out)>;

/// Gathers what is carried.
#[derive(Debug, Default)]
pub(super) struct Carry {
    channels: Vec<Out>,
    websites: Vec<Out>,
    jobs: Vec<Out>,
    maintenance: Vec<Out>,
    keys: HashSet<String>,
    variables: HashSet<String>,
    secrets: Vec<(String, SecretText)>,
    not_carried: Vec<NotCarried>,
}

impl Carry {
    /// Something is not carried.
    pub(super) fn lost(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let clean = |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        self.not_carried.push(NotCarried { what: clean(what.into()), why: clean(why.into()) });
    }

    /// A key that is free, made of a name.
    pub(super) fn key(&mut self, name: &str, other: &str) -> String {
        let mut key = String::new();
        for c in name.chars().flat_map(char::to_lowercase) {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                key.push(c);
            } else if !key.is_empty() && !key.ends_with('-') {
                key.push('-');
            }
        }
        key.truncate(56);
        let key = match key.trim_end_matches('-') {
            "" => other,
            key => key,
        };
        let (mut found, mut n) = (key.to_owned(), 2);
        while !self.keys.insert(found.clone()) {
            found = format!("{key}-{n}");
            n += 1;
        }
        found
    }

    /// A secret of the object of that key, by reference.
    pub(super) fn secret(&mut self, key: &str, field: &str, value: &str) -> Out {
        let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let mut name: String = format!("{key}_{field}").chars().map(upper).collect();
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            name.insert_str(0, "V_");
        }
        while !self.variables.insert(name.clone()) {
            name.push_str("_2");
        }
        self.secrets.push((name.clone(), SecretText::new(value)));
        reference(&name)
    }

    /// Takes an object, unless the rules of files refuse it. `what` it was in the other program.
    pub(super) fn take(&mut self, kind: Kind, what: &str, entries: Entries) -> bool {
        let is_known = |out: &Out| match out {
            Out::Map(parts) => parts.iter().all(|(_, value)| match value {
                Out::Text(name) => self.secrets.iter().any(|(known, _)| known == name),
                Out::Raw(_) | Out::List(_) | Out::Map(_) => true,
            }),
            Out::Text(_) | Out::Raw(_) | Out::List(_) => true,
        };
        let unknown = !entries.iter().all(|(_, value)| is_known(value));
        // A window is looked at without its website, which has been.
        let is_of_website = kind == Kind::Maintenance && entries.iter().any(|(name, _)| name == "website");
        let mut alone = entries.clone();
        if is_of_website {
            alone.retain(|(name, _)| name != "website");
            alone.push(("scope".to_owned(), Out::text("all")));
        }
        let one = Out::Map(entries);
        let text = to_yaml(&Out::Map(vec![(kind.section().to_owned(), Out::List(vec![Out::Map(alone)]))]));
        let secrets = &self.secrets;
        let context = Context {
            rules: &TargetRules::default(),
            retention: Retention { days: u16::MAX },
            regions: &[],
            now: UtcMs::MIN,
            // One that only its owner has passes for now.
            secrets: &|reference| {
                let known = secrets.iter().find(|(name, _)| *name == reference.to_string());
                Ok(Some(known.map_or_else(|| stand_in(kind), |(_, secret)| secret.clone())))
            },
            new_id: &Uuid::new_v4,
            random: &|| [0; 32],
        };
        if let Err(problems) = Manifest::read(&text, &State::default(), &context) {
            let is_unknown =
                |place: &str| kind == Kind::Channel && unknown && SECRETS.iter().any(|s| place.ends_with(s));
            let why: Vec<String> = problems
                .into_iter()
                .filter(|problem| !is_unknown(&problem.place))
                .map(|problem| problem.remedy)
                .collect();
            if !why.is_empty() {
                self.lost(what, why.join(" "));
                return false;
            }
        }
        match kind {
            Kind::Website => self.websites.push(one),
            Kind::Job => self.jobs.push(one),
            Kind::Channel => self.channels.push(one),
            Kind::Maintenance => self.maintenance.push(one),
            // What is public is for its owner to name: none is taken over.
            Kind::StatusPage => return false,
        }
        true
    }

    /// All of it.
    pub(super) fn finish(self, name: &str) -> Import {
        let counts = [
            (Kind::Website, self.websites.len()),
            (Kind::Job, self.jobs.len()),
            (Kind::Channel, self.channels.len()),
            (Kind::Maintenance, self.maintenance.len()),
        ];
        let mut top = vec![("version".to_owned(), Out::raw(1)), ("name".to_owned(), Out::text(name))];
        let sections = [
            (Kind::Channel, self.channels),
            (Kind::Website, self.websites),
            (Kind::Job, self.jobs),
            (Kind::Maintenance, self.maintenance),
        ];
        for (kind, list) in sections.into_iter().filter(|(_, list)| !list.is_empty()) {
            top.push((kind.section().to_owned(), Out::List(list)));
        }
        let yaml = to_yaml(&Out::Map(top));
        // Of what was refused none is left.
        let secrets = self.secrets.into_iter().filter(|(name, _)| yaml.contains(&format!("env: {name}}}"))).collect();
        Import { yaml, secrets, counts, not_carried: self.not_carried }
    }
}

/// Where a secret is that is not in the other file.
pub(super) fn reference(variable: &str) -> Out {
    Out::Map(vec![("env".to_owned(), Out::text(variable))])
}

/// Something in the place of a secret that nobody has here.
fn stand_in(kind: Kind) -> SecretText {
    SecretText::new(if kind == Kind::Channel { "" } else { "secret" })
}

/// A field of text, unless there is nothing in it.
pub(super) fn text(entries: &mut Entries, name: &str, value: &str) {
    if !value.is_empty() {
        entries.push((name.to_owned(), Out::text(value)));
    }
}

/// Tags that can be ours; the others are told.
pub(super) fn tags(names: impl IntoIterator<Item = String>, what: &str, carry: &mut Carry) -> Vec<Out> {
    use crate::model::Tag;
    let mut tags: Vec<Tag> = Vec::new();
    for name in names.into_iter().filter(|name| !name.trim().is_empty()) {
        match name.replace(',', " ").parse::<Tag>() {
            Ok(tag) if tags.contains(&tag) => {}
            Ok(tag) if tags.len() < Tag::MOST => tags.push(tag),
            Ok(_) => carry.lost(what, format!("Tag \"{name}\": {} are the limit.", Tag::MOST)),
            Err(why) => carry.lost(what, format!("Tag \"{name}\": {why}.")),
        }
    }
    tags.iter().map(|tag| Out::text(tag.as_str())).collect()
}

/// Header fields of a request; `Bearer` becomes a sign-in.
pub(super) fn header(
    key: &str,
    name: &str,
    value: &str,
    headers: &mut Entries,
    sign_in: &mut Option<Out>,
    carry: &mut Carry,
) {
    let bearer = value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("bearer "));
    match bearer {
        Some(token) if name.eq_ignore_ascii_case("authorization") => {
            let token = carry.secret(key, "token", token.trim());
            *sign_in = Some(Out::Map(vec![("token".to_owned(), token)]));
        }
        Some(_) | None if crate::model::is_shown_header(name) => headers.push((name.to_owned(), Out::text(value))),
        Some(_) | None => {
            let secret = carry.secret(key, &format!("header_{name}"), value);
            headers.push((name.to_owned(), secret));
        }
    }
}
