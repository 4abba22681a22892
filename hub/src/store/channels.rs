//! Channels, each seen by its owner only. Their settings hold secrets, which the hub has to send: they are in the
//! database as they are, and in no `Debug`.

use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::{AccountId, Channel, ChannelDraft, ChannelId, ChannelSettings, SecretText, UtcMs};
use crate::new_id;

pub(super) const CHANNEL: &str = "channel_id, account_id, name, kind, settings, is_on, tells_regional, tells_operator, waits_ms, reminds_ms, \
    cap_per_hour, second_channel_id, created_at, revision, failing_since_at, broken_at, broken_reason";

#[derive(FromRow)]
pub(super) struct ChannelRow {
    channel_id: Uuid,
    account_id: Uuid,
    name: String,
    kind: String,
    settings: String,
    is_on: bool,
    tells_regional: bool,
    tells_operator: bool,
    waits_ms: i64,
    reminds_ms: Option<i64>,
    cap_per_hour: i64,
    second_channel_id: Option<Uuid>,
    created_at: i64,
    revision: i64,
    failing_since_at: Option<i64>,
    broken_at: Option<i64>,
    broken_reason: Option<String>,
}

impl From<ChannelRow> for Channel {
    fn from(row: ChannelRow) -> Self {
        // What is wrong is not said, for the words of the error may repeat a secret.
        let settings: Option<ChannelSettings> = serde_json::from_str(&row.settings).ok();
        Self {
            channel_id: ChannelId(row.channel_id),
            account_id: AccountId(row.account_id),
            name: row.name,
            unreadable: settings.is_none().then_some(row.kind),
            settings: settings.unwrap_or(ChannelSettings::Alertmanager { url: SecretText::default() }),
            is_on: row.is_on,
            tells_regional: row.tells_regional,
            tells_operator: row.tells_operator,
            waits_ms: row.waits_ms,
            reminds_ms: row.reminds_ms,
            cap_per_hour: row.cap_per_hour,
            second_channel_id: row.second_channel_id.map(ChannelId),
            created_at: row.created_at,
            revision: row.revision,
            failing_since_at: row.failing_since_at,
            broken: row.broken_at.map(|at| (at, row.broken_reason.unwrap_or_default())),
        }
    }
}

/// What became of an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelEdited {
    /// It holds; the channel as it is now.
    Saved(Channel),
    /// Nothing was changed, since somebody else changed it first; the channel as it is now.
    Meanwhile(Channel),
}

/// Rows of a channel that wait for nothing any more end visibly, in a transaction (T274).
macro_rules! cancel_waiting {
    ($tx:ident, $channel:expr, $now:expr, $said:expr) => {
        sqlx::query(
            "update alert set state = 'cancelled', ended_at = $2, claimed_until = null, said = $3 \
             where channel_id = $1 and state = 'waiting'",
        )
        .bind($channel.0)
        .bind($now)
        .bind($said)
        .execute(&mut *$tx)
        .await?
    };
}

/// Adds a channel inside a transaction, unless there are as many as there may be or one of this id; 1 when it was added.
macro_rules! insert_channel {
    ($tx:ident, $account:expr, $id:expr, $draft:expr, $settings:expr, $now:expr) => {
        sqlx::query(
            "insert into channel (channel_id, account_id, name, kind, settings, tells_regional, waits_ms, \
             reminds_ms, cap_per_hour, second_channel_id, created_at, tells_operator) \
             select $1, $2, $3, $4, $5, $6, $7, $8, $9, \
             (select channel_id from channel where account_id = $2 and channel_id = $10), $11, $13 \
             where (select count(*) from channel where account_id = $2) < $12 on conflict (channel_id) do nothing",
        )
        .bind($id.0)
        .bind($account.0)
        .bind(&$draft.name)
        .bind($draft.settings.kind().as_str())
        .bind($settings)
        .bind($draft.tells_regional)
        .bind($draft.waits_ms)
        .bind($draft.reminds_ms)
        .bind($draft.cap_per_hour)
        .bind($draft.second_channel_id.map(|second| second.0))
        .bind($now)
        .bind($crate::model::MAX_CHANNELS)
        .bind($draft.tells_operator)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    };
}

/// Changes a channel as it was at a revision; 1 when it was.
macro_rules! update_channel {
    ($on:expr, $account:expr, $id:expr, $revision:expr, $draft:expr, $settings:expr) => {
        sqlx::query(
            "update channel set name = $4, kind = $5, settings = $6, tells_regional = $7, waits_ms = $8, \
             reminds_ms = $9, cap_per_hour = $10, tells_operator = $12, failing_since_at = null, revision = revision + 1, \
             second_channel_id = (select s.channel_id from channel s where s.account_id = $1 and s.channel_id = $11 \
             and s.channel_id <> $2) where account_id = $1 and channel_id = $2 and revision = $3",
        )
        .bind($account.0)
        .bind($id.0)
        .bind($revision)
        .bind(&$draft.name)
        .bind($draft.settings.kind().as_str())
        .bind($settings)
        .bind($draft.tells_regional)
        .bind($draft.waits_ms)
        .bind($draft.reminds_ms)
        .bind($draft.cap_per_hour)
        .bind($draft.second_channel_id.map(|second| second.0))
        .bind($draft.tells_operator)
        .execute($on)
        .await?
        .rows_affected()
    };
}

/// Switches a channel on or off inside a transaction; 1 when it was otherwise, or broken.
macro_rules! turn_channel {
    ($tx:ident, $account:expr, $id:expr, $is_on:expr) => {
        sqlx::query(
            "update channel set is_on = $3, broken_at = null, broken_reason = null, failing_since_at = null, \
             revision = revision + 1 where account_id = $1 and channel_id = $2 \
             and (is_on <> $3 or broken_at is not null)",
        )
        .bind($account.0)
        .bind($id.0)
        .bind($is_on)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
    };
}

/// Deletes a channel inside a transaction; 1 when it was there.
macro_rules! remove_channel {
    ($tx:ident, $account:expr, $id:expr) => {
        sqlx::query("delete from channel where account_id = $1 and channel_id = $2")
            .bind($account.0)
            .bind($id.0)
            .execute(&mut *$tx)
            .await?
            .rows_affected()
    };
}

pub(super) use {cancel_waiting, insert_channel, remove_channel, turn_channel, update_channel};

impl Store {
    /// All of the account's channels, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn channels(&self, account: AccountId) -> Result<Vec<Channel>, StoreError> {
        let select = format!("select {CHANNEL} from channel where account_id = $1 order by created_at, channel_id");
        // The pool for writes: what was just given up must be seen.
        let rows: Vec<ChannelRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).fetch_all(pool).await?);
        Ok(rows.into_iter().map(Channel::from).collect())
    }

    /// Whether anybody would be told: one of the account's channels is on.
    ///
    /// # Errors
    /// The database is away.
    pub async fn has_channel_on(&self, account: AccountId) -> Result<bool, StoreError> {
        Ok(read!(self, pool => sqlx::query_scalar(
            "select exists (select 1 from channel where account_id = $1 and is_on)")
            .bind(account.0).fetch_one(pool).await?))
    }

    /// One of the account's channels.
    ///
    /// # Errors
    /// The database is away.
    pub async fn channel(&self, account: AccountId, id: ChannelId) -> Result<Option<Channel>, StoreError> {
        let select = format!("select {CHANNEL} from channel where account_id = $1 and channel_id = $2");
        let row: Option<ChannelRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(id.0).fetch_optional(pool).await?);
        Ok(row.map(Channel::from))
    }

    /// Adds a channel, switched on. `None`: the account has [`crate::model::MAX_CHANNELS`]. A second channel that is none of the
    /// account's is left out.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_channel(
        &self,
        account: AccountId,
        draft: &ChannelDraft,
        now: UtcMs,
    ) -> Result<Option<Channel>, StoreError> {
        self.add_channel_as(ChannelId(new_id::ordered()), account, draft, now).await
    }

    /// The same, with this id. Where the account has it, it stays as it is, and is returned.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_channel_as(
        &self,
        id: ChannelId,
        account: AccountId,
        draft: &ChannelDraft,
        now: UtcMs,
    ) -> Result<Option<Channel>, StoreError> {
        let settings = settings_text(&draft.settings)?;
        write!(self, pool => {
            let mut tx = pool.begin().await?;
            // Two that add at once take turns here, so that the limit holds (T120).
            sqlx::query("update account set username = username where account_id = $1")
                .bind(account.0).execute(&mut *tx).await?;
            insert_channel!(tx, account, id, draft, &settings, now);
            tx.commit().await?;
        });
        self.channel(account, id).await
    }

    /// Changes a channel as it was at `revision`, and no other. Whether it is on stays as it is; what failed under the
    /// old settings is forgotten. `None`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn edit_channel(
        &self,
        account: AccountId,
        id: ChannelId,
        revision: i64,
        draft: &ChannelDraft,
    ) -> Result<Option<ChannelEdited>, StoreError> {
        let settings = settings_text(&draft.settings)?;
        let changed = write!(self, pool => update_channel!(pool, account, id, revision, draft, &settings));
        let found = self.channel(account, id).await?;
        Ok(found.map(|c| if changed == 1 { ChannelEdited::Saved(c) } else { ChannelEdited::Meanwhile(c) }))
    }

    /// Switches it on or off. On again, it is no longer broken; off, what waits to be sent ends cancelled. `None`: not
    /// yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn switch_channel(
        &self,
        account: AccountId,
        id: ChannelId,
        is_on: bool,
        now: UtcMs,
    ) -> Result<Option<Channel>, StoreError> {
        write!(self, pool => {
            let mut tx = pool.begin().await?;
            let changed = turn_channel!(tx, account, id, is_on);
            if changed == 1 && !is_on {
                cancel_waiting!(tx, id, now, "The channel was switched off.");
            }
            tx.commit().await?;
        });
        self.channel(account, id).await
    }

    /// Deletes it; what waits to be sent ends cancelled (T274), and what was sent stays to be seen with its incidents.
    /// `false`: not yours.
    ///
    /// # Errors
    /// The database is away.
    pub async fn delete_channel(&self, account: AccountId, id: ChannelId, now: UtcMs) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut tx = pool.begin().await?;
            let gone = remove_channel!(tx, account, id);
            if gone == 1 {
                cancel_waiting!(tx, id, now, "The channel was deleted.");
            }
            tx.commit().await?;
            gone == 1
        }))
    }
}

pub(super) fn settings_text(settings: &ChannelSettings) -> Result<String, StoreError> {
    serde_json::to_string(settings).map_err(|_| StoreError::Corrupt("settings that cannot be written".to_owned()))
}
