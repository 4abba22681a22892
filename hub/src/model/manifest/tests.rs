use std::collections::HashMap;

use uuid::Uuid;

use super::yaml::{Node, Value, parse};
use super::*;
use crate::model::retention::Retention;
use crate::model::{SecretText, TargetRules};

mod files;
mod trees;

const NOW: i64 = 1_795_487_400_000;

/// Reads a file about what is stored; `secrets` are those that are set.
fn read(text: &str, state: &State, secrets: &[(&str, &str)]) -> Result<Manifest, Vec<Problem>> {
    let set: HashMap<String, SecretText> =
        secrets.iter().map(|(name, value)| ((*name).to_owned(), SecretText::new(*value))).collect();
    let context = Context {
        rules: &TargetRules::default(),
        retention: Retention { days: 400 },
        regions: &["EU".parse().unwrap(), "USA".parse().unwrap()],
        now: NOW,
        secrets: &|reference| match reference {
            Reference::Env(name) => Ok(set.get(name).cloned()),
            Reference::File(_) => Err("This file cannot be read.".to_owned()),
        },
        new_id: &Uuid::now_v7,
        random: &|| [7; 32],
    };
    Manifest::read(text, state, &context)
}

/// What is wrong with a file, line by line.
fn wrong(text: &str) -> Vec<String> {
    let problems = read(text, &State::default(), &[]).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

/// What is stored once a plan is done.
fn done(state: &State, plan: &Plan) -> State {
    let mut objects = state.objects.clone();
    for write in &plan.writes {
        let managed = |key: &String| Some(Managed { by: plan.name.clone(), key: key.clone() });
        match write {
            Write::Add { id, key, spec } => objects.push(Known {
                id: *id,
                spec: spec.clone(),
                managed: managed(key),
                revision: 1,
                is_unreadable: false,
            }),
            Write::Change { id, key, spec, .. } => {
                let known = objects.iter_mut().find(|known| known.id == *id).unwrap();
                (known.spec, known.managed, known.revision) = (spec.clone(), managed(key), known.revision + 1);
            }
            Write::TakeOver { id, key, .. } => {
                objects.iter_mut().find(|known| known.id == *id).unwrap().managed = managed(key);
            }
            Write::Remove { id, .. } => objects.retain(|known| known.id != *id),
        }
    }
    State { objects }
}

/// What a file makes of an account.
fn applied(text: &str, state: &State, secrets: &[(&str, &str)]) -> (Plan, State) {
    let manifest = read(text, state, secrets).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let plan = Plan::new(&manifest, state, true, NOW);
    let after = done(state, &plan);
    (plan, after)
}
