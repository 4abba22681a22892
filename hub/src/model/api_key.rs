//! Keys that programs show: `bu_<id>_<secret><checksum>`, all of it hexadecimal, so that one is found in logs and sources by
//! `bu_[0-9a-f]{32}_[0-9a-f]{72}`. The checksum tells a mistyped one from one that is not known, without asking anybody.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::id::id;
use super::message::words::is_unprintable;
use super::scope::Scopes;
use super::{Account, AccountId, FieldError, FieldErrors, Role, UtcMs};
use crate::secret::Secret;

id! {
    /// A key; it stands in the key itself, and in the log of who did what.
    ApiKeyId
}

/// What every key begins with.
const PREFIX: &str = "bu_";
const DAY_MS: i64 = 86_400_000;

/// SHA-256 of a key's secret: all that is kept of it. One pass is enough, since there is nothing to guess: it is random.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// A key as somebody shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownKey {
    /// Which it says it is.
    pub api_key_id: ApiKeyId,
    /// What proves that.
    pub hash: SecretHash,
}

impl ShownKey {
    /// Whether a text is meant to be a key, rather than the token of a session.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The key in a text; `None`: it was mistyped, or cut short.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_hex =
            |text: &str, digits| text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex(id, 32) || !is_hex(rest, 72) {
            return None;
        }
        let (secret, sum) = rest.split_at(64);
        if sum != checksum(id, secret) {
            return None;
        }
        let hash = SecretHash(Sha256::digest(secret.as_bytes()).into());
        Some(Self { api_key_id: id.parse().ok()?, hash })
    }
}

/// The text of a key, and what is kept of it. `secret`: random.
#[must_use]
pub fn written(id: ApiKeyId, secret: [u8; 32]) -> (Secret, SecretHash) {
    let (id, secret) = (id.0.simple().to_string(), hex(&secret));
    let text = format!("{PREFIX}{id}_{secret}{}", checksum(&id, &secret));
    (Secret::new(text), SecretHash(Sha256::digest(secret.as_bytes()).into()))
}

/// Of a hash of all before it, so that it says nothing of the secret that the whole does not.
fn checksum(id: &str, secret: &str) -> String {
    let sum = Sha256::new().chain_update(PREFIX).chain_update(id).chain_update("_").chain_update(secret).finalize();
    hex(sum.get(..4).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Key.
    pub api_key_id: ApiKeyId,
    /// As whoever made it calls it.
    pub name: String,
    /// Who made it: it may no more than that person may now.
    pub made_by: AccountId,
    /// How that person is called.
    pub maker: String,
    /// What it is for.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: UtcMs,
    /// When it ends; `None`: never.
    pub expires_at: Option<UtcMs>,
    /// When it was last used, to the minute; `None`: never.
    pub used_at: Option<UtcMs>,
}

impl ApiKey {
    /// A team has no more, those that have expired among them.
    pub const MOST: i64 = 100;
    /// One that has expired is shown for so long, so that whoever wonders why a program stopped finds it.
    pub const SHOWN_MS: i64 = 30 * DAY_MS;
    /// So long one lives, where nothing is said.
    pub const DAYS: i64 = 90;
    /// Uses closer together are not written down apart.
    pub const USE_MS: i64 = 60_000;

    /// Whether it has ended by itself.
    #[must_use]
    pub fn is_over(&self, now: UtcMs) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// A key that was found by its id, with all that decides whether it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownKey {
    /// The key.
    pub key: ApiKey,
    /// What proves it.
    pub hash: SecretHash,
    /// Whose things it opens.
    pub account: Account,
    /// Who made it.
    pub person: Account,
    /// What that person may do in the team now; `None`: he is no member any more.
    pub role: Option<Role>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// How it is to be called: 1 to 64 characters.
    pub name: String,
    /// What it is for.
    pub scopes: Scopes,
    /// When it ends; `None`: never.
    pub expires_at: Option<UtcMs>,
}

/// When a key is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// After so many days, 1 to 3,650.
    Days(i64),
    /// It does not.
    Never,
}

impl NewKey {
    /// Judges what was typed or sent.
    ///
    /// # Errors
    /// Everything that cannot be accepted.
    pub fn of(name: &str, scopes: &[&str], expiry: Expiry, now: UtcMs) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let name = name.trim();
        if name.is_empty() || name.chars().count() > 64 || name.chars().any(is_unprintable) {
            errors.push(FieldError::new("name", name, "Give it a name of 1 to 64 characters, such as what uses it."));
        }
        let scopes = Scopes::of(scopes.iter().copied()).unwrap_or_else(|word| {
            let remedy = format!("Give some of: {}.", Scopes::words().join(", "));
            errors.push(FieldError::new("scopes", word, remedy));
            Scopes::default()
        });
        if scopes.is_empty() && errors.of("scopes").is_none() {
            errors.push(FieldError::new("scopes", "", "Say what the key may do: without a scope it may do nothing."));
        }
        let expires_at = match expiry {
            Expiry::Never => None,
            Expiry::Days(days @ 1..=3_650) => Some(now + days * DAY_MS),
            Expiry::Days(days) => {
                let remedy = "Give a whole number of days from 1 to 3650, or say that it never expires.";
                errors.push(FieldError::new("expires_in_days", &days.to_string(), remedy));
                None
            }
        };
        if errors.is_empty() { Ok(Self { name: name.to_owned(), scopes, expires_at }) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_no_other_text_is() {
        let id = ApiKeyId(uuid::Uuid::from_u128(0x0190_b7a0_0000_7000_8000_0000_0000_0001));
        let (text, hash) = written(id, [0xa5; 32]);
        let text = text.expose();
        assert_eq!(ShownKey::read(text), Some(ShownKey { api_key_id: id, hash }));
        assert!(text.len() == 108 && text.starts_with("bu_0190b7a0000070008000000000000001_a5a5"), "{text}");
        // Any one character that is wrong, left out or doubled.
        for n in 0..text.len() {
            let wrong = if text.as_bytes()[n] == b'0' { "1" } else { "0" };
            let other = format!("{}{wrong}{}", &text[..n], &text[n + 1..]);
            assert_eq!(ShownKey::read(&other), None, "{other}");
            assert_eq!(ShownKey::read(&format!("{}{}", &text[..n], &text[n + 1..])), None);
            assert_eq!(ShownKey::read(&format!("{}{}", &text[..=n], &text[n..])), None);
        }
        for bad in ["", "bu_", "bu__", &text.to_uppercase(), &format!(" {text}"), &format!("{text}\u{e9}")] {
            assert_eq!(ShownKey::read(bad), None, "{bad}");
        }
        assert!(ShownKey::is_meant(text) && !ShownKey::is_meant("eyJhbGciOi.J9.x"));
        assert_ne!(written(id, [0xa6; 32]).1, hash);
        assert!(!format!("{:?}", ShownKey::read(text)).contains("165"), "its hash is not printed");
    }

    #[test]
    fn what_is_asked_for_is_judged_at_once() {
        let new = |name: &str, scopes: &[&str], expiry| NewKey::of(name, scopes, expiry, 1_000);
        let made = new(" CI ", &["websites:read"], Expiry::Days(90)).unwrap();
        assert_eq!((made.name.as_str(), made.expires_at), ("CI", Some(1_000 + 90 * DAY_MS)));
        assert_eq!(new("CI", &["write"], Expiry::Never).unwrap().expires_at, None);
        let errors = new("", &["root"], Expiry::Days(0)).unwrap_err();
        assert_eq!(errors.0.iter().map(|e| e.field).collect::<Vec<_>>(), ["name", "scopes", "expires_in_days"]);
        assert!(new("CI", &[], Expiry::Never).unwrap_err().of("scopes").is_some());
        assert!(
            new(&"x".repeat(65), &["read"], Expiry::Never).is_err()
                && new("a\nb", &["read"], Expiry::Never).is_err()
                && new("a\u{202e}b", &["read"], Expiry::Never).is_err()
        );
        assert!(new("CI", &["read"], Expiry::Days(i64::MAX)).is_err());
    }
}
