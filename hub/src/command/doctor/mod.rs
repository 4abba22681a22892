//! `doctor`: looks at everything a hub needs, one thing after the other, and says what is wrong and what helps, as that of the
//! probe does. Nothing is written, no secret is shown, and nothing is waited for longer than some seconds.

mod content;
mod database;
mod here;
mod queue;

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::time::Duration;

use probe::doctor::{Finding, State, print, worst};

use crate::config::Config;
use crate::model::FieldErrors;
use crate::secret::Secret;
use crate::store::StoreError;

/// For one look.
const WITHIN: Duration = Duration::from_secs(6);
/// Of what somebody else's program said.
const FOUND_CHARS: usize = 600;
const HIDDEN: &str = "(hidden)";

/// Looks at all of it, and prints what was found; `false`: something does not work.
pub async fn examine(config: &Config, json: bool) -> bool {
    let mut found = vec![here::settings(config), here::state(config), here::key(config), here::address(config)];
    let store = database::open(config, &mut found).await;
    // Before a hub has run on it, a database has no tables to look at, and that is nothing wrong.
    let schema = match &store {
        Some(store) => database::examine(store, &mut found).await,
        None => Schema::Absent,
    };
    found.extend(queue::examine(config).await);
    match (store, schema) {
        (Some(store), Schema::Behind | Schema::Whole) => content::examine(config, &store, schema, &mut found).await,
        (Some(_), Schema::Absent) | (None, _) => {}
    }
    let secrets = secrets(config);
    for finding in &mut found {
        finding.found = sentence(&without(&finding.found, &secrets));
    }
    tell(&found, json);
    worst(&found) != State::Fail
}

/// The same where the settings cannot be read: nothing else can be looked at.
pub fn unreadable(errors: &FieldErrors, json: bool) {
    let remedy = crate::config::ALL_SETTINGS;
    let found: Vec<Finding> =
        errors.0.iter().map(|error| Finding::fail("settings", sentence(&error.to_string()), remedy)).collect();
    tell(&found, json);
}

fn tell(found: &[Finding], json: bool) {
    if json {
        println!("{}", print::json(found));
    } else {
        let is_coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        print!("{}", print::text(found, is_coloured));
    }
}

/// How much of a schema there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Schema {
    /// None.
    Absent,
    /// Not all that this version asks for: it is being made, or is an older one.
    Behind,
    /// All of it.
    Whole,
}

/// Why a look at the database brought nothing.
#[derive(Debug)]
struct Blind {
    why: String,
    /// It was asked for a table or a column that is not there.
    lacks_schema: bool,
}

/// What a look at the database brings, or why there was none. It is never cut off half-way (D18): what takes too long is left
/// to itself.
async fn look<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, Blind> {
    let blind = |why: String| Blind { why, lacks_schema: false };
    match tokio::time::timeout(WITHIN, tokio::spawn(work)).await {
        Ok(Ok(Ok(found))) => Ok(found),
        Ok(Ok(Err(error))) => Err(Blind { lacks_schema: error.is_lacking_schema(), ..blind(error.to_string()) }),
        Ok(Err(_)) => Err(blind("the look at it failed".to_owned())),
        Err(_) => Err(blind(format!("no answer within {} s", WITHIN.as_secs()))),
    }
}

/// One look, told by `judge`.
async fn with<T: Send + 'static>(
    area: &'static str,
    schema: Schema,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    judge: impl FnOnce(T) -> Finding,
) -> Finding {
    match look(work).await {
        Ok(found) => judge(found),
        Err(Blind { lacks_schema: true, .. }) if schema == Schema::Behind => Finding::warn(
            area,
            "cannot be looked at: the schema is not all there yet. A hub is making it, or the database is of an older one",
            "try again when the hub has started",
        ),
        Err(Blind { why, .. }) => Finding::fail(area, why, "see what is said of the database and its schema"),
    }
}

/// All that must not be shown.
fn secrets(config: &Config) -> BTreeSet<String> {
    let given = [
        &config.database_url,
        &config.redis_url,
        &config.redis_admin_url,
        &config.jwt_secret_key,
        &config.jwt_secret_key_accepted,
        &config.metrics_token,
        &config.dead_man_url,
    ];
    let mut secrets = BTreeSet::new();
    for secret in given.into_iter().flatten().map(Secret::expose) {
        secrets.insert(secret.to_owned());
        let Ok(url) = url::Url::parse(secret) else { continue };
        let Some(password) = url.password() else { continue };
        secrets.insert(password.to_owned());
        // As it was before it was written as part of a URL.
        let encoded = format!("p={}", password.replace('+', "%2B"));
        secrets.extend(url::form_urlencoded::parse(encoded.as_bytes()).next().map(|(_, value)| value.into_owned()));
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

fn without(text: &str, secrets: &BTreeSet<String>) -> String {
    // The longest first: one may be part of another.
    let mut longest: Vec<&String> = secrets.iter().collect();
    longest.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let hidden = longest.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN));
    hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).take(FOUND_CHARS).collect()
}

/// With a capital, where it begins with a word, and a full stop.
fn sentence(text: &str) -> String {
    let first = text.split(' ').next().unwrap_or_default();
    let is_word = first.chars().all(|c| c.is_ascii_lowercase());
    let capital = text.chars().next().filter(|_| is_word).map(|c| c.to_ascii_uppercase());
    let rest = if capital.is_some() { text.get(1..).unwrap_or_default() } else { text };
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{rest}{stop}", capital.map(String::from).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_a_sentence() {
        for (found, told) in [
            ("read: all of it", "read: all of it."),
            ("it is a standby", "It is a standby."),
            ("/data, mode 0700", "/data, mode 0700."),
            ("a-3001 runs.", "a-3001 runs."),
            ("", "."),
        ] {
            assert_eq!(sentence(found), told);
        }
    }

    #[test]
    fn no_secret_is_in_what_is_said() {
        let secrets = ["postgres://u:p%40ss@h/d", "p%40ss", "p@ss"].map(str::to_owned).into_iter().collect();
        for said in ["postgres://u:p%40ss@h/d is away", "p@ss was refused", "p%40ss\u{1b}[2J\n"] {
            let shown = without(said, &secrets);
            assert!(!shown.contains("ss@h") && !shown.contains("p@ss") && !shown.contains("p%40"), "{shown}");
            assert!(shown.chars().all(|c| !c.is_control()), "{shown}");
        }
    }
}
