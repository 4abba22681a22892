//! Requests that may be sent again (T119): a POST of the API with an `Idempotency-Key` is done once, and whoever sends it again
//! within a day has the same answer. In one place, by the table of routes; no handler knows of it.
//!
//! The key is reserved before the handler runs. Who comes meanwhile waits for the answer, and after a while is told to come
//! again. What came to nothing (4xx, 5xx) gives the reservation up, so that the request can be put right and sent with the same
//! key. Where a hub ends between doing it and keeping the answer, the reservation is taken over after 60 s by whoever sends it
//! again, and it is done again: within those milliseconds, and only there, a thing can be made twice.
//!
//! Answers may hold what is told once, such as a secret. They are sealed by the key, of which only a hash is stored: what is
//! in the database opens nothing.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::access::Needs;
use super::route::{Kind, Route};
use super::{App, HttpError, Method, Request, Response, login};
use crate::clock;
use crate::model::AccountId;
use crate::store::{Begun, OnceKey};

/// Header.
const HEADER: &str = "idempotency-key";
/// Says that it did nothing this time.
const REPLAYED: &str = "idempotency-replayed";
/// How long one waits for the answer that another is about to have.
const WAITED: Duration = Duration::from_secs(8);
const LOOKED_AT_EVERY: Duration = Duration::from_millis(50);
/// Of the sixteen threads that answer requests so many may wait.
static WAITING: Semaphore = Semaphore::const_new(4);
/// A larger answer is not kept; none of the API's answers to a POST is.
const ANSWER_BYTES: usize = 128 * 1024;
/// Headers that are part of an answer.
const HEADERS: [&str; 4] = ["content-type", "etag", "location", "cache-control"];

/// Runs the handler of a route, once for each key.
///
/// # Errors
/// Those of the handler; 400 for a key that is none, 409 while another is at it, 422 for a key that was of another request.
pub(super) fn once(
    app: &App,
    request: &Request,
    route: &Route,
    handler: impl FnOnce() -> Result<Response, HttpError>,
) -> Result<Response, HttpError> {
    let is_heeded = route.kind == Kind::Api && route.method == Method::Post && route.needs != Needs::Nothing;
    let Some(key) = request.header(HEADER).filter(|_| is_heeded) else { return handler() };
    if !(16..=128).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let what = "Idempotency-Key has 16 to 128 printable characters, and is random: a UUID will do.";
        return Err(HttpError::BadRequest(what.to_owned()));
    }
    let who = login::signed_in(app, request)?;
    let account = who.account.account_id;
    // Each person's keys are his own: of a team nobody is told what was told another, who took a key that can be guessed.
    let key_hash = hash(&[b"key", who.person.account_id.0.as_bytes(), key.as_bytes()]);
    let once = OnceKey { account, key: key_hash, request: fingerprint(request) };
    let begun = app.wait(app.store.begin_once(&once, clock::now())).map_err(login::store)?;
    let reserved_at = match begun {
        Begun::Ours(at) => at,
        Begun::UnderWay => match wait(app, &once)? {
            Begun::Answered(sealed) => return opened(account, key, &sealed),
            Begun::OtherRequest => return Err(other()),
            Begun::Ours(_) | Begun::UnderWay | Begun::TooMany => return Err(under_way()),
        },
        Begun::Answered(sealed) => return opened(account, key, &sealed),
        Begun::OtherRequest => return Err(other()),
        Begun::TooMany => return Err(HttpError::TooMany { retry_after_s: 3_600 }),
    };
    let answer = handler();
    let kept = match &answer {
        Ok(answer) if answer.body.len() <= ANSWER_BYTES => {
            let sealed = sealed(account, key, answer)?;
            app.wait(app.store.keep_answer(&once, reserved_at, &sealed))
        }
        Ok(_) | Err(_) => app.wait(app.store.release_once(&once, reserved_at)),
    };
    if let Err(error) = kept {
        // What was done is done; whoever sends it again takes over after a while.
        tracing::warn!(%error, "The answer to a request with an Idempotency-Key could not be kept.");
    }
    answer
}

fn other() -> HttpError {
    let remedy = "It was sent with another request before; take a new one.";
    HttpError::Fields(crate::model::FieldErrors(vec![crate::model::FieldError::new("Idempotency-Key", "", remedy)]))
}

fn under_way() -> HttpError {
    HttpError::Conflict("The same request is under way; send it again in a moment.".to_owned())
}

/// Waits until another has the answer.
fn wait(app: &App, once: &OnceKey) -> Result<Begun, HttpError> {
    let Ok(_turn) = WAITING.try_acquire() else { return Ok(Begun::UnderWay) };
    let began = Instant::now();
    while began.elapsed() < WAITED {
        std::thread::sleep(LOOKED_AT_EVERY);
        match app.wait(app.store.answered_once(once)).map_err(login::store)? {
            Some(Begun::UnderWay) => {}
            Some(done) => return Ok(done),
            // It came to nothing: whoever asks again does it.
            None => break,
        }
    }
    Ok(Begun::UnderWay)
}

/// What is asked for: the same key with anything else is refused.
fn fingerprint(request: &Request) -> [u8; 32] {
    let mut parts: Vec<&[u8]> = vec![b"request", request.method.as_str().as_bytes(), request.path.as_bytes()];
    for (name, value) in &request.query {
        parts.extend([name.as_bytes(), value.as_bytes()]);
    }
    parts.push(&request.body);
    hash(&parts)
}

/// Each part with its length, so that none runs into the next.
fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[derive(Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

fn seal_of(account: AccountId, key: &str) -> anyhow::Result<LessSafeKey> {
    let secret = hash(&[b"answer", account.0.as_bytes(), key.as_bytes()]);
    let key = UnboundKey::new(&CHACHA20_POLY1305, &secret).map_err(|_| anyhow!("a key of the wrong length"))?;
    Ok(LessSafeKey::new(key))
}

fn sealed(account: AccountId, key: &str, answer: &Response) -> anyhow::Result<Vec<u8>> {
    let headers = answer.headers.iter().filter(|(name, _)| HEADERS.contains(name));
    let kept = Kept {
        status: answer.status,
        headers: headers.map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        body: BASE64.encode(&answer.body),
    };
    let mut nonce = [0_u8; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|error| anyhow!("no random bytes from the system: {error}"))?;
    let mut text = serde_json::to_vec(&kept)?;
    seal_of(account, key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text)
        .map_err(|_| anyhow!("an answer could not be sealed"))?;
    Ok([&nonce[..], &text].concat())
}

fn opened(account: AccountId, key: &str, sealed: &[u8]) -> Result<Response, HttpError> {
    let broken = || anyhow!("an answer that was kept cannot be opened");
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
    let (mut nonce_bytes, mut text) = ([0_u8; NONCE_LEN], text.to_vec());
    nonce_bytes.copy_from_slice(nonce);
    let text = seal_of(account, key)?
        .open_in_place(Nonce::assume_unique_for_key(nonce_bytes), Aad::empty(), &mut text)
        .map_err(|_| broken())?;
    let kept: Kept = serde_json::from_slice(text).map_err(anyhow::Error::from)?;
    let named = |name: &str| HEADERS.into_iter().find(|known| *known == name);
    let headers = kept.headers.into_iter().filter_map(|(name, value)| Some((named(&name)?, value)));
    let body = BASE64.decode(kept.body).map_err(anyhow::Error::from)?;
    let answer = Response { status: kept.status, headers: headers.collect(), body };
    Ok(answer.with(REPLAYED, "true"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_opened_by_its_key_alone() {
        let account = AccountId(uuid::Uuid::from_u128(7));
        let answer = Response::json(201, &"secret").with("etag", "\"1-a\"").with("set-cookie", "a=b");
        let kept = sealed(account, "0123456789abcdef", &answer).unwrap();
        assert!(!kept.windows(6).any(|bytes| bytes == b"secret" || bytes == b"c2VjcmV0"));
        let same = opened(account, "0123456789abcdef", &kept).unwrap();
        assert_eq!((same.status, &same.body), (201, &answer.body));
        let names: Vec<_> = same.headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["content-type", "etag", "idempotency-replayed"]);
        assert!(opened(account, "0123456789abcdeg", &kept).is_err());
        assert!(opened(AccountId(uuid::Uuid::nil()), "0123456789abcdef", &kept).is_err());
        assert!(opened(account, "0123456789abcdef", b"short").is_err());
    }

    #[test]
    fn no_part_runs_into_the_next() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b"ab"]), hash(&[b"ab", b""]));
    }
}
