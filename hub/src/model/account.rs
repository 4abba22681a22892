//! Accounts and their sessions.

use std::fmt;

use super::UtcMs;
use super::id::id;

id! {
    /// A person who signs in. First argument of every store function that touches what is theirs (D24).
    AccountId
}

/// An account, without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Key.
    pub account_id: AccountId,
    /// As typed at sign-up; unique without regard to case.
    pub username: String,
    /// When it was made.
    pub created_at: UtcMs,
    /// Who made it.
    pub made_by: MadeBy,
}

impl Account {
    /// Whether it looks after the installation: sees what concerns all accounts, such as probes and dead letters.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        match self.made_by {
            MadeBy::Owner => true,
            MadeBy::Anybody => false,
        }
    }
}

/// Who made an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    /// The owner of the installation, or somebody he trusts with what it can reach.
    Owner,
    /// Whoever came while sign-ups were open.
    Anybody,
}

impl MadeBy {
    /// From what is stored.
    #[must_use]
    pub fn of(by_open_sign_up: bool) -> Self {
        if by_open_sign_up { Self::Anybody } else { Self::Owner }
    }
}

/// SHA-256 of a session's random 256-bit id. Only the hash is stored, so that a copy of the database signs nobody in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(pub [u8; 32]);

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// A signed-in browser or client: the revocable row behind its JWT (D20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Key.
    pub session_key: SessionKey,
    /// Whose.
    pub account: Account,
    /// Sign-in.
    pub created_at: UtcMs,
    /// Last activity of a person; polling by an open page does not count (T140).
    pub seen_at: UtcMs,
    /// Absolute end (P9).
    pub expires_at: UtcMs,
}
