//! Signatures: of webhooks, after Standard Webhooks, and of the links by which an incident is acknowledged.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::model::{IncidentId, SecretText, UtcMs};
use crate::secret::{Secret, SigningKeys};

/// For so long a link acknowledges.
const LINK_LIFE_MS: i64 = 7 * 86_400_000;
/// Incident and expiry.
const LINK_BYTES: usize = 16 + 8;

fn hmac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        hmac.update(part);
    }
    Some(hmac)
}

/// The `webhook-signature` of a body: one signature, or two while receivers change to a new secret. `None`: a secret that
/// is none.
pub(super) fn webhook(
    secret: &SecretText,
    old: Option<&SecretText>,
    id: &str,
    timestamp_s: i64,
    body: &[u8],
) -> Option<String> {
    let timestamp = timestamp_s.to_string();
    let one = |secret: &SecretText| {
        let text = secret.expose();
        let key = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
        let hmac = hmac(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body])?;
        Some(format!("v1,{}", STANDARD.encode(hmac.finalize().into_bytes())))
    };
    let new = one(secret)?;
    Some(match old.and_then(one) {
        Some(old) => format!("{new} {old}"),
        None => new,
    })
}

/// Signs links. Made of the hub's signing keys, for this purpose alone; the first of them signs.
pub(super) struct LinkKey(Vec<Vec<u8>>);

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(..)")
    }
}

impl LinkKey {
    pub(super) fn of(keys: &SigningKeys) -> Self {
        let made = |key: &Secret| {
            let made = hmac(key.expose().as_bytes(), &[b"betteruptime: acknowledge by link, 1"])?;
            Some(made.finalize().into_bytes().to_vec())
        };
        Self(keys.all().filter_map(made).collect())
    }

    /// A token that acknowledges this incident and nothing else, until it runs out. It tells nothing about an account.
    pub(super) fn write(&self, incident: IncidentId, now: UtcMs) -> String {
        let mut bytes = incident.0.as_bytes().to_vec();
        bytes.extend((now + LINK_LIFE_MS).to_be_bytes());
        if let Some(hmac) = self.0.first().and_then(|key| hmac(key, &[&bytes])) {
            bytes.extend(hmac.finalize().into_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn read(&self, token: &str, now: UtcMs) -> Option<IncidentId> {
        // 56 bytes are 75 characters; nobody's book is decoded.
        let bytes = (token.len() <= 100).then(|| URL_SAFE_NO_PAD.decode(token).ok()).flatten()?;
        let (told, signature) = bytes.split_at_checked(LINK_BYTES)?;
        // Compared in constant time; a cut signature is none.
        let signed = |key: &Vec<u8>| hmac(key, &[told]).is_some_and(|hmac| hmac.verify_slice(signature).is_ok());
        if !self.0.iter().any(signed) {
            return None;
        }
        let (incident, until) = told.split_at_checked(16)?;
        let until = i64::from_be_bytes(until.try_into().ok()?);
        (now <= until).then(|| Uuid::from_slice(incident).ok().map(IncidentId)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    /// The vector that the libraries of Standard Webhooks test themselves with.
    #[test]
    fn t268_a_signature_is_that_of_standard_webhooks() {
        let secret = SecretText::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signature = webhook(&secret, None, id, 1_614_265_330, body).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn t268_while_secrets_change_both_sign() {
        let new = SecretText::new(format!("whsec_{}", STANDARD.encode([7; 32])));
        let old = SecretText::new(format!("whsec_{}", STANDARD.encode([8; 32])));
        let both = webhook(&new, Some(&old), "id", 1, b"{}").unwrap();
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(webhook(&new, None, "id", 1, b"{}").as_deref(), Some(first));
        assert_eq!(webhook(&old, None, "id", 1, b"{}").as_deref(), Some(second));
        assert_eq!(webhook(&SecretText::new("whsec_%"), None, "id", 1, b"{}"), None);
    }

    #[test]
    fn a_link_acknowledges_one_incident_for_a_week() {
        let keys = |current: &str, accepted: Option<&str>| {
            LinkKey::of(&SigningKeys { current: Secret::new(current), accepted: accepted.map(Secret::new) })
        };
        let (one, two) = ("a signing key of thirty-two bytes or more", "another signing key of thirty-two bytes");
        let (key, other) = (keys(one, None), keys(two, None));
        let incident = IncidentId(Uuid::from_u128(42));
        let token = key.write(incident, 0);
        assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')), "{token}");
        assert_eq!(key.read(&token, 7 * DAY), Some(incident));
        assert_eq!(key.read(&token, 7 * DAY + 1), None);
        assert_eq!(other.read(&token, 0), None);
        assert_eq!(keys(two, Some(one)).read(&token, 0), Some(incident), "links outlive a change of keys (T134)");
        for n in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[n] = if changed[n] == b'A' { b'B' } else { b'A' };
            assert_eq!(key.read(std::str::from_utf8(&changed).unwrap(), 0), None, "character {n}");
            assert_eq!(key.read(&token[..n], 0), None, "cut at {n}");
        }
        assert_eq!(key.read(&format!("{token}AAAA"), 0), None);
        assert_eq!(key.read(&"A".repeat(10_000), 0), None);
    }

    #[test]
    fn i11_a_key_is_not_printed() {
        assert_eq!(
            format!("{:?}", LinkKey::of(&SigningKeys { current: Secret::new("hunter2"), accepted: None })),
            "LinkKey(..)"
        );
    }
}
