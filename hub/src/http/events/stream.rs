//! One listener's stream. A task of its own writes it, into a buffer with a bound: who takes it too slowly is left. Whether he
//! may still listen is asked of the application again and again, by the request he came with: a session that ended, a key
//! that was revoked, a person who left the team end it.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Frame;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::{Listener, MAY_LISTEN, Told, words};
use crate::clock;
use crate::http::front::Front;
use crate::http::front::places::{LISTENER_LIFE, Place};
use crate::http::relay;
use crate::model::{AccountId, LiveEvent, LiveKey, UtcMs};
use crate::store::StoreError;

/// So often something is sent, if only a comment: proxies end what is silent for a minute.
const BEAT: Duration = Duration::from_secs(15);
/// So often it is asked whether he may still listen, and up to a second more, so that not all ask at once.
const ASKED_EVERY: Duration = Duration::from_secs(20);
/// For so long he goes on listening while no answer tells. Longer, and whoever lost his rights could keep them by asking too
/// often: for that he is refused before anything is said of who he is.
const UNSURE: Duration = Duration::from_secs(60);
/// Pieces on their way to who takes them slowly, and how long the next one waits for him: much may happen in one second.
const PIECES: usize = 32;
const TAKES_WITHIN: Duration = Duration::from_secs(10);
/// How far back one who comes again is told what he missed, and how much of it. The clocks of two hubs differ a little, and
/// what was written at one instant is there a moment later.
const BACK_MS: i64 = 10 * 60_000;
const OVERLAP_MS: i64 = 5_000;
const MISSED: usize = 500;
/// Somebody who is not heard by then asks anew.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// What is sent: pieces as they come, until the task that writes them ends.
#[derive(Debug)]
pub(in crate::http) struct Body(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// Why there is no stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Refused {
    /// His account has as many listeners as it may.
    Account,
    /// So has the hub.
    All,
}

/// A stream of `account`'s events, for who came with `asked`. `last_seen`: where an earlier one broke off.
///
/// # Errors
/// There are too many listeners.
pub(in crate::http) fn open(
    front: &Arc<Front>,
    place: &Arc<Place>,
    account: AccountId,
    last_seen: Option<UtcMs>,
    asked: Request<Full<Bytes>>,
) -> Result<Body, Refused> {
    let listener = front.listeners.join(account).ok_or(Refused::Account)?;
    if !place.listens() {
        return Err(Refused::All);
    }
    let (pieces, body) = mpsc::channel(PIECES);
    let stream = Stream { front: front.clone(), listener, pieces, stopping: front.stopping.clone() };
    tokio::spawn(async move {
        stream.front.counts.listening.add(1);
        let front = stream.front.clone();
        stream.run(account, last_seen, asked).await;
        front.counts.listened.add(1);
    });
    Ok(Body(body))
}

struct Stream {
    front: Arc<Front>,
    listener: Listener,
    pieces: mpsc::Sender<Bytes>,
    stopping: watch::Receiver<bool>,
}

impl Stream {
    async fn run(mut self, account: AccountId, last_seen: Option<UtcMs>, asked: Request<Full<Bytes>>) {
        let may_listen = may_listen(self.front.clone(), account, asked);
        let (gone, mut stopping) = (self.pieces.clone(), self.stopping.clone());
        tokio::select! {
            () = self.tell(account, last_seen) => {}
            () = may_listen => {}
            () = gone.closed() => {}
            _ = stopping.wait_for(|stops| *stops) => {}
            () = tokio::time::sleep(LISTENER_LIFE) => {}
        }
    }

    /// False: he takes too little of what he is sent.
    async fn send(&self, text: impl Into<Bytes>) -> bool {
        tokio::time::timeout(TAKES_WITHIN, self.pieces.send(text.into())).await.is_ok_and(|sent| sent.is_ok())
    }

    async fn tell(&mut self, account: AccountId, last_seen: Option<UtcMs>) {
        if tokio::time::timeout(HEARD_WITHIN, self.listener.is_heard()).await.is_err() {
            return;
        }
        // Who comes again keeps his place until he was told what he missed: this stream may break off before.
        if !self.send(words::ready(last_seen.unwrap_or_else(clock::now))).await {
            return;
        }
        // What is read again comes in its turn as well.
        let mut known = HashSet::new();
        if let Some(since) = last_seen {
            match self.tell_missed(account, since).await {
                Some(told) => known = told,
                None => return,
            }
        }
        let mut beat = tokio::time::interval_at(Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sent = tokio::select! {
                told = self.listener.receiver.recv() => match told {
                    Ok(Told::Event(key, _)) if known.contains(&key) => true,
                    Ok(Told::Event(_, text)) => self.send(Bytes::copy_from_slice(text.as_bytes())).await,
                    Ok(Told::Reset) => self.send(words::reset(clock::now())).await,
                    Err(RecvError::Lagged(_) | RecvError::Closed) => false,
                },
                _ = beat.tick() => self.send(words::BEAT).await,
            };
            if !sent {
                return;
            }
        }
    }

    /// What happened since an earlier stream broke off, as one piece; what that was. `None`: the stream is to end.
    async fn tell_missed(&self, account: AccountId, since: UtcMs) -> Option<HashSet<LiveKey>> {
        let now = clock::now();
        if !(now - BACK_MS..=now + BACK_MS).contains(&since) {
            return self.send(words::reset(now)).await.then(HashSet::new);
        }
        let mut missed = read_missed(&self.front, account, since - OVERLAP_MS).await?;
        if missed.len() >= MISSED {
            return self.send(words::reset(now)).await.then(HashSet::new);
        }
        missed.sort_by_key(|event| event.written_at);
        let text: String = missed.iter().map(words::event).collect();
        let is_sent = text.is_empty() || self.send(text).await;
        is_sent.then(|| missed.iter().map(LiveEvent::key).collect())
    }
}

/// In a task: what is asked of the database is never broken off (D18).
async fn read_missed(front: &Front, account: AccountId, since: UtcMs) -> Option<Vec<LiveEvent>> {
    let store = front.store.clone();
    let limit = i64::try_from(MISSED).unwrap_or(i64::MAX);
    let read = tokio::spawn(async move {
        let mut missed = store.live_verdicts(&[account], since, limit).await?;
        missed.extend(store.live_incidents(&[account], since, limit).await?);
        Ok::<_, StoreError>(missed)
    });
    match read.await {
        Ok(Ok(missed)) => Some(missed),
        Ok(Err(error)) => {
            tracing::debug!(%error, "What a listener missed could not be read; he asks anew.");
            None
        }
        Err(_) => None,
    }
}

/// Ends when he may listen no more, or when that could not be found out for a while.
async fn may_listen(front: Arc<Front>, account: AccountId, asked: Request<Full<Bytes>>) {
    let account = account.to_string();
    let mut sure_at = Instant::now();
    while sure_at.elapsed() < UNSURE {
        let spread = u64::try_from(uuid::Uuid::new_v4().as_u128() % 1_000).unwrap_or(0);
        tokio::time::sleep(ASKED_EVERY + Duration::from_millis(spread)).await;
        let Ok(answer) = relay::ask(&front, "", false, asked.clone()).await else { continue };
        if answer.headers().get(MAY_LISTEN).map(HeaderValue::as_bytes) == Some(account.as_bytes()) {
            sure_at = Instant::now();
        } else if !answer.status().is_server_error() && answer.status() != StatusCode::TOO_MANY_REQUESTS {
            return;
        }
    }
}
