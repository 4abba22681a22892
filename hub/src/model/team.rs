//! Teams: who beside its owner may see and change what an account has.

use super::message::words::is_unprintable;
use super::{Account, AccountId, FieldError, FieldErrors, Role, UtcMs, id::id};

id! {
    /// A link that makes whoever follows it a member; of no use to get in.
    InvitationId
}

/// SHA-256 of what is in an invitation's link. Only the hash is stored, so that a copy of the database lets nobody in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InvitationKey(pub [u8; 32]);

impl std::fmt::Debug for InvitationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InvitationKey(..)")
    }
}

/// A team that a person belongs to, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The team.
    pub team: Account,
    /// What he may do there.
    pub role: Role,
    /// It is nobody's own account: it can be deleted by itself, and needs an owner among its members.
    pub is_shared: bool,
}

/// Somebody in a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub person_id: AccountId,
    /// His name.
    pub username: String,
    /// What he may do.
    pub role: Role,
    /// Since when he is in.
    pub since_at: UtcMs,
    /// It is his own account, which he cannot leave.
    pub is_holder: bool,
}

impl Member {
    /// A team has no more.
    pub const MOST: i64 = 200;
}

/// An invitation that nobody has followed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Key.
    pub invitation_id: InvitationId,
    /// What whoever follows it may do.
    pub role: Role,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: UtcMs,
    /// Until when it can be followed.
    pub ends_at: UtcMs,
}

impl Invitation {
    /// So long a link can be followed.
    pub const LIFE_MS: i64 = 7 * 86_400_000;
    /// A team has no more of them at once.
    pub const MOST: i64 = 50;
}

/// What a link offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The team.
    pub team: AccountId,
    /// Its name.
    pub name: String,
    /// What whoever follows it may do.
    pub role: Role,
    /// Whoever made it looks after the installation: his word lets somebody in whom sign-ups would not.
    pub is_operators: bool,
}

/// Teams that one person is an owner of, his own account aside.
pub const MOST_TEAMS: i64 = 10;

/// A team's name: 1 to 64 characters, all of them seen: it stands in the invitation of people who do not know the team.
///
/// # Errors
/// What is wrong with it, of the field `name`.
pub fn team_name(typed: &str) -> Result<String, FieldErrors> {
    let name = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    let length = name.chars().count();
    if (1..=64).contains(&length) && !name.chars().any(is_unprintable) {
        return Ok(name);
    }
    Err(FieldErrors(vec![FieldError::new("name", typed, "Give the team a name of 1 to 64 characters.")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_can_be_read() {
        assert_eq!(team_name("  The  A Team \n").unwrap(), "The A Team");
        assert!(team_name(" ").is_err() && team_name(&"a".repeat(65)).is_err() && team_name("a\u{7}").is_err());
        assert!(team_name("\u{202e}emcA").is_err() && team_name("Acme\u{200b}").is_err());
        assert!(team_name(&"ä".repeat(64)).is_ok());
    }
}
