//! An account as a file. Secrets are not in it: it says which variables they are expected in.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::spec::{DEFAULT_NAME, Kind, Known, Space, Spec, State, is_over};
use super::write::{Out, to_yaml};
use super::{about, channel, maintenance, status_page, website_out};
use crate::model::UtcMs;

/// Names of variables for secrets, each given once.
pub(super) struct Vars<'a> {
    prefix: String,
    taken: &'a mut HashSet<String>,
}

impl Vars<'_> {
    /// Where a secret of the object at hand is expected.
    pub(super) fn secret(&mut self, field: &str) -> Out {
        let name = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let whole: String = format!("{}_{field}", self.prefix).chars().map(name).collect();
        let mut found = whole.clone();
        let mut n = 2;
        while !self.taken.insert(found.clone()) {
            found = format!("{whole}_{n}");
            n += 1;
        }
        Out::Map(vec![("env".to_owned(), Out::text(found))])
    }
}

/// What of an account can be kept in a file of this name: the file, and what is not in it, each with the reason.
#[must_use]
pub fn export(state: &State, name: &str, now: UtcMs) -> (String, Vec<String>) {
    let keys = state.keys();
    let names: HashMap<(Space, Uuid), &str> = state
        .objects
        .iter()
        .zip(&keys)
        .map(|(known, key)| ((known.spec.kind().space(), known.id), key.as_str()))
        .collect();
    let named =
        |space: Space, id: Uuid| names.get(&(space, id)).map_or_else(|| id.to_string(), |key| (*key).to_owned());
    let mut top = vec![("version".to_owned(), Out::raw(1))];
    if name != DEFAULT_NAME {
        top.push(("name".to_owned(), Out::text(name)));
    }
    let (mut left_out, mut taken) = (Vec::new(), HashSet::new());
    for kind in [Kind::Channel, Kind::Website, Kind::Job, Kind::Maintenance, Kind::StatusPage] {
        let mut list = Vec::new();
        for (known, key) in state.objects.iter().zip(&keys).filter(|(known, _)| known.spec.kind() == kind) {
            if let Some(why) = reason(known, name, now) {
                left_out.push(format!("{kind} \"{key}\": {why}"));
                continue;
            }
            let mut entries = vec![("key".to_owned(), Out::text(key))];
            let mut vars = Vars { prefix: format!("{kind}_{key}"), taken: &mut taken };
            match &known.spec {
                Spec::Website(one) => {
                    website_out::out(&one.settings, &mut vars, &mut entries);
                    about::out(&one.about, &named, &mut entries);
                }
                Spec::Job(one) => {
                    about::job_out(&one.plan, &mut entries);
                    about::out(&one.about, &named, &mut entries);
                }
                Spec::Channel(one) => channel::out(one, &named, &mut vars, &mut entries),
                Spec::Maintenance(plan) => maintenance::out(plan, &named, &mut entries),
                Spec::StatusPage(plan) => status_page::out(plan, &named, &mut entries),
            }
            list.push(Out::Map(entries));
        }
        if !list.is_empty() {
            top.push((kind.section().to_owned(), Out::List(list)));
        }
    }
    (to_yaml(&Out::Map(top)), left_out)
}

fn reason(known: &Known, name: &str, now: UtcMs) -> Option<String> {
    if known.is_unreadable {
        return Some("a newer version of the hub wrote it".to_owned());
    }
    if let Some(managed) = known.managed.as_ref().filter(|managed| managed.by != name) {
        return Some(format!("the file \"{}\" keeps it", managed.by));
    }
    match &known.spec {
        Spec::Maintenance(plan) if known.managed.is_none() && is_over(plan, now) => Some("it is over".to_owned()),
        Spec::Website(_) | Spec::Job(_) | Spec::Channel(_) | Spec::Maintenance(_) | Spec::StatusPage(_) => None,
    }
}
