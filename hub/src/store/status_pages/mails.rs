//! Mail to subscribers: an outbox of its own, since these go to strangers' addresses by the server of a team's channel. What is
//! taken by the server is deleted; what is given up stays to be counted.

use sqlx::FromRow;
use uuid::Uuid;

use crate::model::status_page::{PostUpdate, StatusMailId, SubscriberId};
use crate::model::{AccountId, AfterTry, ChannelId, UtcMs};
use crate::store::row::{narrow, parse};
use crate::store::{Pool, Store, StoreError, asked, write};

/// As of alerts: a try has 15 s.
const LEASE_MS: i64 = 60_000;
/// Of one page at once: a server that hangs must not hold those of others.
const OF_ONE_PAGE: i64 = 4;

/// A mail that this hub is to send now.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimedMail {
    /// Which.
    pub id: StatusMailId,
    /// To whom.
    pub subscriber_id: SubscriberId,
    /// His address.
    pub address: String,
    /// By the server of this channel.
    pub channel: Option<(AccountId, ChannelId)>,
    /// Of the page with this name.
    pub page: String,
    /// Its path, where everybody or who knows its password may see it.
    pub slug: Option<String>,
    /// Its own host.
    pub domain: Option<String>,
    /// Title and update; `None`: it asks whether he wants mail.
    pub update: Option<(String, PostUpdate)>,
    /// Tries before this one.
    pub tries: u32,
    /// When the first of them was.
    pub first_try_at: Option<UtcMs>,
    /// What was sent at the first try.
    pub payload: Option<String>,
    claimed_until: UtcMs,
}

/// Without address and text.
impl std::fmt::Debug for ClaimedMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimedMail").field("id", &self.id).field("tries", &self.tries).finish_non_exhaustive()
    }
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailTried<'a> {
    /// What becomes of it.
    pub after: AfterTry,
    /// The answer.
    pub said: &'a str,
    /// When it was made.
    pub at: UtcMs,
}

#[derive(FromRow)]
struct MailRow {
    status_mail_id: Uuid,
    status_subscriber_id: Uuid,
    account_id: Uuid,
    address: String,
    channel_id: Option<Uuid>,
    name: String,
    slug: String,
    domain: Option<String>,
    access: String,
    title: Option<String>,
    status_update_id: Option<Uuid>,
    at: Option<i64>,
    state: Option<String>,
    said: Option<String>,
    tries: i64,
    first_try_at: Option<i64>,
    payload: Option<String>,
    claimed_until: Option<i64>,
}

impl MailRow {
    fn mail(self) -> Result<ClaimedMail, StoreError> {
        let update = match (self.status_update_id, self.at, self.state, self.said, self.title) {
            (Some(id), Some(at), Some(state), Some(said), Some(title)) => {
                Some((title, PostUpdate { id, at, state: parse(&state)?, said }))
            }
            _ => None,
        };
        Ok(ClaimedMail {
            id: StatusMailId(self.status_mail_id),
            subscriber_id: SubscriberId(self.status_subscriber_id),
            address: self.address,
            channel: self.channel_id.map(|id| (AccountId(self.account_id), ChannelId(id))),
            page: self.name,
            // What a private link ends with is not known here.
            slug: (self.access != "link").then_some(self.slug),
            domain: self.domain,
            update,
            tries: narrow(self.tries)?,
            first_try_at: self.first_try_at,
            payload: self.payload,
            claimed_until: self.claimed_until.unwrap_or_default(),
        })
    }
}

impl Store {
    /// Claims mails that are due, of each page a few, at most `limit`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn claim_mails(&self, now: UtcMs, limit: i64) -> Result<Vec<ClaimedMail>, StoreError> {
        const DUE: &str = "select status_mail_id from (select status_mail_id, due_at, row_number() over \
            (partition by status_page_id order by due_at, status_mail_id) as nth from status_mail where state = 'waiting' \
            and due_at <= $1 and (claimed_until is null or claimed_until <= $1)) due where nth <= $3 \
            order by due_at, status_mail_id limit $4";
        let ids: Vec<Uuid> = match &self.pool {
            // What another hub claimed between our look and our lock does not fit any more, and is left out.
            Pool::Postgres(pools) => {
                let claim = format!(
                    "update status_mail set claimed_until = $2 where status_mail_id in (select status_mail_id from status_mail \
                     where status_mail_id = any(array({DUE})) and state = 'waiting' \
                     and (claimed_until is null or claimed_until <= $1) for update skip locked) returning status_mail_id"
                );
                asked!(self, pools, pool => sqlx::query_scalar(sqlx::AssertSqlSafe(claim))
                    .bind(now).bind(now + LEASE_MS).bind(OF_ONE_PAGE).bind(limit).fetch_all(pool).await?)
            }
            Pool::Sqlite { write, .. } => {
                let claim = format!(
                    "update status_mail set claimed_until = $2 where status_mail_id in ({DUE}) returning status_mail_id"
                );
                sqlx::query_scalar(sqlx::AssertSqlSafe(claim))
                    .bind(now)
                    .bind(now + LEASE_MS)
                    .bind(OF_ONE_PAGE)
                    .bind(limit)
                    .fetch_all(write)
                    .await?
            }
        };
        let mut mails = Vec::new();
        for id in ids {
            let row: Option<MailRow> = write!(self, pool => sqlx::query_as(
                "select m.status_mail_id, m.status_subscriber_id, m.account_id, s.address, p.channel_id, p.name, p.slug, p.domain, \
                 p.access, o.title, u.status_update_id, u.at, u.state, u.said, m.tries, m.first_try_at, m.payload, \
                 m.claimed_until from status_mail m \
                 join status_subscriber s on s.status_subscriber_id = m.status_subscriber_id \
                 join status_page p on p.status_page_id = m.status_page_id \
                 left join status_update u on u.status_update_id = m.status_update_id \
                 left join status_post o on o.status_post_id = u.status_post_id where m.status_mail_id = $1")
                .bind(id).fetch_optional(pool).await?);
            match row.map(MailRow::mail) {
                Some(Ok(mail)) => mails.push(mail),
                // A newer hub wrote it, and will send it.
                Some(Err(error)) => tracing::error!(mail.id = %id, %error, "A mail to a subscriber cannot be read."),
                // Ended meanwhile.
                None => {}
            }
        }
        Ok(mails)
    }

    /// Keeps what is about to be sent, by itself: a crash after this repeats these bytes. Returns what is to be sent; `None`: it
    /// is not to be sent any more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn keep_mail(&self, id: StatusMailId, payload: &str) -> Result<Option<String>, StoreError> {
        let kept: Option<Option<String>> = write!(self, pool => sqlx::query_scalar(
            "update status_mail set payload = coalesce(payload, $2) where status_mail_id = $1 and state = 'waiting' \
             returning payload").bind(id.0).bind(payload).fetch_optional(pool).await?);
        Ok(kept.flatten())
    }

    /// Records a try. One that another hub has taken over since is left to it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn record_mail(&self, mail: &ClaimedMail, tried: MailTried<'_>) -> Result<(), StoreError> {
        let (id, until) = (mail.id.0, mail.claimed_until);
        match tried.after {
            AfterTry::Delivered => {
                write!(self, pool => sqlx::query("delete from status_mail where status_mail_id = $1")
                    .bind(id).execute(pool).await.map(|_| ())?);
            }
            AfterTry::At(due_at) => {
                write!(self, pool => sqlx::query(
                    "update status_mail set due_at = $3, tries = tries + 1, first_try_at = coalesce(first_try_at, $4), \
                     claimed_until = null, said = $5 where status_mail_id = $1 and claimed_until = $2")
                    .bind(id).bind(until).bind(due_at).bind(tried.at).bind(tried.said).execute(pool).await.map(|_| ())?);
            }
            AfterTry::Dead => {
                write!(self, pool => sqlx::query(
                    "update status_mail set state = 'dead', tries = tries + 1, claimed_until = null, payload = null, said = $3 \
                     where status_mail_id = $1 and claimed_until = $2")
                    .bind(id).bind(until).bind(tried.said).execute(pool).await.map(|_| ())?);
            }
        }
        Ok(())
    }
}
