//! Who is asking. A session is a row that can be revoked; its random id travels in a JWT that lives 15 minutes, in a
//! cookie for browsers or in a header for programs (D20).

mod enter;
mod token;

use anyhow::anyhow;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::throttle::Throttle;
use super::{App, HttpError, Request, password};
use crate::clock;
use crate::model::{Account, Role, Session, SessionKey, UtcMs};
use crate::secret::SigningKeys;
use crate::store::StoreError;
use token::{Claims, Tokens};

pub use enter::{Changed, change_password, end_previous, may_sign_up, new_session, sign_in, sign_up};

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
}

/// What somebody showed who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The token of a session, in a cookie or a header.
    Session(SessionKey),
}

impl Caller {
    /// The session of a person.
    ///
    /// # Errors
    /// [`HttpError::Forbidden`] for a program: it has none.
    pub fn session(&self) -> Result<SessionKey, HttpError> {
        match self.proof {
            Proof::Session(key) => Ok(key),
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
        self.tokens.issue(session.account.account_id, &claims.sid, now).ok().map(|token| self.cookie(&token))
    }
}

/// Who is behind a request's cookie, bearer token or bare `token` header; found once for each request.
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
    let session = app.wait(app.store.session(key)).map_err(store)?.ok_or(HttpError::SignInFirst)?;
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
    let person = session.account;
    Ok(Caller { account: person.clone(), person, role: Role::Owner, proof: Proof::Session(key) })
}

/// Trouble with the database, for people: passing trouble is a 503.
pub fn store(error: StoreError) -> HttpError {
    if error.is_passing() {
        tracing::warn!(%error, "The database did not answer a request.");
        return HttpError::Unavailable("The database does not answer; try again in a moment.");
    }
    HttpError::Internal(error.into())
}

fn random_id() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("no random bytes from the system: {e}"))?;
    Ok(hex(&bytes))
}

fn key_of(session_id: &str) -> SessionKey {
    SessionKey(Sha256::digest(session_id.as_bytes()).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
