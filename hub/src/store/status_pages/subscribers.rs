//! Who is told of a page by mail. Whoever asks for it is told the same, whatever is known of the address.

use uuid::Uuid;

use crate::model::UtcMs;
use crate::model::status_page::{MOST_SUBSCRIBERS, StatusPageId, SubscriberId};
use crate::store::{Store, StoreError, read, write};

/// An address is asked so often at most whether it wants it.
const ASKED_EVERY_MS: i64 = 3_600_000;
/// Addresses of one page that were asked within an hour, at most.
const ASKED_PER_HOUR: i64 = 200;
/// An address is asked by so many pages within an hour, at most: nobody's box is filled by way of us.
const OF_ADDRESS_PER_HOUR: i64 = 5;
/// Whoever has not answered for so long is forgotten.
const UNANSWERED_MS: i64 = 2 * 86_400_000;

/// What came of asking; never told to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A mail is on its way.
    Yes,
    /// Nothing is to be done: he is told already, was asked a moment ago, or there are too many.
    Nothing,
}

/// A subscription, for whoever follows a link of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The page's name.
    pub page: String,
    /// To whom.
    pub address: String,
    /// It was confirmed.
    pub is_confirmed: bool,
}

impl Store {
    /// Notes that an address is to be asked whether it wants mail of a page, and puts that mail into the outbox.
    ///
    /// # Errors
    /// The database is away.
    pub async fn ask_subscription(&self, page: StatusPageId, address: &str, now: UtcMs) -> Result<Asked, StoreError> {
        let (id, key) = (Uuid::now_v7(), address.to_lowercase());
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            // One at a time on each page, so that limits hold.
            let account: Option<Uuid> = sqlx::query_scalar(
                "update status_page set slug = slug where status_page_id = $1 and channel_id is not null returning account_id")
                .bind(page.0).fetch_optional(&mut *tx).await?;
            let Some(account) = account else {
                tx.rollback().await?;
                break 'done Asked::Nothing;
            };
            let asked: Option<Uuid> = sqlx::query_scalar(
                "insert into status_subscriber (status_subscriber_id, account_id, status_page_id, address, address_key, asked_at) \
                 select $1, $2, $3, $4, $5, $6 \
                 where (select count(*) from status_subscriber where status_page_id = $3) < $7 \
                 and (select count(*) from status_subscriber where status_page_id = $3 and asked_at > $8) < $9 \
                 and (select count(*) from status_subscriber where confirmed_at is null and address_key = $5 and asked_at > $8) < $10 \
                 on conflict (status_page_id, address_key) do update set asked_at = excluded.asked_at \
                 where status_subscriber.confirmed_at is null and status_subscriber.asked_at <= $8 \
                 returning status_subscriber_id")
                .bind(id).bind(account).bind(page.0).bind(address).bind(&key).bind(now).bind(MOST_SUBSCRIBERS)
                .bind(now - ASKED_EVERY_MS).bind(ASKED_PER_HOUR).bind(OF_ADDRESS_PER_HOUR)
                .fetch_optional(&mut *tx).await?;
            let Some(subscriber) = asked else {
                tx.rollback().await?;
                break 'done Asked::Nothing;
            };
            sqlx::query("insert into status_mail (status_mail_id, account_id, status_page_id, status_subscriber_id, state, \
                created_at, due_at) values ($1, $2, $3, $4, 'waiting', $5, $5)")
                .bind(Uuid::now_v7()).bind(account).bind(page.0).bind(subscriber).bind(now).execute(&mut *tx).await?;
            tx.commit().await?;
            Asked::Yes
        }))
    }

    /// What a link of a mail is about; `None`: it was ended, or its page is gone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn subscription(&self, id: SubscriberId) -> Result<Option<Subscription>, StoreError> {
        let row: Option<(String, String, bool)> = read!(self, pool => sqlx::query_as(
            "select p.name, s.address, s.confirmed_at is not null from status_subscriber s \
             join status_page p on p.status_page_id = s.status_page_id where s.status_subscriber_id = $1")
            .bind(id.0).fetch_optional(pool).await?);
        Ok(row.map(|(page, address, is_confirmed)| Subscription { page, address, is_confirmed }))
    }

    /// Whoever has this address wants mail. Twice is harmless. `false`: there is no such subscription (any more).
    ///
    /// # Errors
    /// The database is away.
    pub async fn confirm_subscription(&self, id: SubscriberId, now: UtcMs) -> Result<bool, StoreError> {
        Ok(write!(self, pool => sqlx::query(
            "update status_subscriber set confirmed_at = coalesce(confirmed_at, $2) where status_subscriber_id = $1")
            .bind(id.0).bind(now).execute(pool).await?.rows_affected())
            == 1)
    }

    /// Ends a subscription; mail that waits is not sent. Twice is harmless.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_subscription(&self, id: SubscriberId) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("delete from status_subscriber where status_subscriber_id = $1")
            .bind(id.0).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Forgets who never answered, and mails that were given up long ago.
    ///
    /// # Errors
    /// The database is away.
    pub async fn tidy_subscribers(&self, now: UtcMs) -> Result<u64, StoreError> {
        let unanswered = write!(self, pool => sqlx::query(
            "delete from status_subscriber where confirmed_at is null and asked_at < $1")
            .bind(now - UNANSWERED_MS).execute(pool).await?.rows_affected());
        let dead = write!(self, pool => sqlx::query("delete from status_mail where state = 'dead' and created_at < $1")
            .bind(now - 14 * UNANSWERED_MS).execute(pool).await?.rows_affected());
        Ok(unanswered + dead)
    }
}
