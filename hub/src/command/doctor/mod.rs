//! `doctor`: looks at everything a hub needs, one thing after the other, and says what is wrong and what helps. Nothing is
//! written, no secret is shown, and nothing is waited for longer than some seconds.

mod content;
mod database;
mod here;
mod queue;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Config;
use crate::model::FieldErrors;
use crate::secret::Secret;
use crate::store::{Store, StoreError};

/// For one look.
const WITHIN: Duration = Duration::from_secs(6);
/// Of what somebody else's program said.
const SAID_CHARS: usize = 400;
const HIDDEN: &str = "(hidden)";

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Fine,
    /// Worth knowing; the hub works.
    Note,
    /// The hub does not work, or loses something.
    Wrong,
    /// Not used here, or what it needs is away.
    Skipped,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
            Self::Skipped => "-",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Self::Fine => "32",
            Self::Note => "33",
            Self::Wrong => "31;1",
            Self::Skipped => "2",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of what; the same names in every version.
    check: &'static str,
    level: Level,
    said: String,
    /// What helps; where nothing is needed, empty.
    remedy: String,
}

impl Finding {
    fn fine(check: &'static str, said: impl Into<String>) -> Self {
        Self { check, level: Level::Fine, said: said.into(), remedy: String::new() }
    }

    fn note(check: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Note, said: said.into(), remedy: remedy.into() }
    }

    fn wrong(check: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Wrong, said: said.into(), remedy: remedy.into() }
    }

    fn skipped(check: &'static str, said: impl Into<String>) -> Self {
        Self { check, level: Level::Skipped, said: said.into(), remedy: String::new() }
    }
}

/// Looks at all of it, and prints what was found; `false`: something is wrong.
pub async fn examine(config: &Config, json: bool) -> bool {
    let mut found = vec![here::configuration(config)];
    found.push(here::state_directory(config));
    found.push(here::signing_key(config));
    found.push(here::public_url(config));
    let store = database::open(config, &mut found).await;
    database::examine(store.as_ref(), &mut found).await;
    queue::examine(config, &mut found).await;
    content::examine(config, store.as_ref(), &mut found).await;
    let secrets = secrets(config);
    for finding in &mut found {
        finding.said = without(&finding.said, &secrets);
    }
    tell(&found, json);
    found.iter().all(|finding| finding.level != Level::Wrong)
}

/// The same where the settings cannot be read: nothing else can be looked at.
pub fn unreadable(errors: &FieldErrors, json: bool) {
    let remedy = "docs/OPERATIONS.md and .env.example list every setting.";
    let found: Vec<Finding> =
        errors.0.iter().map(|error| Finding::wrong("configuration", error.to_string(), remedy)).collect();
    tell(&found, json);
}

/// What a look at the database brings, or why there was none. It is never cut off half-way (D18): what takes too long is left
/// to itself.
async fn look<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, String> {
    match tokio::time::timeout(WITHIN, tokio::spawn(work)).await {
        Ok(Ok(Ok(found))) => Ok(found),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(_)) => Err("the look at it failed".to_owned()),
        Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
    }
}

/// One look that needs the database, told by `judge`.
async fn with<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
    store: Option<&Store>,
    check: &'static str,
    ask: impl FnOnce(Store) -> F,
    judge: impl FnOnce(T) -> Finding,
) -> Finding {
    let Some(store) = store else { return Finding::skipped(check, "needs the database") };
    match look(ask(store.clone())).await {
        Ok(found) => judge(found),
        Err(why) => Finding::wrong(check, why, "See what is said of the database and of its schema."),
    }
}

/// All that must not be shown.
fn secrets(config: &Config) -> BTreeSet<String> {
    let given = [
        &config.database_url,
        &config.redis_url,
        &config.redis_admin_url,
        &config.jwt_secret_key,
        &config.dead_man_url,
    ];
    let mut secrets = BTreeSet::new();
    for secret in given.into_iter().flatten().map(Secret::expose) {
        secrets.insert(secret.to_owned());
        let Ok(url) = url::Url::parse(secret) else { continue };
        let Some(password) = url.password() else { continue };
        secrets.insert(password.to_owned());
        // As it was before it was written as part of a URL.
        let decoded = url::form_urlencoded::parse(format!("p={}", password.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned());
        secrets.extend(decoded);
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

fn without(text: &str, secrets: &BTreeSet<String>) -> String {
    // The longest first: one may be part of another.
    let mut longest: Vec<&String> = secrets.iter().collect();
    longest.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let hidden = longest.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN));
    hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID_CHARS).collect()
}

fn tell(found: &[Finding], json: bool) {
    if json {
        println!("{:#}", as_json(found));
    } else {
        let is_coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        print!("{}", as_text(found, is_coloured));
    }
}

fn as_json(found: &[Finding]) -> Value {
    let checks: Vec<Value> = found
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "level": match finding.level { Level::Skipped => "skipped", level => level.as_str() },
                "said": finding.said,
                "remedy": Some(&finding.remedy).filter(|remedy| !remedy.is_empty()),
            })
        })
        .collect();
    let is_fine = found.iter().all(|finding| finding.level != Level::Wrong);
    json!({"is_fine": is_fine, "checks": checks})
}

fn as_text(found: &[Finding], is_coloured: bool) -> String {
    let width = found.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { check, level, said, remedy } in found {
        let mark = format!("{:<5}", level.as_str());
        let mark = if is_coloured { format!("\u{1b}[{}m{mark}\u{1b}[0m", level.colour()) } else { mark };
        let _ = writeln!(text, "{mark}  {:<width$}  {said}", check.replace('_', " "));
        if !remedy.is_empty() {
            let _ = writeln!(text, "{:5}  {:<width$}  {remedy}", "", "");
        }
    }
    let count = |level: Level| found.iter().filter(|finding| finding.level == level).count();
    let said = match (count(Level::Wrong), count(Level::Note)) {
        (0, 0) => "All is well.".to_owned(),
        (0, notes) => format!("Nothing is wrong. Worth knowing: {notes}."),
        (wrong, notes) => format!("Wrong: {wrong}. Worth knowing: {notes}."),
    };
    let _ = writeln!(text, "\n{said}");
    text
}

#[cfg(test)]
mod tests;
