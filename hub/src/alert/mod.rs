//! Telling people: what the outbox holds is sent, tried again, folded together, or given up for everybody to see. Which
//! alerts there are is decided where incidents are written (`store`), in the same transaction.
//!
//! [`run`] is a step and a wait. A step claims what is due by one statement (a row before it is a message, D15) and starts
//! a task for each; a task keeps what it sends, sends it outside any transaction, and records what came of it in one. One
//! that dies in between is repeated when its lease ends, with the same id and the same bytes (I3, I4).

mod broken;
mod compose;
mod connect;
mod deliver;
mod mail;
mod page_key;
mod ping;
mod report;
mod request;
mod sign;
mod subscribers;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use probe::engine::AddressPolicy;
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

pub use deliver::Sender;
pub use report::run as run_reports;
pub use subscribers::{run as run_subscribers, step as send_to_subscribers};

use crate::clock;
use crate::model::alert_retry::Answer;
use crate::model::message::{Links, MailHead, Message};
use crate::model::{AfterTry, AlertEvent, AlertId, Channel, ChannelId, IncidentId, TryResult, UtcMs};
use crate::secret::SigningKeys;
use crate::store::{ClaimedAlert, NewAlert, Store, StoreError, TryRecord};
use crate::vital::{Part, Vitals};
use connect::Client;
use page_key::PageKey;
use sign::LinkKey;

/// Between two looks for alerts: another hub writes some, and those that are tried again are nobody's to ring for.
const EVERY: Duration = Duration::from_secs(1);
/// Between two looks for incidents to remind of.
const REMIND_EVERY: Duration = Duration::from_secs(10);
/// For one try, from the name to the answer (P10).
const TRY_TIMEOUT: Duration = Duration::from_secs(15);

/// What the sender needs of the settings.
#[derive(Debug, Clone)]
pub struct AlertSettings {
    /// Where pages are; without it messages have no links.
    pub public_url: Option<String>,
    /// Where messages may go.
    pub policy: AddressPolicy,
    /// Authorities trusted besides Mozilla's.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// For one try.
    pub timeout: Duration,
}

impl AlertSettings {
    /// With a try's usual time.
    #[must_use]
    pub fn new(public_url: Option<String>, policy: AddressPolicy, extra_roots: Vec<CertificateDer<'static>>) -> Self {
        Self { public_url, policy, extra_roots, timeout: TRY_TIMEOUT }
    }
}

/// Sends to channels. Cheap to clone; pages use it to try a channel.
#[derive(Debug, Clone)]
pub struct Alerts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    public_url: Option<String>,
    head: MailHead,
    client: Client,
    links: LinkKey,
    pages: PageKey,
}

/// What came of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The result.
    pub result: TryResult,
    /// The answer, at most 512 printable characters, without secrets.
    pub said: String,
    /// For how long.
    pub took_ms: i64,
}

/// What a receiver answered, in words for the log of its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answered {
    answer: Answer,
    said: String,
}

impl Alerts {
    /// A sender whose links are signed by keys made of `keys`.
    ///
    /// # Errors
    /// An authority that is none.
    pub fn new(settings: AlertSettings, keys: &SigningKeys) -> anyhow::Result<Self> {
        let public_url = settings.public_url.map(|url| url.trim_end_matches('/').to_owned());
        let domain = public_url.as_deref().and_then(crate::model::host_of);
        // Of mail: an address is no domain.
        let is_name = |host: &String| !host.contains('[') && host.parse::<std::net::IpAddr>().is_err();
        let domain = domain.filter(is_name).unwrap_or_else(|| "localhost".to_owned());
        let client = Client::new(settings.policy, settings.extra_roots, settings.timeout)
            .context("the sender of alerts could not be set up")?;
        let (links, pages) = (LinkKey::of(keys), PageKey::of(keys));
        Ok(Self(Arc::new(Inner { public_url, head: MailHead { domain }, client, links, pages })))
    }

    /// Sends a test to a channel now, waits for the answer (at most 15 s, P10) and keeps it in the channel's log.
    pub async fn test(&self, store: &Store, channel: &Channel, now: UtcMs) -> Tried {
        let id = AlertId(Uuid::now_v7());
        let links = Links { page: self.channel_page(channel.channel_id), acknowledge: None };
        let failed = |said: String| Tried { result: TryResult::GivenUp, said, took_ms: 0 };
        let message = Message::test(id, channel, links, now);
        let payload = match message.render(&channel.settings, &self.0.head) {
            Ok(payload) => payload,
            Err(said) => return failed(said),
        };
        let new = NewAlert {
            alert_id: id,
            account_id: channel.account_id,
            channel_id: channel.channel_id,
            channel_name: channel.name.clone(),
            event: AlertEvent::Test,
            payload,
        };
        let alert = match store.add_test(&new, now).await {
            Ok(alert) => alert,
            Err(error) => {
                tracing::warn!(%error, "A test could not be written.");
                return failed("The database is away; try again.".to_owned());
            }
        };
        let started = Instant::now();
        let answered = self.send(channel, id, &new.payload, now).await;
        let took_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let (result, after) = match answered.answer {
            Answer::Taken => (TryResult::Delivered, AfterTry::Delivered),
            Answer::Later { .. } => (TryResult::Again, AfterTry::Dead),
            Answer::Refused | Answer::Gone => (TryResult::GivenUp, AfterTry::Dead),
        };
        let made = TryRecord { at: now, took_ms, result, said: &answered.said, after };
        if let Err(error) = store.record_try(&alert, made).await {
            tracing::warn!(%error, "A test could not be recorded.");
        }
        let mut tried = Tried { result, said: answered.said, took_ms };
        if let Some(end) = message.end_of_test(&channel.settings).filter(|_| result == TryResult::Delivered) {
            self.end_test(store, channel, &alert, &end, &mut tried).await;
        }
        tried
    }

    /// Ends what a test began at its service, and adds it to the log of the test.
    async fn end_test(&self, store: &Store, channel: &Channel, alert: &ClaimedAlert, end: &str, tried: &mut Tried) {
        let (started, now) = (Instant::now(), clock::now());
        let answered = self.send(channel, alert.alert_id, end, now).await;
        let took_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let (result, said) = match answered.answer {
            Answer::Taken => (TryResult::Delivered, format!("The test was ended there: {}", answered.said)),
            Answer::Later { .. } | Answer::Refused | Answer::Gone => (
                TryResult::GivenUp,
                format!("The test could not be ended there; resolve it by hand. {}", answered.said),
            ),
        };
        let after = if result == TryResult::Delivered { AfterTry::Delivered } else { AfterTry::Dead };
        if let Err(error) = store.record_try(alert, TryRecord { at: now, took_ms, result, said: &said, after }).await {
            tracing::warn!(%error, "The end of a test could not be recorded.");
        }
        tried.said = format!("{} {said}", tried.said);
        tried.took_ms = tried.took_ms.saturating_add(took_ms);
    }

    /// The incident that a signed link lets its reader acknowledge, if the link is ours and not too old.
    #[must_use]
    pub fn acknowledges(&self, token: &str, now: UtcMs) -> Option<IncidentId> {
        self.0.links.read(token, now)
    }

    /// What a link's path ends with, for whoever may acknowledge.
    #[must_use]
    pub fn acknowledge_token(&self, incident: IncidentId, now: UtcMs) -> String {
        self.0.links.write(incident, now)
    }

    fn links_of(&self, incident: IncidentId, now: UtcMs) -> Links {
        let Some(base) = &self.0.public_url else { return Links::default() };
        Links {
            page: Some(format!("{base}/incidents/{incident}")),
            acknowledge: Some(format!("{base}/acknowledge/{}", self.acknowledge_token(incident, now))),
        }
    }

    fn channel_page(&self, channel: ChannelId) -> Option<String> {
        self.0.public_url.as_ref().map(|base| format!("{base}/channels/{channel}"))
    }

    fn incidents_page(&self) -> Option<String> {
        self.0.public_url.as_ref().map(|base| format!("{base}/incidents"))
    }
}

/// What only time brings to alerts.
async fn look_after(store: &Store) -> Result<(), StoreError> {
    store.right_alerts(clock::now()).await?;
    store.remind(clock::now()).await.map(|_| ())
}

/// Sends what is due until told to stop, then finishes what is in flight.
///
/// # Errors
/// Never by itself: trouble is logged and tried again.
pub async fn run(
    store: Store,
    alerts: Alerts,
    vitals: Vitals,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut sender = Sender::new(store.clone(), alerts);
    let mut remind_at = Instant::now();
    let mut is_failing = false;
    while !*stopping.borrow() {
        let mut done = sender.step(clock::now()).await.map(|_| ());
        if done.is_ok() && Instant::now() >= remind_at {
            remind_at = Instant::now() + REMIND_EVERY;
            done = look_after(&store).await;
        }
        match done {
            Ok(()) => {
                vitals.moved(Part::Alert);
                is_failing = false;
            }
            // Others tell of a database that is away, every few seconds.
            Err(error) if !is_failing => {
                tracing::warn!(%error, "Alerts could not be read; trying again.");
                is_failing = true;
            }
            Err(_) => {}
        }
        tokio::select! {
            () = store.alert_written(), if !is_failing => {}
            () = sender.landed() => {}
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.changed() => {}
        }
    }
    sender.finish().await;
    Ok(())
}
