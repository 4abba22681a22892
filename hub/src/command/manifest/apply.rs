//! `plan` and `apply`.

use anyhow::bail;

use super::secrets::SecretFiles;
use super::{Asked, Ended, Place, print, tell_problems, text_of};
use crate::clock;
use crate::command::operator_name;
use crate::config::Config;
use crate::model::Account;
use crate::model::audit::{self, Deed};
use crate::model::manifest::{self, Action, Item, Plan, Problem};
use crate::store::{Applied, StoreError};

/// Tries of an apply that others get ahead of.
const TRIES: u32 = 8;

/// `plan`: how the account differs from the file. `check`: a difference is an end of its own.
///
/// # Errors
/// The file cannot be read, there is no such account, or the database is away.
pub async fn plan(config: &Config, asked: &Asked, check: bool, json: bool) -> anyhow::Result<Ended> {
    let (text, secrets) = (text_of(&asked.file)?, SecretFiles::of(asked)?);
    let place = Place::open(config, asked.account.as_deref()).await?;
    let read = place.read(&text, &secrets, config).await;
    place.store.close().await;
    let (state, manifest) = match read? {
        Ok(read) => read,
        Err(problems) => {
            tell_problems(&asked.file, &problems);
            return Ok(Ended::Failed);
        }
    };
    let plan = Plan::new(&manifest, &state, asked.prune, clock::now());
    print(&plan, &place.account, json)?;
    Ok(if check && plan.is_drift() { Ended::Drift } else { Ended::Fine })
}

/// `apply`: makes the account be as the file says, all of it or nothing.
///
/// # Errors
/// As of [`plan`]; or others change the account all the time.
pub async fn apply(config: &Config, asked: &Asked, json: bool) -> anyhow::Result<Ended> {
    let (text, secrets) = (text_of(&asked.file)?, SecretFiles::of(asked)?);
    let place = Place::open(config, asked.account.as_deref()).await?;
    let done = apply_text(config, &place, asked, &text, &secrets).await;
    place.store.close().await;
    match done? {
        Ok(plan) => {
            print(&plan, &place.account, json)?;
            if !json {
                println!("{}", if plan.writes.is_empty() { "Nothing was to be done." } else { "Done." });
                tell_made(&plan);
            }
            Ok(Ended::Fine)
        }
        Err(problems) => {
            tell_problems(&asked.file, &problems);
            Ok(Ended::Failed)
        }
    }
}

/// What was done, or what is wrong with the text.
pub(super) async fn apply_text(
    config: &Config,
    place: &Place,
    asked: &Asked,
    text: &str,
    secrets: &SecretFiles,
) -> anyhow::Result<Result<Plan, Vec<Problem>>> {
    let Account { account_id, .. } = place.account;
    for n in 1..=TRIES {
        let (state, manifest) = match place.read(text, secrets, config).await? {
            Ok(read) => read,
            Err(problems) => return Ok(Err(problems)),
        };
        let plan = Plan::new(&manifest, &state, asked.prune, clock::now());
        match place.store.apply_manifest(account_id, &plan.name, &plan.writes, clock::now()).await {
            Ok(Applied::Done) => {
                record(place, &plan).await;
                return Ok(Ok(plan));
            }
            // Looked at again, and planned anew.
            Ok(Applied::Meanwhile) if n < TRIES => {}
            Ok(Applied::Meanwhile) => bail!("others change this account all the time; try again"),
            Ok(Applied::Refused(id, error)) => {
                let found = plan.items.iter().find(|item| item.id == id);
                let place = found.map_or(String::new(), |Item { kind, key, .. }| format!("{kind} \"{key}\", parent"));
                return Ok(Err(vec![Problem { line: 0, place, found: String::new(), remedy: error.remedy }]));
            }
            Ok(Applied::Taken(field)) => {
                let remedy =
                    format!("Another page of this installation has the {field} of one of these; give another.");
                let place = "status_pages".to_owned();
                return Ok(Err(vec![Problem { line: 0, place, found: String::new(), remedy }]));
            }
            Ok(Applied::TooMany(kind)) => {
                let remedy = "The account would have more of these than it may have; remove some.".to_owned();
                let place = kind.section().to_owned();
                return Ok(Err(vec![Problem { line: 0, place, found: String::new(), remedy }]));
            }
            // Others were met the other way round, or hold something for long.
            Err(error) if n < TRIES && (error.is_collision() || error.is_lock_timeout()) => {}
            Err(error) => return Err(StoreError::into(error)),
        }
    }
    bail!("others change this account all the time; try again")
}

/// Writes what was done to the log of the account, a line for each object. It is done by then: where that cannot be written,
/// it is said.
async fn record(place: &Place, plan: &Plan) {
    for item in &plan.items {
        let action = match item.action {
            Action::Add => "added",
            Action::Change => "changed",
            Action::Remove => "deleted",
            Action::TakeOver | Action::Keep | Action::Leave => continue,
        };
        let change = |change: &manifest::FieldChange| {
            if change.from == change.to {
                return audit::FieldChange::hidden(&change.field);
            }
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            audit::FieldChange::new(&change.field, &text(&change.from), &text(&change.to))
        };
        let deed = Deed {
            account: Some(place.account.account_id),
            object_id: item.id.to_string(),
            changes: item.changes.iter().map(change).collect(),
            ..Deed::of_command("apply", &operator_name(), action, item.kind.as_str(), &item.title)
        };
        if let Err(error) = place.store.write_audit(deed, clock::now()).await {
            eprintln!("It is done, and could not be written to the audit log: {error}");
            return;
        }
    }
}

/// Signing secrets that the hub made: nobody has seen them.
fn tell_made(plan: &Plan) {
    let made = plan.items.iter().filter(|item| {
        let says = |field: &str, value: &str| {
            item.changes.iter().any(|change| change.field == field && change.to.as_deref() == Some(value))
        };
        item.action == Action::Add && says("kind", "webhook")
    });
    for item in made {
        println!(
            "Channel {}: where the file names no secret one was made for it; its page makes another, and shows that once.",
            item.key
        );
    }
}
