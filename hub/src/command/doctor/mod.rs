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
    let has_schema = match &store {
        Some(store) => database::examine(store, &mut found).await,
        None => false,
    };
    found.extend(queue::examine(config).await);
    if let Some(store) = store.filter(|_| has_schema) {
        content::examine(config, &store, &mut found).await;
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

/// One look, told by `judge`.
async fn with<T: Send + 'static>(
    area: &'static str,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    judge: impl FnOnce(T) -> Finding,
) -> Finding {
    match look(work).await {
        Ok(found) => judge(found),
        Err(why) => Finding::fail(area, why, "see what is said of the database and its schema"),
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
