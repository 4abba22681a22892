//! Who is asking. A session is a row that can be revoked; its random id travels in a JWT that lives 15 minutes, in a
//! cookie for browsers or in a header for programs (D20).

mod enter;
pub mod factor;
mod join;
mod key;
mod token;

use anyhow::anyhow;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::throttle::Throttle;
use super::{App, HttpError, Request, password};
use crate::clock;
use crate::model::api_key::{ApiKey, ApiKeyId};
use crate::model::scope::{Scopes, Subject};
use crate::model::{Account, AccountId, Role, Session, SessionKey, UtcMs};
use crate::secret::SigningKeys;
use crate::store::StoreError;
use token::{Claims, Tokens};

pub use enter::{
    Changed, SignIn, change_password, end_previous, hash_of, may_sign_up, new_session, prove, prove_page, sign_in,
    sign_up,
};
pub use join::{FULL, invitation_key, join_as_new, makes_accounts, new_invitation, proven};
pub use key::{by_key, make_key, shown as shown_key};

/// Names the team that a request is about, by its id.
const TEAM: &str = "x-team";
/// P9: 19 MiB each.
const HASHES_AT_ONCE: usize = 4;

/// Keys, limits and counters of signing in.
pub struct Login {
    tokens: Tokens,
    secure: bool,
    hashing: Semaphore,
    /// A hash nobody's password fits: unknown names take as long as known ones (D21).
    dummy: String,
    throttle: Throttle,
}

/// Who asks, and for whom.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The team whose things are asked for: the tenant.
    pub account: Account,
    /// Who asks.
    pub person: Account,
    /// What that person may do in this team.
    pub role: Role,
    /// How we know.
    pub proof: Proof,
    /// That person belongs to teams beside his own.
    pub has_teams: bool,
}

/// What somebody showed who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The token of a session, in a cookie or a header.
    Session(SessionKey),
    /// A key: a program asks, for whoever made it.
    Key(KeyProof),
}

/// A key that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProof {
    /// Which.
    pub api_key_id: ApiKeyId,
    /// How whoever made it calls it.
    pub name: String,
    /// What it is for.
    pub scopes: Scopes,
}

impl From<ApiKey> for KeyProof {
    fn from(key: ApiKey) -> Self {
        Self { api_key_id: key.api_key_id, name: key.name, scopes: key.scopes }
    }
}

impl Caller {
    /// Whether a team's things of a subject may be changed by whoever asks; who may not is not told what would let him.
    #[must_use]
    pub fn may_write(&self, subject: Subject) -> bool {
        let is_named = match &self.proof {
            Proof::Session(_) => true,
            Proof::Key(key) => key.scopes.writes(subject),
        };
        is_named && self.role >= Role::Editor
    }

    /// The session of a person.
    ///
    /// # Errors
    /// [`HttpError::Forbidden`] for a program: it has none.
    pub fn session(&self) -> Result<SessionKey, HttpError> {
        match self.proof {
            Proof::Session(key) => Ok(key),
            Proof::Key(_) => Err(HttpError::Forbidden("This is for people who are signed in; no key gets here.")),
        }
    }
}

/// A new session's token.
pub struct NewSession {
    /// Who.
    pub account: Account,
    /// The JWT.
    pub token: String,
}

impl Login {
    /// Signs and checks with `keys`.
    ///
    /// # Errors
    /// No random bytes.
    pub fn new(keys: &SigningKeys, secure: bool) -> anyhow::Result<Self> {
        Ok(Self {
            tokens: Tokens::new(keys),
            secure,
            hashing: Semaphore::new(HASHES_AT_ONCE),
            dummy: password::hash_blocking(&random_id()?)?,
            throttle: Throttle::default(),
        })
    }

    /// `__Host-` needs Secure, which browsers refuse over plain http.
    #[must_use]
    pub fn cookie_name(&self) -> &'static str {
        if self.secure { "__Host-betteruptime_session" } else { "betteruptime_session" }
    }

    /// The `Set-Cookie` value that hands a token to a browser.
    #[must_use]
    pub fn cookie(&self, token: &str) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = Session::LIFE_MS / 1_000;
        format!("{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", self.cookie_name())
    }

    /// Name of the cookie that stands between password and code.
    #[must_use]
    pub fn ticket_name(&self) -> &'static str {
        if self.secure { "__Host-betteruptime_ticket" } else { "betteruptime_ticket" }
    }

    /// The `Set-Cookie` value that hands out a ticket; an empty one takes it back.
    #[must_use]
    pub fn ticket_cookie(&self, ticket: &str) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = if ticket.is_empty() { 0 } else { token::TICKET_MS / 1_000 };
        format!("{}={ticket}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", self.ticket_name())
    }

    /// The `Set-Cookie` value that takes it back.
    #[must_use]
    pub fn no_cookie(&self) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}", self.cookie_name())
    }

    /// A fresh cookie when the one that came is past half its life and its session goes on.
    #[must_use]
    pub fn renewed(&self, app: &App, request: &Request) -> Option<String> {
        let now = clock::now();
        let cookie = request.cookie(self.cookie_name())?;
        let claims = self.tokens.claims(cookie, None)?;
        let is_fresh = claims.exp * 1_000 - now > token::LIFE_MS / 2 && !self.tokens.is_of_old_key(cookie);
        if is_fresh || request.path == "/signout" {
            return None;
        }
        let session = session_of(app, &claims, now, request).ok()?;
        self.tokens.issue(session.person.account_id, &claims.sid, now).ok().map(|token| self.cookie(&token))
    }
}

/// Who is behind a request's cookie, bearer token or bare `token` header; found once for each request. A key counts only where
/// `access::permit` let it in.
///
/// # Errors
/// [`HttpError::SignInFirst`] for anything that is not a live session.
pub fn signed_in(app: &App, request: &Request) -> Result<Caller, HttpError> {
    if let Some(caller) = request.caller.get() {
        return Ok(caller.clone());
    }
    let caller = find(app, request)?;
    Ok(request.caller.get_or_init(|| caller).clone())
}

fn find(app: &App, request: &Request) -> Result<Caller, HttpError> {
    let bearer = request.header("authorization").and_then(|v| v.strip_prefix("Bearer "));
    let now = clock::now();
    let claims = match bearer.or_else(|| request.header("token")) {
        Some(token) => app.login.tokens.claims(token.trim(), Some(now)),
        None => request.cookie(app.login.cookie_name()).and_then(|token| app.login.tokens.claims(token, None)),
    };
    session_of(app, &claims.ok_or(HttpError::SignInFirst)?, now, request)
}

/// The operator behind a request. For everybody else there is no such page.
///
/// # Errors
/// [`HttpError::SignInFirst`], or [`HttpError::NotFound`] for an account that is no operator's.
pub fn operator(app: &App, request: &Request) -> Result<Caller, HttpError> {
    let who = signed_in(app, request)?;
    if who.person.is_operator() { Ok(who) } else { Err(HttpError::NotFound) }
}

fn session_of(app: &App, claims: &Claims, now: UtcMs, request: &Request) -> Result<Caller, HttpError> {
    let key = key_of(&claims.sid);
    // A program may name the team with each request; a browser's is kept with its session.
    let asked = request.header(TEAM).map(|id| id.parse::<AccountId>().map_err(|_| HttpError::NotFound)).transpose()?;
    let session = app.wait(app.store.session(key, asked)).map_err(store)?.ok_or(HttpError::SignInFirst)?;
    if now >= session.expires_at || now - session.seen_at >= Session::IDLE_MS {
        return Err(HttpError::SignInFirst);
    }
    if session.account.account_id.to_string() != claims.sub {
        return Err(HttpError::SignInFirst);
    }
    // A page that refreshes itself is not a person (T140). Once a minute is exact enough for an idle time of a day.
    if request.header("x-background").is_none() && now - session.seen_at > 60_000 {
        app.wait(app.store.touch_session(key, now)).map_err(store)?;
    }
    if session.has_lost_team {
        lost(app, key, session.account.account_id, request)?;
    }
    let (person, has_teams, proof) = (session.account, session.has_teams, Proof::Session(key));
    match (session.team, asked) {
        (Some(team), _) => Ok(Caller { account: team.team, person, role: team.role, proof, has_teams }),
        (None, Some(asked)) if asked != person.account_id => Err(HttpError::NotFound),
        // Also of whoever looked at a team that he is not in any more, and only looks.
        (None, _) => Ok(Caller { account: person.clone(), person, role: Role::Owner, proof, has_teams }),
    }
}

/// Whoever was taken out of a team while he was at it, or whose team was deleted, is told so, rather than that what
/// he does next is done to what is his own. A browser looks at that from then on; a program has to say what it is about.
fn lost(app: &App, key: SessionKey, person: AccountId, request: &Request) -> Result<(), HttpError> {
    // Of these none is about the team that is looked at.
    let is_apart = matches!(request.path.as_str(), "/signout" | "/team/switch" | "/api/v1/team")
        || ["/acknowledge/", "/join/"].iter().any(|begin| request.path.starts_with(begin));
    if !request.method.is_unsafe() || is_apart {
        return Ok(());
    }
    if request.header("authorization").is_none() && request.header("token").is_none() {
        app.wait(app.store.act_for(person, key, person)).map_err(store)?;
    }
    Err(HttpError::Conflict(
        "Nothing was done: this was about a team that you are not in any more. What you see now is your own: look \
         at it before you go on."
            .to_owned(),
    ))
}

/// Has a session that was just begun look at a team its person is in.
///
/// # Errors
/// The database is away.
pub fn act_for_new(app: &App, session: &NewSession, team: AccountId) -> Result<(), HttpError> {
    let Some(claims) = app.login.tokens.claims(&session.token, None) else { return Ok(()) };
    let done = app.store.act_for(session.account.account_id, key_of(&claims.sid), team);
    app.wait(done).map(|_| ()).map_err(store)
}

/// Trouble with the database, for people: passing trouble is a 503.
pub fn store(error: StoreError) -> HttpError {
    if let StoreError::Full { most } = error {
        return HttpError::Conflict(format!(
            "There are {most} websites and jobs, as many as there may be. Delete one that is not needed, or ask whoever \
             looks after this installation for more."
        ));
    }
    if error.is_passing() {
        tracing::warn!(%error, "The database did not answer a request.");
        return HttpError::Unavailable("The database does not answer; try again in a moment.");
    }
    HttpError::Internal(error.into())
}

fn random_id() -> anyhow::Result<String> {
    random_bytes::<32>().map(|bytes| hex(&bytes))
}

fn random_bytes<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("no random bytes from the system: {e}"))?;
    Ok(bytes)
}

fn key_of(session_id: &str) -> SessionKey {
    SessionKey(Sha256::digest(session_id.as_bytes()).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
