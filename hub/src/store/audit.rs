//! The log of who changed what: written after each change, read by owners, forgotten when it is old.

use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::api_key::ApiKeyId;
use crate::model::audit::{AuditCursor, AuditFilter, AuditLine, Deed, KEPT_MS, counting_id};
use crate::model::{AccountId, UtcMs};
use crate::new_id;

/// Lines of an hour that count what is no team's.
const NOBODYS: u8 = 16;
/// Lines that one call forgets.
const AT_ONCE: i64 = 5_000;

#[derive(FromRow)]
struct AuditRow {
    audit_id: Uuid,
    account_id: Option<Uuid>,
    at: i64,
    person_id: Option<Uuid>,
    person: String,
    api_key_id: Option<Uuid>,
    key_name: String,
    address: String,
    route: String,
    action: String,
    kind: String,
    object_id: String,
    object: String,
    changes: String,
    times: i64,
}

impl From<AuditRow> for AuditLine {
    fn from(row: AuditRow) -> Self {
        let deed = Deed {
            account: row.account_id.map(AccountId),
            person_id: row.person_id.map(AccountId),
            person: row.person,
            api_key_id: row.api_key_id.map(ApiKeyId),
            key_name: row.key_name,
            address: row.address,
            route: row.route,
            action: row.action,
            kind: row.kind,
            object_id: row.object_id,
            object: row.object,
            // What somebody edited takes nothing from the rest of the line.
            changes: serde_json::from_str(&row.changes).unwrap_or_default(),
        };
        Self { audit_id: row.audit_id, at: row.at, deed, times: row.times }
    }
}

impl Store {
    /// Writes a line. Of a team that is gone by now or about to go, such as one that was just deleted, the line is the
    /// installation's: it would go with the team.
    ///
    /// # Errors
    /// The database is away.
    pub async fn write_audit(&self, deed: Deed, now: UtcMs) -> Result<(), StoreError> {
        self.write_line(new_id::ordered(), deed, now).await
    }

    /// Counts what would else be many lines: one line an hour for each team and each word of what was done; of what is no team's
    /// some lines.
    ///
    /// # Errors
    /// The database is away.
    pub async fn count_audit(&self, deed: Deed, now: UtcMs) -> Result<(), StoreError> {
        // In one row whoever asks for many names at once would wait for himself, but not where there is such a name: the time
        // would tell (T129).
        let part = if deed.account.is_none() { Uuid::new_v4().as_bytes()[0] % NOBODYS } else { 0 };
        self.write_line(counting_id(deed.account, &deed.action, now, part), deed, now).await
    }

    async fn write_line(&self, id: Uuid, deed: Deed, now: UtcMs) -> Result<(), StoreError> {
        let deed = deed.bounded();
        let changes = serde_json::to_string(&deed.changes).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        write!(self, pool => sqlx::query("insert into audit \
                (audit_id, account_id, at, person_id, person, api_key_id, key_name, address, route, action, kind, \
                object_id, object, changes) \
                values ($1, (select account_id from account where account_id = $2 and ending_at is null), $3, $4, $5, \
                $6, $7, $8, $9, $10, $11, $12, $13, $14) on conflict (audit_id) do update set times = audit.times + 1, \
                at = excluded.at, address = excluded.address")
            .bind(id).bind(deed.account.map(|id| id.0)).bind(now).bind(deed.person_id.map(|id| id.0)).bind(&deed.person)
            .bind(deed.api_key_id.map(|id| id.0)).bind(&deed.key_name).bind(&deed.address).bind(&deed.route)
            .bind(&deed.action).bind(&deed.kind).bind(&deed.object_id).bind(&deed.object).bind(&changes)
            .execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Lines about a team, or about the installation where none is given, that fit, newest first, after `after`; at most
    /// 1,000.
    ///
    /// # Errors
    /// The database is away.
    pub async fn audit(
        &self,
        account: Option<AccountId>,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: i64,
    ) -> Result<Vec<AuditLine>, StoreError> {
        let after = after.unwrap_or(AuditCursor { at: i64::MAX, id: Uuid::max() });
        // A statement for each way to look, so that each goes by its index.
        let whose =
            if account.is_some() { "account_id = $1" } else { "account_id is null and cast($1 as text) is null" };
        let part = |given: bool, column: &str, place: &str| {
            if given { format!("and {column} = {place}") } else { format!("and cast({place} as text) is null") }
        };
        let (kind, person) = (part(filter.kind.is_some(), "kind", "$4"), part(filter.person.is_some(), "person", "$5"));
        let object = if filter.object_id.is_some() {
            "and object_id = $6 and object_id <> ''"
        } else {
            "and cast($6 as text) is null"
        };
        let select = format!(
            "select audit_id, account_id, at, person_id, person, api_key_id, key_name, address, route, action, kind, \
             object_id, object, changes, times from audit where {whose} and (at, audit_id) < ($2, $3) {kind} {person} \
             {object} order by at desc, audit_id desc limit $7"
        );
        // The pool for writes: what its reader has just done must be seen.
        let rows: Vec<AuditRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.map(|id| id.0)).bind(after.at).bind(after.id).bind(filter.kind.as_deref())
            .bind(filter.person.as_deref()).bind(filter.object_id.as_deref()).bind(limit.clamp(1, 1_000))
            .fetch_all(pool).await?);
        Ok(rows.into_iter().map(AuditLine::from).collect())
    }

    /// Forgets lines older than [`KEPT_MS`], some thousands at most. Returns how many.
    ///
    /// # Errors
    /// The database is away.
    pub async fn trim_audit(&self, now: UtcMs) -> Result<u64, StoreError> {
        let old: Vec<Uuid> = read!(self, pool => sqlx::query_scalar(
                "select audit_id from audit where at < $1 order by at limit $2")
            .bind(now - KEPT_MS).bind(AT_ONCE).fetch_all(pool).await?);
        if old.is_empty() {
            return Ok(0);
        }
        Ok(write!(self, pool => sqlx::query("delete from audit where audit_id in \
                (select audit_id from audit where at < $1 order by at limit $2)")
            .bind(now - KEPT_MS).bind(AT_ONCE).execute(pool).await?.rows_affected()))
    }
}
