//! Proofs around status pages, made of the hub's signing keys for this purpose alone: links of mails to subscribers, and the
//! cookie of whoever knew a page's password. None of them is stored.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::model::UtcMs;
use crate::model::status_page::{StatusPageId, SubscriberId};
use crate::secret::SigningKeys;

/// For so long whoever was asked may answer.
const ANSWER_MS: i64 = 2 * 86_400_000;
/// For so long a password is not asked for again.
pub(super) const OPEN_MS: i64 = 30 * 86_400_000;
const ID: usize = 16;
const AT: usize = 8;
/// Longer texts are nobody's proof.
const MOST: usize = 100;

/// What a proof is for: one is of no use for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Confirm,
    Leave,
    Open,
}

impl For {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Confirm => b"betteruptime: confirm a subscription, 1",
            Self::Leave => b"betteruptime: end a subscription, 1",
            Self::Open => b"betteruptime: open a status page, 1",
        }
    }
}

/// The keys; the first of them signs.
pub(super) struct PageKey(Vec<Vec<u8>>);

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageKey(..)")
    }
}

impl PageKey {
    pub(super) fn of(keys: &SigningKeys) -> Self {
        Self(keys.all().map(|key| key.expose().as_bytes().to_vec()).collect())
    }

    fn write(&self, what: For, id: Uuid, until: UtcMs, beside: &[u8]) -> String {
        let mut bytes = id.as_bytes().to_vec();
        bytes.extend(until.to_be_bytes());
        if let Some(mac) = self.0.first().and_then(|key| mac(key, what, &bytes, beside)) {
            bytes.extend(mac.finalize().into_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(&self, what: For, token: &str, beside: &[u8], now: UtcMs) -> Option<Uuid> {
        let bytes = (token.len() <= MOST).then(|| URL_SAFE_NO_PAD.decode(token).ok()).flatten()?;
        let (said, proof) = bytes.split_at_checked(ID + AT)?;
        let (id, until) = said.split_at_checked(ID)?;
        let is_ours = |key: &Vec<u8>| mac(key, what, said, beside).is_some_and(|mac| mac.verify_slice(proof).is_ok());
        if !self.0.iter().any(is_ours) || UtcMs::from_be_bytes(until.try_into().ok()?) < now {
            return None;
        }
        Uuid::from_slice(id).ok()
    }

    pub(super) fn confirm(&self, id: SubscriberId, now: UtcMs) -> String {
        self.write(For::Confirm, id.0, now.saturating_add(ANSWER_MS), b"")
    }

    pub(super) fn confirms(&self, token: &str, now: UtcMs) -> Option<SubscriberId> {
        self.read(For::Confirm, token, b"", now).map(SubscriberId)
    }

    /// It never runs out: a mail of years ago still ends what it came from.
    pub(super) fn leave(&self, id: SubscriberId) -> String {
        self.write(For::Leave, id.0, UtcMs::MAX, b"")
    }

    pub(super) fn leaves(&self, token: &str, now: UtcMs) -> Option<SubscriberId> {
        self.read(For::Leave, token, b"", now).map(SubscriberId)
    }

    /// With the hash of the password: another password shuts whoever knew the one before out.
    pub(super) fn open(&self, page: StatusPageId, hash: &str, now: UtcMs) -> String {
        self.write(For::Open, page.0, now.saturating_add(OPEN_MS), &Sha256::digest(hash))
    }

    pub(super) fn opens(&self, token: &str, page: StatusPageId, hash: &str, now: UtcMs) -> bool {
        self.read(For::Open, token, &Sha256::digest(hash), now) == Some(page.0)
    }
}

fn mac(key: &[u8], what: For, said: &[u8], beside: &[u8]) -> Option<Hmac<Sha256>> {
    let mut purpose = Hmac::<Sha256>::new_from_slice(key).ok()?;
    purpose.update(what.word());
    let mut mac = Hmac::<Sha256>::new_from_slice(&purpose.finalize().into_bytes()).ok()?;
    mac.update(said);
    mac.update(beside);
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_proof_is_of_use_for_one_thing_alone() {
        let key = |text: &str| PageKey::of(&SigningKeys { current: Secret::new(text), accepted: None });
        let (ours, theirs) = (key("a key of thirty-two bytes or more"), key("another key of thirty-two bytes.."));
        let (id, page) = (SubscriberId(Uuid::from_u128(1)), StatusPageId(Uuid::from_u128(1)));
        let (confirm, leave, open) = (ours.confirm(id, 0), ours.leave(id), ours.open(page, "hash", 0));
        assert_eq!((ours.confirms(&confirm, ANSWER_MS), ours.confirms(&confirm, ANSWER_MS + 1)), (Some(id), None));
        assert_eq!(ours.leaves(&leave, i64::MAX), Some(id));
        assert!(ours.opens(&open, page, "hash", OPEN_MS) && !ours.opens(&open, page, "hash", OPEN_MS + 1));
        assert!(!ours.opens(&open, page, "another hash", 1));
        assert!(!ours.opens(&open, StatusPageId(Uuid::from_u128(2)), "hash", 1));
        assert_eq!((ours.leaves(&confirm, 0), ours.confirms(&leave, 0), theirs.leaves(&leave, 0)), (None, None, None));
        for odd in ["", "x", &leave[..40], &"A".repeat(80)] {
            assert_eq!(ours.leaves(odd, 0), None, "{odd}");
        }
    }
}
