//! Mail to subscribers of status pages: what its outbox holds is sent by the server of the page's channel, tried again as alerts
//! are, or given up. Each is to one address, and says how to have no more of them (RFC 8058).

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::Mailbox;
use lettre::message::header::{HeaderName, HeaderValue};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Alerts, Answered, mail};
use crate::clock;
use crate::model::alert_retry::{Answer, after_try};
use crate::model::message::words;
use crate::model::status_page::{StatusPageId, SubscriberId};
use crate::model::{ChannelSettings, UtcMs};
use crate::store::{ClaimedMail, MailTried, Store, StoreError};

/// Between two looks; whoever publishes waits so long for the first mail to leave.
const EVERY: Duration = Duration::from_secs(1);
/// Mails in flight at once, of a hub.
const FLYING: i64 = 16;
/// Looks between two that forget who never answered.
const TIDY_EVERY: u32 = 600;
/// Characters of a subject.
const SUBJECT: usize = 150;

/// Sends what is due until told to stop, then finishes what is in flight.
///
/// # Errors
/// Never by itself: trouble is logged and tried again.
pub async fn run(store: Store, alerts: Alerts, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut turn = 0_u32;
    while !*stopping.borrow() {
        let sent = match step(&store, &alerts, clock::now()).await {
            Ok(sent) => sent,
            // Others tell of a database that is away, every few seconds.
            Err(error) => {
                tracing::debug!(%error, "Mail to subscribers could not be read.");
                0
            }
        };
        if turn.is_multiple_of(TIDY_EVERY)
            && let Err(error) = store.tidy_subscribers(clock::now()).await
        {
            tracing::debug!(%error, "Subscribers who never answered could not be forgotten.");
        }
        turn = turn.wrapping_add(1);
        if sent == 0 {
            let _ = tokio::time::timeout(EVERY, stopping.changed()).await;
        }
    }
    Ok(())
}

/// Sends what is due at `now`, and waits for all of it. Returns how many were tried.
///
/// # Errors
/// The database is away.
pub async fn step(store: &Store, alerts: &Alerts, now: UtcMs) -> Result<usize, StoreError> {
    let claimed = store.claim_mails(now, FLYING).await?;
    let count = claimed.len();
    let mut flying = JoinSet::new();
    for one in claimed {
        let (store, alerts) = (store.clone(), alerts.clone());
        flying.spawn(async move {
            if let Err(error) = fly(&store, &alerts, &one, now).await {
                // Its lease ends by itself, and then it is sent again, as the same.
                tracing::warn!(mail.id = %one.id, %error, "A mail to a subscriber could not be recorded.");
            }
        });
    }
    while flying.join_next().await.is_some() {}
    Ok(count)
}

async fn fly(store: &Store, alerts: &Alerts, one: &ClaimedMail, now: UtcMs) -> Result<(), StoreError> {
    let settings = match one.channel {
        Some((account, channel)) => store.channel(account, channel).await?.filter(|channel| channel.is_on),
        None => None,
    };
    let answered = match settings.map(|channel| channel.settings) {
        Some(settings @ ChannelSettings::Email { .. }) => send(store, alerts, one, settings, now).await?,
        // Somebody may switch it on again within a day.
        Some(_) | None => Some(Answered {
            answer: Answer::Later { after_ms: None },
            said: "The page has no mail channel that is on.".to_owned(),
        }),
    };
    let Some(Answered { answer, said }) = answered else { return Ok(()) };
    let chance = f64::from(one.id.0.as_bytes()[15]) / 255.0;
    let after = after_try(one.tries, one.first_try_at.unwrap_or(now), answer, now, chance);
    store.record_mail(one, MailTried { after, said: &said, at: now }).await
}

/// `None`: it is not to be sent any more.
async fn send(
    store: &Store,
    alerts: &Alerts,
    one: &ClaimedMail,
    settings: ChannelSettings,
    now: UtcMs,
) -> Result<Option<Answered>, StoreError> {
    let refused = |said: String| Ok(Some(Answered { answer: Answer::Refused, said }));
    let ChannelSettings::Email { server, port, security, username, password, from, .. } = settings else {
        return refused("The channel is no mail channel.".to_owned());
    };
    let payload = match &one.payload {
        Some(payload) => payload.clone(),
        None => match alerts.compose_for_subscriber(one, &from, now) {
            Ok(payload) => payload,
            Err(said) => return refused(said),
        },
    };
    let Some(payload) = store.keep_mail(one.id, &payload).await? else { return Ok(None) };
    let to = vec![one.address.clone()];
    let settings = ChannelSettings::Email { server, port, security, username, password, from, to };
    Ok(Some(mail::send(&alerts.0.client, &alerts.0.head, &settings, &payload).await))
}

impl Alerts {
    /// The mail. All that is in it was published, or is about the mail itself.
    fn compose_for_subscriber(&self, one: &ClaimedMail, from: &str, now: UtcMs) -> Result<String, String> {
        let Some(base) = &self.0.public_url else {
            return Err("PUBLIC_URL is not set, so that mails can have no links.".to_owned());
        };
        let address = |text: &str| text.parse::<Mailbox>().map_err(|_| "A mail address is none.".to_owned());
        let leave = format!("{base}/subscription/end/{}", self.0.pages.leave(one.subscriber_id));
        let page = match (&one.domain, &one.slug) {
            (Some(domain), Some(_)) => {
                let scheme = base.split_once("://").map_or("https", |(scheme, _)| scheme);
                format!("{scheme}://{domain}/")
            }
            (None, Some(slug)) => format!("{base}/s/{slug}"),
            (_, None) => String::new(),
        };
        let (subject, text) = match &one.update {
            Some((title, update)) => (
                format!("[{}] {}: {title}", one.page, update.state.words()),
                format!(
                    "{title}\n\n{}: {}\n\n{}{page}\n\n-- \nYou get this since you subscribed to {}.\nNo more of them: {leave}\n",
                    update.state.words(),
                    update.said,
                    if page.is_empty() { "" } else { "The page: " },
                    one.page
                ),
            ),
            None => {
                let confirm = format!("{base}/subscription/confirm/{}", self.0.pages.confirm(one.subscriber_id, now));
                (
                    format!("Confirm that you want mail of {}", one.page),
                    format!(
                        "Somebody, most likely you, asked for mail about {} to this address.\n\nIf you want it, follow this \
                         link within two days and press the button there:\n{confirm}\n\nIf not, do nothing: you get no \
                         further mail.\n",
                        one.page
                    ),
                )
            }
        };
        let header = |name: &'static str, value: String| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
        let mut builder = lettre::Message::builder()
            .from(address(from)?)
            .to(address(&one.address)?)
            .subject(words::line(&subject, SUBJECT))
            .message_id(Some(format!("<{}@{}>", one.id, self.0.head.domain)))
            .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(now).unwrap_or(0)))
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned()));
        if one.update.is_some() {
            builder = builder
                .raw_header(header("List-Unsubscribe", format!("<{leave}>")))
                .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        let mail = builder
            .header(lettre::message::header::ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| format!("The mail cannot be made: {error}"))?;
        String::from_utf8(mail.formatted()).map_err(|_| "The mail cannot be made.".to_owned())
    }

    /// Whether mails can have links, without which nobody could answer them.
    #[must_use]
    pub fn has_links(&self) -> bool {
        self.0.public_url.is_some()
    }

    /// Whose subscription a link of a mail confirms, if it is ours and not too old.
    #[must_use]
    pub fn confirms(&self, token: &str, now: UtcMs) -> Option<SubscriberId> {
        self.0.pages.confirms(token, now)
    }

    /// Whose subscription a link of a mail ends.
    #[must_use]
    pub fn leaves(&self, token: &str, now: UtcMs) -> Option<SubscriberId> {
        self.0.pages.leaves(token, now)
    }

    /// What the cookie of somebody holds who knew a page's password, and for how many seconds.
    #[must_use]
    pub fn page_cookie(&self, page: StatusPageId, hash: &str, now: UtcMs) -> (String, i64) {
        (self.0.pages.open(page, hash, now), super::page_key::OPEN_MS / 1_000)
    }

    /// Whether a cookie opens a page whose password has this hash.
    #[must_use]
    pub fn opens_page(&self, cookie: &str, page: StatusPageId, hash: &str, now: UtcMs) -> bool {
        self.0.pages.opens(cookie, page, hash, now)
    }
}
