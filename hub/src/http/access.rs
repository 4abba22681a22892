//! Who may ask what: each line of the table of routes says what it needs, and it is looked at in one place, before the handler.
//! A handler may ask for more, never for less.

use super::login::{self, Caller, Proof};
use super::{App, HttpError, Request};
use crate::model::Role;

/// What a route asks of whoever asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it answers everybody, or finds out itself whom it answers.
    Nothing,
    /// A person who is signed in, for what is his own: sessions, password. No program gets there with a key.
    Person,
    /// To see a team's things.
    Read(Subject),
    /// To change them.
    Write(Subject),
    /// To say who is in the team, and to see who did what.
    Owner,
    /// To look after the installation. For everybody else there is no such route.
    Operator,
}

/// What a team has, as far as rights to it are given apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// What is watched, jobs and tags among it, and its history.
    Websites,
    /// Incidents, their notes.
    Incidents,
    /// Channels and the alerts that went there.
    Channels,
    /// Maintenance windows.
    Maintenance,
    /// Reports and when they are mailed.
    Reports,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 5] = [Self::Websites, Self::Incidents, Self::Channels, Self::Maintenance, Self::Reports];

    /// As it is written in scopes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Websites => "websites",
            Self::Incidents => "incidents",
            Self::Channels => "channels",
            Self::Maintenance => "maintenance",
            Self::Reports => "reports",
        }
    }
}

/// Lets a request through to its handler, or says why not.
///
/// # Errors
/// [`HttpError::SignInFirst`], [`HttpError::Forbidden`]; [`HttpError::NotFound`] for what only operators know of.
pub fn permit(app: &App, request: &Request, needs: Needs) -> Result<(), HttpError> {
    if needs == Needs::Nothing {
        return Ok(());
    }
    allow(&login::signed_in(app, request)?, needs)
}

fn allow(who: &Caller, needs: Needs) -> Result<(), HttpError> {
    match needs {
        Needs::Nothing | Needs::Read(_) => Ok(()),
        Needs::Person => match who.proof {
            Proof::Session(_) => Ok(()),
        },
        Needs::Write(_) if who.role >= Role::Editor => Ok(()),
        Needs::Write(_) => Err(HttpError::Forbidden("You may look at this team's things, not change them.")),
        Needs::Owner if who.role >= Role::Owner => Ok(()),
        Needs::Owner => Err(HttpError::Forbidden("Only an owner of the team may do this.")),
        Needs::Operator if who.person.is_operator() => Ok(()),
        Needs::Operator => Err(HttpError::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Account, AccountId, MadeBy, SessionKey};

    fn who(role: Role, made_by: MadeBy) -> Caller {
        let account_id = AccountId(uuid::Uuid::nil());
        let person = Account { account_id, username: "ann".to_owned(), created_at: 0, made_by };
        Caller { account: person.clone(), person, role, proof: Proof::Session(SessionKey([0; 32])) }
    }

    #[test]
    fn each_role_may_what_the_one_before_may_and_more() {
        let needs = [Needs::Person, Needs::Read(Subject::Websites), Needs::Write(Subject::Channels), Needs::Owner];
        let may = |role| needs.map(|needs| allow(&who(role, MadeBy::Anybody), needs).is_ok());
        assert_eq!(may(Role::Viewer), [true, true, false, false]);
        assert_eq!(may(Role::Editor), [true, true, true, false]);
        assert_eq!(may(Role::Owner), [true, true, true, true]);
    }

    #[test]
    fn an_operator_is_a_person_and_no_role() {
        assert!(allow(&who(Role::Viewer, MadeBy::Owner), Needs::Operator).is_ok());
        assert!(matches!(allow(&who(Role::Owner, MadeBy::Anybody), Needs::Operator), Err(HttpError::NotFound)));
    }
}
