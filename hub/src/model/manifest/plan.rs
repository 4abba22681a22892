//! What would have to be done for an account to be as a file says.

use std::collections::HashMap;

use uuid::Uuid;

use super::read::{Entry, Manifest};
use super::spec::{Fact, Kind, Known, Shown, Space, Spec, State, is_over};
use crate::model::UtcMs;

/// What is to become of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is added.
    Add,
    /// It is changed.
    Change,
    /// The file had it before and has it no more: it is removed.
    Remove,
    /// The same; it is left alone, since removing was not asked for.
    Leave,
    /// It is as the file says, and kept in it from now on.
    TakeOver,
    /// It is as the file says.
    Keep,
}

/// A field that is to be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name in the file.
    pub field: String,
    /// What it holds; `None`: nothing. Never a secret.
    pub from: Option<String>,
    /// What it is to hold.
    pub to: Option<String>,
}

/// An object of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What becomes of it.
    pub action: Action,
    /// Of which kind it is.
    pub kind: Kind,
    /// Its key.
    pub key: String,
    /// Address or name.
    pub title: String,
    /// Which it is, or is to be.
    pub id: Uuid,
    /// Of one that is changed, or added: its fields.
    pub changes: Vec<FieldChange>,
}

/// Something that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    /// A new object.
    Add {
        /// Its id.
        id: Uuid,
        /// Its key.
        key: String,
        /// What it is.
        spec: Spec,
    },
    /// One that is there, as it was when it was looked at.
    Change {
        /// Which.
        id: Uuid,
        /// Its key from now on.
        key: String,
        /// As of which edit.
        revision: i64,
        /// What it was.
        before: Spec,
        /// What it is.
        spec: Spec,
    },
    /// Its key alone.
    TakeOver {
        /// Which.
        id: Uuid,
        /// Its key from now on.
        key: String,
        /// Of which kind it is.
        kind: Kind,
    },
    /// It goes.
    Remove {
        /// Which.
        id: Uuid,
        /// Of which kind it is.
        kind: Kind,
    },
}

impl Write {
    /// Which object it is about.
    #[must_use]
    pub fn id(&self) -> Uuid {
        match self {
            Self::Add { id, .. } | Self::Change { id, .. } | Self::TakeOver { id, .. } | Self::Remove { id, .. } => *id,
        }
    }

    /// Of which kind that is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Add { spec, .. } | Self::Change { spec, .. } => spec.kind(),
            Self::TakeOver { kind, .. } | Self::Remove { kind, .. } => *kind,
        }
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the file calls itself.
    pub name: String,
    /// What becomes of what the file keeps or kept, in its order.
    pub items: Vec<Item>,
    /// What no file keeps, or another one: it is left alone.
    pub unmanaged: Vec<Item>,
    /// Secrets that are not set here: those that are stored stay.
    pub unset: Vec<String>,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// What is to be written.
    pub writes: Vec<Write>,
}

impl Plan {
    /// How `manifest` differs from `state`. `prune`: what the file had before and has no more is removed.
    #[must_use]
    pub fn new(manifest: &Manifest, state: &State, prune: bool, now: UtcMs) -> Self {
        let mut plan = Self {
            name: manifest.name.clone(),
            items: Vec::new(),
            unmanaged: Vec::new(),
            unset: manifest.unset.clone(),
            notes: Vec::new(),
            writes: Vec::new(),
        };
        let keys = names(manifest, state);
        let named = |space: Space, id: Uuid| keys.get(&(space, id)).cloned().unwrap_or_else(|| id.to_string());
        let mut seen = vec![false; state.objects.len()];
        for entry in &manifest.entries {
            let stored = entry.stored.and_then(|n| Some((n, state.objects.get(n)?)));
            if let Some((n, _)) = stored {
                seen[n] = true;
            }
            plan.entry(entry, stored.map(|(_, known)| known), &named, now);
        }
        for (known, _) in state.objects.iter().zip(seen).filter(|(_, seen)| !seen) {
            let key = named(known.spec.kind().space(), known.id);
            let is_ours = known.managed.as_ref().is_some_and(|managed| managed.by == manifest.name);
            let action = match (is_ours, prune) {
                (true, true) => Action::Remove,
                (true, false) | (false, _) => Action::Leave,
            };
            let item = Item { changes: Vec::new(), ..item(action, &known.spec, key, known.id) };
            if action == Action::Remove {
                plan.writes.push(Write::Remove { id: known.id, kind: known.spec.kind() });
            }
            if is_ours { &mut plan.items } else { &mut plan.unmanaged }.push(item);
        }
        plan
    }

    fn entry(&mut self, entry: &Entry, stored: Option<&Known>, named: &dyn Fn(Space, Uuid) -> String, now: UtcMs) {
        let Entry { key, id, spec, .. } = entry;
        let wanted = spec.facts(named);
        let Some(known) = stored else {
            if let Spec::Maintenance(window) = spec
                && is_over(window, now)
            {
                self.notes.push(format!("maintenance \"{key}\" is over, and is not added"));
                return;
            }
            let changes = differences(&[], &wanted);
            self.items.push(Item { changes, ..item(Action::Add, spec, key.clone(), *id) });
            self.writes.push(Write::Add { id: *id, key: key.clone(), spec: spec.clone() });
            return;
        };
        let changes = differences(&known.spec.facts(named), &wanted);
        let is_kept = known.managed.as_ref().is_some_and(|m| m.by == self.name && m.key == *key);
        let action = match (changes.is_empty(), is_kept) {
            (false, _) => Action::Change,
            (true, false) => Action::TakeOver,
            (true, true) => Action::Keep,
        };
        match action {
            Action::Change => self.writes.push(Write::Change {
                id: *id,
                key: key.clone(),
                revision: known.revision,
                before: known.spec.clone(),
                spec: spec.clone(),
            }),
            Action::TakeOver => {
                self.writes.push(Write::TakeOver { id: *id, key: key.clone(), kind: spec.kind() });
            }
            Action::Keep | Action::Add | Action::Remove | Action::Leave => {}
        }
        self.items.push(Item { changes, ..item(action, spec, key.clone(), *id) });
    }

    /// How many of the objects are to become so.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.items.iter().filter(|item| item.action == action).count()
    }

    /// Whether something that the file keeps is not as it says, or is there and not in it any more.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        self.items.iter().any(|item| match item.action {
            Action::Add | Action::Change | Action::Remove | Action::Leave => true,
            Action::TakeOver | Action::Keep => false,
        })
    }
}

fn item(action: Action, spec: &Spec, key: String, id: Uuid) -> Item {
    Item { action, kind: spec.kind(), key, title: spec.shown(), id, changes: Vec::new() }
}

/// How everything is called, once the file holds.
fn names(manifest: &Manifest, state: &State) -> HashMap<(Space, Uuid), String> {
    let stored = state.objects.iter().zip(state.keys());
    let mut names: HashMap<(Space, Uuid), String> =
        stored.map(|(known, key)| ((known.spec.kind().space(), known.id), key)).collect();
    for entry in &manifest.entries {
        names.insert((entry.spec.kind().space(), entry.id), entry.key.clone());
    }
    names
}

fn differences(before: &[Fact], after: &[Fact]) -> Vec<FieldChange> {
    let of = |facts: &[Fact], field: &str| facts.iter().find(|fact| fact.field == field).map(|fact| fact.value.clone());
    let gone = before.iter().filter(|fact| of(after, &fact.field).is_none());
    let mut changes = Vec::new();
    for fact in after.iter().chain(gone) {
        let (from, to) = (of(before, &fact.field), of(after, &fact.field));
        if from != to {
            changes.push(FieldChange { field: fact.field.clone(), from: from.map(shown), to: to.map(shown) });
        }
    }
    changes
}

fn shown(value: Shown) -> String {
    match value {
        Shown::Plain(text) => text,
        Shown::Secret(_) => "(secret)".to_owned(),
    }
}
