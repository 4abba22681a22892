//! Who is asking. A session is a row that can be revoked; its random id travels in a JWT that lives 15 minutes, in a
//! cookie for browsers or in a header for programs (D20).

use anyhow::anyhow;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::throttle::Throttle;
use super::{App, HttpError, Request, password};
use crate::clock;
use crate::config::SignUps;
use crate::model::{Account, FieldError, FieldErrors, MadeBy, SessionKey, UtcMs};
use crate::secret::Secret;
use crate::store::{Conflict, StoreError};

const ISSUER: &str = "betteruptime-hub";
const TOKEN_LIFE_MS: i64 = 15 * 60_000;
const IDLE_MS: i64 = 24 * 3_600_000;
const SESSION_LIFE_MS: i64 = 7 * 24 * 3_600_000;
const LEEWAY_S: i64 = 5;
/// P9: 19 MiB each.
const HASHES_AT_ONCE: usize = 4;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    /// The session's random id, hex.
    sid: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Keys, limits and counters of signing in.
pub struct Login {
    signing: EncodingKey,
    checking: DecodingKey,
    kid: String,
    secure: bool,
    hashing: Semaphore,
    /// A hash nobody's password fits: unknown names take as long as known ones (D21).
    dummy: String,
    throttle: Throttle,
}

/// A request's account.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Who.
    pub account: Account,
    /// Through which session.
    pub session: SessionKey,
}

/// A new session's token.
pub struct NewSession {
    /// Who.
    pub account: Account,
    /// The JWT.
    pub token: String,
}

impl Login {
    /// Signs with `key`.
    ///
    /// # Errors
    /// No random bytes.
    pub fn new(key: &Secret, secure: bool) -> anyhow::Result<Self> {
        let bytes = key.expose().as_bytes();
        Ok(Self {
            signing: EncodingKey::from_secret(bytes),
            checking: DecodingKey::from_secret(bytes),
            kid: hex(&Sha256::digest(bytes))[..8].to_owned(),
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
        let age = SESSION_LIFE_MS / 1_000;
        format!("{}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", self.cookie_name())
    }

    /// The `Set-Cookie` value that takes it back.
    #[must_use]
    pub fn no_cookie(&self) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}", self.cookie_name())
    }

    fn issue(&self, account: &Account, session_id: &str, now: UtcMs) -> Result<String, HttpError> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::HS256) };
        let iat = now / 1_000;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: account.account_id.to_string(),
            sid: session_id.to_owned(),
            iat,
            nbf: iat,
            exp: iat + TOKEN_LIFE_MS / 1_000,
        };
        encode(&header, &claims, &self.signing).map_err(|e| HttpError::Internal(anyhow!("token: {e}")))
    }

    /// The claims of a token of ours as of `now`; `None` for `now`: whenever it was given, the session's row decides
    /// (cookies are renewed).
    fn claims(&self, token: &str, now: Option<UtcMs>) -> Option<Claims> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[ISSUER]);
        rules.set_required_spec_claims(&["iss", "aud", "exp", "nbf", "sub"]);
        // The library goes by the machine's clock; a token was dated by the hubs'.
        (rules.validate_exp, rules.validate_nbf) = (false, false);
        let data = decode::<Claims>(token, &self.checking, &rules).ok()?;
        let (claims, now_s) = (data.claims, now.map(|now| now.div_euclid(1_000)));
        let is_ours = data.header.kid.as_deref() == Some(self.kid.as_str());
        let is_in_time = now_s.is_none_or(|now| now > claims.nbf - LEEWAY_S && now < claims.exp + LEEWAY_S);
        (is_ours && is_in_time).then_some(claims)
    }

    /// A fresh cookie when the one that came is past half its life and its session goes on.
    #[must_use]
    pub fn renewed(&self, app: &App, request: &Request) -> Option<String> {
        let now = clock::now();
        let claims = self.claims(request.cookie(self.cookie_name())?, None)?;
        if claims.exp * 1_000 - now > TOKEN_LIFE_MS / 2 || request.path == "/signout" {
            return None;
        }
        let session = session_of(app, &claims, now, request).ok()?;
        self.issue(&session.account, &claims.sid, now).ok().map(|token| self.cookie(&token))
    }
}

/// The account behind a request's cookie, bearer token or bare `token` header.
///
/// # Errors
/// [`HttpError::SignInFirst`] for anything that is not a live session.
pub fn signed_in(app: &App, request: &Request) -> Result<SignedIn, HttpError> {
    let bearer = request.header("authorization").and_then(|v| v.strip_prefix("Bearer "));
    let now = clock::now();
    let claims = match bearer.or_else(|| request.header("token")) {
        Some(token) => app.login.claims(token.trim(), Some(now)),
        None => request.cookie(app.login.cookie_name()).and_then(|token| app.login.claims(token, None)),
    };
    session_of(app, &claims.ok_or(HttpError::SignInFirst)?, now, request)
}

/// The operator behind a request. For everybody else there is no such page.
///
/// # Errors
/// [`HttpError::SignInFirst`], or [`HttpError::NotFound`] for an account that is no operator's.
pub fn operator(app: &App, request: &Request) -> Result<SignedIn, HttpError> {
    let who = signed_in(app, request)?;
    if who.account.is_operator() { Ok(who) } else { Err(HttpError::NotFound) }
}

fn session_of(app: &App, claims: &Claims, now: UtcMs, request: &Request) -> Result<SignedIn, HttpError> {
    let key = key_of(&claims.sid);
    let session = app.wait(app.store.session(key)).map_err(store)?.ok_or(HttpError::SignInFirst)?;
    if now >= session.expires_at || now - session.seen_at >= IDLE_MS {
        return Err(HttpError::SignInFirst);
    }
    if session.account.account_id.to_string() != claims.sub {
        return Err(HttpError::SignInFirst);
    }
    // A page that refreshes itself is not a person (T140). Once a minute is exact enough for an idle time of a day.
    if request.header("x-background").is_none() && now - session.seen_at > 60_000 {
        app.wait(app.store.touch_session(key, now)).map_err(store)?;
    }
    Ok(SignedIn { account: session.account, session: key })
}

/// Makes an account.
///
/// # Errors
/// Fields that cannot be accepted, or sign-ups are closed.
pub fn sign_up(app: &App, username: &str, password: &str) -> Result<Account, HttpError> {
    let mut errors = FieldErrors::default();
    for result in [password::check_username(username), password::check_password(password)] {
        errors.0.extend(result.err().unwrap_or_default().0);
    }
    if !errors.is_empty() {
        return Err(HttpError::Fields(errors));
    }
    if !may_sign_up(app)? {
        return Err(HttpError::Forbidden("Sign-ups are closed. The owner can make an account for you."));
    }
    let hash = with_permit(app, || password::hash_blocking(password))?.map_err(HttpError::Internal)?;
    let now = clock::now();
    let taken = || {
        let remedy = "This name is taken; choose another.";
        HttpError::Fields(FieldErrors(vec![FieldError::new("username", username, remedy)]))
    };
    let made = match app.settings.sign_ups {
        SignUps::Open => app.wait(app.store.create_account(username, &hash, MadeBy::Anybody, now)).map(Some),
        SignUps::First => app.wait(app.store.create_first_account(username, &hash, now)),
        SignUps::Closed => Ok(None),
    };
    match made {
        Ok(Some(account)) => Ok(account),
        Ok(None) => Err(HttpError::Forbidden("Sign-ups are closed. The owner can make an account for you.")),
        Err(StoreError::Conflict(Conflict::UsernameTaken)) => Err(taken()),
        Err(error) => Err(store(error)),
    }
}

/// Whether an account can be made now.
///
/// # Errors
/// The database is away.
pub fn may_sign_up(app: &App) -> Result<bool, HttpError> {
    Ok(match app.settings.sign_ups {
        SignUps::Open => true,
        SignUps::Closed => false,
        SignUps::First => app.wait(app.store.count_accounts()).map_err(store)? == 0,
    })
}

/// Checks name and password and starts a session; `None` when they are wrong, in the same time whether or not the
/// name exists.
///
/// # Errors
/// Too many wrong tries for this name from this network.
pub fn sign_in(app: &App, request: &Request, username: &str, password: &str) -> Result<Option<NewSession>, HttpError> {
    let now = clock::now();
    let throttle = &app.login.throttle;
    let one = throttle.begin(username, request.client, now).map_err(|retry_after_s| {
        app.store.counts().refused_sign_in.add(1);
        HttpError::TooMany { retry_after_s }
    })?;
    let checked = (|| {
        let found = app.wait(app.store.credentials(username)).map_err(store)?;
        let hash = found.as_ref().map_or(app.login.dummy.as_str(), |(_, hash)| hash);
        let fits = with_permit(app, || password::verify_blocking(password, hash))?;
        Ok(found.filter(|_| fits))
    })();
    match checked {
        Ok(Some((account, _))) => {
            throttle.take_back(&one);
            end_previous(app, request)?;
            new_session(app, account, now).map(Some)
        }
        Ok(None) => Ok(None),
        Err(error) => {
            throttle.take_back(&one);
            Err(error)
        }
    }
}

/// Ends the session that a request's cookie carries: whoever signs in has done with it, or it was planted (T137).
///
/// # Errors
/// The database is away.
pub fn end_previous(app: &App, request: &Request) -> Result<(), HttpError> {
    let cookie = request.cookie(app.login.cookie_name());
    let Some(claims) = cookie.and_then(|token| app.login.claims(token, None)) else { return Ok(()) };
    app.wait(app.store.end_session(key_of(&claims.sid))).map_err(store)
}

/// Starts a session of an account that has just proved itself.
///
/// # Errors
/// The database is away.
pub fn new_session(app: &App, account: Account, now: UtcMs) -> Result<NewSession, HttpError> {
    let id = random_id().map_err(HttpError::Internal)?;
    let key = key_of(&id);
    app.wait(app.store.create_session(account.account_id, key, now, now + SESSION_LIFE_MS)).map_err(store)?;
    let token = app.login.issue(&account, &id, now)?;
    Ok(NewSession { account, token })
}

fn with_permit<T>(app: &App, work: impl FnOnce() -> T) -> Result<T, HttpError> {
    let wait = tokio::time::Duration::from_secs(3);
    // Made on the runtime: a timer needs one.
    let permit = app.wait(async { tokio::time::timeout(wait, app.login.hashing.acquire()).await });
    let Ok(Ok(_permit)) = permit else {
        return Err(HttpError::Unavailable("Many people are signing in; try again in a moment."));
    };
    Ok(work())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AccountId;

    const NOW: UtcMs = 1_000_000_000_000;

    fn login() -> (Login, Account) {
        let login = Login::new(&Secret::new("kR3vT9qLx2WnB7yHf5CsJ8dGa1EpZ0mU4oQ6"), false).unwrap();
        let made_by = MadeBy::Owner;
        (login, Account { account_id: AccountId(uuid::Uuid::nil()), username: "ann".into(), created_at: 0, made_by })
    }

    #[test]
    fn t130_a_token_that_was_touched_is_nothing() {
        let (login, account) = login();
        let token = login.issue(&account, "s", NOW).unwrap();
        assert!(login.claims(&token, Some(NOW)).is_some());
        let body = token.split('.').nth(1).unwrap();
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        for forged in
            [format!("{token}x"), format!("{none}.{body}."), token[..token.len() - 2].to_owned(), String::new()]
        {
            assert!(login.claims(&forged, None).is_none(), "{forged}");
        }
        let other = Login::new(&Secret::new("another key that is long enough, 0123456789"), false).unwrap();
        assert!(other.claims(&token, None).is_none());
    }

    #[test]
    fn t132_a_token_ends_with_little_leeway() {
        let (login, account) = login();
        let past = |s: i64| login.issue(&account, "s", NOW - TOKEN_LIFE_MS - s * 1_000).unwrap();
        assert!(login.claims(&past(3), Some(NOW)).is_some());
        assert!(login.claims(&past(7), Some(NOW)).is_none());
        assert!(login.claims(&past(7), None).is_some(), "a cookie is renewed from its session's row");
        assert!(login.claims(&past(-TOKEN_LIFE_MS / 1_000), Some(NOW)).is_some(), "whatever this machine's clock says");
        assert!(login.claims(&past(-TOKEN_LIFE_MS / 1_000 - 7), Some(NOW)).is_none(), "not before it was given");
    }
}
