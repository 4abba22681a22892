//! Answers that everybody gets alike, kept for a moment: a crowd before a status page costs the application one request now and
//! then. Only under paths where such answers are, and only those that say so themselves (`public`, an age, no cookie); of each
//! one request is under way at a time, and while it takes long, or fails, what was there before goes on for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::conditional;
use super::super::status::domains;
use crate::metrics::Counts;

/// Where answers for everybody are. Elsewhere requests never wait for each other.
const PATHS: [&str; 3] = ["/badge/", "/static/", "/s/"];
/// All that is kept, in bytes and in answers; one of them at most.
const BYTES: usize = 8 * 1024 * 1024;
const MOST: usize = 4_096;
const LARGEST: usize = 1024 * 1024;
/// What each takes beside its body, about.
const OVERHEAD: usize = 1_024;
/// Requests under way at once. They are asked to the end, whoever went away meanwhile: others pile up no more of them.
const FLIGHTS: usize = 64;
/// An answer counts as new for as long as it says, and no longer than this: what was public a moment ago may not be any more.
const FRESH: Duration = Duration::from_secs(10);
/// But for what never changes.
const IMMUTABLE: Duration = Duration::from_secs(3_600);
/// After that it is shown for so long while there is no newer one.
const STALE: Duration = Duration::from_secs(60);
/// Who asks for a newer one waits so long before he is shown the old one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Which answer: host, target, and whether it may be packed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::http) struct Key {
    host: String,
    target: String,
    is_packed: bool,
}

impl Key {
    /// That of a request whose answer may be everybody's. `is_pages_own`: whether a host is a status page's own, which has
    /// such answers elsewhere.
    pub(in crate::http) fn of(
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        is_packed: bool,
        is_pages_own: impl FnOnce(&str) -> bool,
    ) -> Option<Self> {
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let may_be =
            PATHS.iter().any(|path| target.starts_with(path)) || (domains::is_kept(path) && is_pages_own(host));
        if !is_read || !may_be {
            return None;
        }
        Some(Self { host: host.to_ascii_lowercase(), target: target.to_owned(), is_packed })
    }

    fn bytes(&self) -> usize {
        self.host.len() + self.target.len()
    }
}

#[derive(Debug)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    made_at: Instant,
    fresh: Duration,
    used_at: Instant,
    /// Whether anybody but who asked for it was shown it: what is asked for once, by whoever makes addresses up, goes first.
    is_used: bool,
}

impl Kept {
    fn bytes(&self, key: &Key) -> usize {
        self.body.len() + key.bytes() + OVERHEAD
    }

    fn answer(&self, now: Instant) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        // RFC 9111 section 5.1: caches behind this one count from the same instant.
        response.headers_mut().insert(header::AGE, HeaderValue::from((now - self.made_at).as_secs()));
        response
    }
}

#[derive(Debug, Default)]
struct Shelf {
    kept: HashMap<Key, Kept>,
    bytes: usize,
}

/// What is kept, and what is under way.
#[derive(Debug, Default)]
pub(in crate::http) struct Cache {
    shelf: Mutex<Shelf>,
    under_way: Mutex<HashMap<Key, watch::Receiver<()>>>,
    /// Tests need not wait.
    #[cfg(test)]
    ahead: Mutex<Duration>,
}

/// What there is of an answer.
enum Found {
    Fresh(Response<Full<Bytes>>),
    Stale(Response<Full<Bytes>>),
    Nothing,
}

/// A request that others wait for; they go on when it is dropped.
struct Flight {
    cache: Arc<Cache>,
    key: Key,
    _done: watch::Sender<()>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.cache.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

type Answer = Result<Response<Full<Bytes>>, StatusCode>;

impl Cache {
    /// The answer of `key`: what is kept, or what `ask` brings. It is asked to the end, whoever goes away meanwhile.
    pub(in crate::http) async fn answer<A>(self: &Arc<Self>, key: Key, counts: &Counts, ask: A) -> Answer
    where
        A: Future<Output = Answer> + Send + 'static,
    {
        let old = match self.find(&key) {
            Found::Fresh(response) => {
                counts.cache_fresh.add(1);
                return Ok(response);
            }
            Found::Stale(response) => Some(response),
            Found::Nothing => None,
        };
        let flight = match self.take_off(&key) {
            Ok(flight) => flight,
            Err(theirs) => {
                if let Some(old) = old {
                    counts.cache_stale.add(1);
                    return Ok(old);
                }
                if let Some(mut theirs) = theirs {
                    let _ = theirs.changed().await; // ends with an error, when it is done
                    if let Found::Fresh(response) | Found::Stale(response) = self.find(&key) {
                        counts.cache_fresh.add(1);
                        return Ok(response);
                    }
                }
                // It is not for everybody, or failed, or there are too many: asked for while he waits, and for him alone.
                return ask.await;
            }
        };
        counts.cache_asked.add(1);
        let cache = self.clone();
        let asks = tokio::spawn(async move {
            let answer = ask.await;
            if let Ok(response) = &answer {
                cache.take_in(&flight.key, response).await;
            }
            drop(flight);
            answer
        });
        let failed = || StatusCode::BAD_GATEWAY;
        let Some(old) = old else { return asks.await.unwrap_or_else(|_| Err(failed())) };
        match tokio::time::timeout(PATIENCE, asks).await {
            Ok(Ok(Ok(response))) if !response.status().is_server_error() => Ok(response),
            Ok(_) | Err(_) => {
                counts.cache_stale.add(1);
                Ok(old)
            }
        }
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self, reason = "in tests it has a clock of its own")]
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[cfg(test)]
    fn now(&self) -> Instant {
        Instant::now() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody else's, where one is under way; `Err(None)`: there are too many others.
    fn take_off(self: &Arc<Self>, key: &Key) -> Result<Flight, Option<watch::Receiver<()>>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = under_way.get(key) {
            return Err(Some(theirs.clone()));
        }
        if under_way.len() >= FLIGHTS {
            return Err(None);
        }
        let (done, waits) = watch::channel(());
        under_way.insert(key.clone(), waits);
        Ok(Flight { cache: self.clone(), key: key.clone(), _done: done })
    }

    fn find(&self, key: &Key) -> Found {
        let now = self.now();
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = shelf.kept.get_mut(key) else { return Found::Nothing };
        let age = now - kept.made_at;
        if age >= kept.fresh + STALE {
            return Found::Nothing;
        }
        (kept.used_at, kept.is_used) = (now, true);
        let answer = kept.answer(now);
        if age < kept.fresh { Found::Fresh(answer) } else { Found::Stale(answer) }
    }

    /// Keeps an answer that is for everybody. One that is not, any more, takes the place of what was: it is forgotten. Trouble
    /// changes nothing.
    async fn take_in(&self, key: &Key, response: &Response<Full<Bytes>>) {
        if response.status().is_server_error() {
            return;
        }
        let fresh = fresh(response);
        let body = response.body().clone().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = shelf.kept.remove(key) {
            shelf.bytes -= before.bytes(key);
        }
        let Some(fresh) = fresh.filter(|_| body.len() <= LARGEST) else { return };
        let now = self.now();
        let (status, headers) = (response.status(), response.headers().clone());
        let kept = Kept { status, headers, body, made_at: now, fresh, used_at: now, is_used: false };
        shelf.make_room(kept.bytes(key), now);
        shelf.bytes += kept.bytes(key);
        shelf.kept.insert(key.clone(), kept);
    }
}

impl Shelf {
    fn make_room(&mut self, bytes: usize, now: Instant) {
        if self.kept.len() < MOST && self.bytes + bytes <= BYTES {
            return;
        }
        self.kept.retain(|_, kept| now - kept.made_at < kept.fresh + STALE);
        self.bytes = self.kept.iter().map(|(key, kept)| kept.bytes(key)).sum();
        while self.kept.len() >= MOST || (self.bytes + bytes > BYTES && !self.kept.is_empty()) {
            let first = self.kept.iter().min_by_key(|(_, kept)| (kept.is_used, kept.used_at));
            let Some(key) = first.map(|(key, _)| key.clone()) else { return };
            if let Some(gone) = self.kept.remove(&key) {
                self.bytes -= gone.bytes(&key);
            }
        }
    }
}

/// For how long an answer counts as new; `None`: it is nobody's but who asked for it.
fn fresh(response: &Response<Full<Bytes>>) -> Option<Duration> {
    let headers = response.headers();
    let is_alike =
        headers.get_all(header::VARY).iter().all(|vary| vary.as_bytes().eq_ignore_ascii_case(b"accept-encoding"));
    if response.status() != StatusCode::OK || headers.contains_key(header::SET_COOKIE) || !is_alike {
        return None;
    }
    let all = headers.get(header::CACHE_CONTROL)?.to_str().ok()?;
    let words: Vec<&str> = all.split(',').map(str::trim).collect();
    if !words.contains(&"public") || words.iter().any(|word| matches!(*word, "private" | "no-store" | "no-cache")) {
        return None;
    }
    let age = words.iter().find_map(|word| word.strip_prefix("max-age="))?.parse().ok()?;
    let most = if words.contains(&"immutable") { IMMUTABLE } else { FRESH };
    Some(Duration::from_secs(age).min(most)).filter(|fresh| !fresh.is_zero())
}

/// The answer, or 304 when the client has it: what is kept was asked for without his tags.
pub(in crate::http) fn unless_known(
    known: Option<&HeaderValue>,
    mut response: Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let names = known.and_then(|names| names.to_str().ok());
    let is_known = response.status() == StatusCode::OK
        && tag.zip(names).is_some_and(|(tag, names)| conditional::matches(names, tag));
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Full::default();
        for of_body in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
            response.headers_mut().remove(of_body);
        }
    }
    response
}

#[cfg(test)]
mod tests;
