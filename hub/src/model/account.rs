//! Accounts and their sessions.

use std::fmt;

use super::id::id;
use super::{Membership, UtcMs};

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

impl SessionKey {
    /// Its name in forms and in the API: who has it can end the session of an account he is signed in to, and nothing else.
    #[must_use]
    pub fn name(self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The key of a name; `None` for what is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let mut key = [0; 32];
        let is_name = name.len() == 64 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        for (n, byte) in key.iter_mut().enumerate().take_while(|_| is_name) {
            *byte = u8::from_str_radix(name.get(2 * n..2 * n + 2)?, 16).ok()?;
        }
        is_name.then_some(Self(key))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// Whom a session was given to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// In words ([`super::agent_words`]); empty for sessions of an older version.
    pub agent: String,
    /// The client's address; empty for sessions of an older version.
    pub address: String,
}

/// A session in the list of its account's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLine {
    /// Key.
    pub session_key: SessionKey,
    /// Whom it was given to.
    pub origin: Origin,
    /// Sign-in.
    pub created_at: UtcMs,
    /// Last activity of a person.
    pub seen_at: UtcMs,
    /// When it ends, if nobody uses it from now on.
    pub expires_at: UtcMs,
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
    /// The team that was asked for, or that the person looks at, where that is another's and he is a member; `None`: his own.
    pub team: Option<Membership>,
    /// None was asked for, and he is not, or not any more, in the one that he looks at.
    pub has_lost_team: bool,
    /// He belongs to teams beside his own.
    pub has_teams: bool,
}

impl Session {
    /// Without a person's activity it ends after a day (P9).
    pub const IDLE_MS: i64 = 24 * 3_600_000;
    /// It ends after a week, whatever happens (P9).
    pub const LIFE_MS: i64 = 7 * 24 * 3_600_000;
    /// An account has no more; the one that was not used for longest makes room, first of those that nobody came back to.
    pub const MOST: i64 = 100;
}

#[cfg(test)]
mod tests {
    use super::SessionKey;

    #[test]
    fn a_session_is_named_by_its_key_and_by_nothing_else() {
        let key = SessionKey(std::array::from_fn(|n| u8::try_from(n * 7).unwrap()));
        assert_eq!(SessionKey::named(&key.name()), Some(key));
        let name = key.name();
        for bad in [&name[1..], &name.to_uppercase(), &format!("{name}0"), &name.replace("07", "+7"), "", "\u{e9}"] {
            assert_eq!(SessionKey::named(bad), None, "{bad}");
        }
    }
}
