//! Who may ask what: each line of the table of routes says what it needs, and it is looked at in one place, before the handler.
//! A handler may ask for more, never for less.

use super::login::{self, Caller, Proof};
use super::route::{Kind, Route};
use super::{App, HttpError, Request};
use crate::model::Role;
use crate::store::wall;

pub use crate::model::scope::Subject;

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

/// Lets a request through to its handler, or says why not.
///
/// # Errors
/// [`HttpError::SignInFirst`], [`HttpError::Key`], [`HttpError::Forbidden`]; [`HttpError::NotFound`] for what only operators know of.
pub fn permit(app: &App, request: &Request, route: &Route) -> Result<(), HttpError> {
    if route.needs == Needs::Nothing {
        return Ok(());
    }
    let who = match login::shown_key(request) {
        // Pages are for people; what needs nothing finds nobody behind a key.
        Some(key) if route.kind == Kind::Api => login::by_key(app, request, key)?,
        Some(_) | None => login::signed_in(app, request)?,
    };
    allow(&who, route.needs)
}

fn allow(who: &Caller, needs: Needs) -> Result<(), HttpError> {
    match &who.proof {
        Proof::Session(_) => {}
        // A key may what its scopes name, and what is a person's, an owner's or an operator's is in none: a key that was stolen
        // makes no other, signs nobody out and hides nothing.
        Proof::Key(key) => match needs {
            Needs::Nothing => {}
            Needs::Read(subject) if key.scopes.reads(subject) => {}
            Needs::Write(subject) if key.scopes.writes(subject) => {}
            Needs::Read(_) | Needs::Write(_) => {
                return Err(HttpError::Forbidden("The scopes of this key do not name this. Make a key that has it."));
            }
            Needs::Person | Needs::Owner => {
                return Err(HttpError::Forbidden("This is for people who are signed in; no key gets here."));
            }
            Needs::Operator => return Err(HttpError::NotFound),
        },
    }
    match needs {
        Needs::Nothing | Needs::Read(_) | Needs::Person => Ok(()),
        Needs::Write(_) if who.role >= Role::Editor => Ok(()),
        Needs::Write(_) => Err(HttpError::Forbidden("You may look at this team's things, not change them.")),
        Needs::Owner if who.role >= Role::Owner => Ok(()),
        Needs::Owner => Err(HttpError::Forbidden("Only an owner of the team may do this.")),
        Needs::Operator if who.person.is_operator() => Ok(()),
        Needs::Operator => Err(HttpError::NotFound),
    }
}

/// Runs a handler behind the second wall, where it is about what a team has: the database then shows it that team's rows alone,
/// whatever a statement forgets to ask.
pub fn walled<T>(request: &Request, needs: Needs, handle: impl FnOnce() -> T) -> T {
    match (needs, request.caller.get()) {
        (Needs::Read(_) | Needs::Write(_), Some(who)) => wall::behind(who.account.account_id, handle),
        // A person's own, and who is in which team, goes over several; the installation is everybody's.
        (Needs::Nothing | Needs::Person | Needs::Owner | Needs::Operator, _)
        | (Needs::Read(_) | Needs::Write(_), None) => handle(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::login::KeyProof;
    use crate::http::route::ROUTES;
    use crate::model::api_key::ApiKeyId;
    use crate::model::scope::Scopes;
    use crate::model::{Account, AccountId, MadeBy, SessionKey};

    fn who(role: Role, made_by: MadeBy) -> Caller {
        let account_id = AccountId(uuid::Uuid::nil());
        let person = Account { account_id, username: "ann".to_owned(), created_at: 0, made_by };
        Caller { account: person.clone(), person, role, proof: Proof::Session(SessionKey([0; 32])), has_teams: false }
    }

    #[test]
    fn each_role_may_what_the_one_before_may_and_more() {
        let needs = [Needs::Person, Needs::Read(Subject::Websites), Needs::Write(Subject::Channels), Needs::Owner];
        let may = |role| needs.map(|needs| allow(&who(role, MadeBy::Anybody), needs).is_ok());
        assert_eq!(may(Role::Viewer), [true, true, false, false]);
        assert_eq!(may(Role::Editor), [true, true, true, false]);
        assert_eq!(may(Role::Owner), [true, true, true, true]);
    }

    fn key(role: Role, scopes: &[&str]) -> Caller {
        let scopes = Scopes::of(scopes.iter().copied()).unwrap();
        let proof = KeyProof { api_key_id: ApiKeyId(uuid::Uuid::nil()), name: "CI".to_owned(), scopes };
        Caller { proof: Proof::Key(proof), ..who(role, MadeBy::Owner) }
    }

    #[test]
    fn t141_a_key_reaches_what_its_scopes_name_and_no_more_than_its_maker_may() {
        for route in ROUTES.iter().filter(|route| route.needs != Needs::Nothing) {
            let may = |caller: &Caller| allow(caller, route.needs).is_ok();
            let (reads, writes) = match route.needs {
                Needs::Read(subject) => (Some(subject), None),
                Needs::Write(subject) => (None, Some(subject)),
                Needs::Nothing | Needs::Person | Needs::Owner | Needs::Operator => (None, None),
            };
            let name = format!("{:?} {}", route.method, route.pattern);
            assert_eq!(may(&key(Role::Owner, &["read", "write"])), reads.is_some() || writes.is_some(), "{name}");
            assert_eq!(may(&key(Role::Viewer, &["read", "write"])), reads.is_some(), "{name}: a viewer made it");
            assert_eq!(may(&key(Role::Owner, &["read"])), reads.is_some(), "{name}: a reader never writes");
            assert!(!may(&key(Role::Owner, &[])), "{name}: nothing without a scope");
            for subject in Subject::ALL {
                let read = key(Role::Owner, &[&format!("{}:read", subject.as_str())]);
                let write = key(Role::Owner, &[&format!("{}:write", subject.as_str())]);
                assert_eq!(may(&read), reads == Some(subject), "{name}");
                assert_eq!(may(&write), reads == Some(subject) || writes == Some(subject), "{name}");
            }
        }
    }

    #[test]
    fn who_may_only_look_is_not_told_what_would_let_him_do_more() {
        let (subject, by_anybody) = (Subject::Websites, MadeBy::Anybody);
        assert!(who(Role::Editor, by_anybody).may_write(subject) && !who(Role::Viewer, by_anybody).may_write(subject));
        assert!(key(Role::Editor, &["websites:write"]).may_write(subject));
        for (role, scopes) in [(Role::Owner, "read"), (Role::Owner, "channels:write"), (Role::Viewer, "write")] {
            assert!(!key(role, &[scopes]).may_write(subject), "{scopes}");
        }
    }

    #[test]
    fn an_operator_is_a_person_and_no_role() {
        assert!(allow(&who(Role::Viewer, MadeBy::Owner), Needs::Operator).is_ok());
        assert!(matches!(allow(&who(Role::Owner, MadeBy::Anybody), Needs::Operator), Err(HttpError::NotFound)));
    }
}
