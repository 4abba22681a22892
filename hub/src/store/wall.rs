//! The second wall between accounts (D24), on Postgres: while a page or the API is at work for one account, its statements go
//! through connections of a role that row-level security binds to that account. A statement that forgets to ask whose a row is
//! finds nothing that is another's.
//!
//! All else (schedule, ingest, alerts, history, whoever signs in) goes over all accounts, as the owner of the tables, whom the
//! policies of migration 0028 do not bind; so do hubs of older versions. Which account it is, is told with every connection that
//! is taken, in the place of the question whether it is alive: the wall costs no way to the database more.

use std::cell::Cell;

use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::{PgConnection, Row as _};

use super::{Pool, Store, StoreError, asked, pools};
use crate::model::AccountId;

/// The role; `betteruptime.account` is the setting the policies compare with.
const ROLE: &str = "betteruptime_web";
/// Connections: requests are sixteen at once at most, and are seldom all at the database.
const MOST: u32 = 12;

thread_local! {
    /// A request has its thread to itself, and waits there for what it asks.
    static BEHIND: Cell<Option<AccountId>> = const { Cell::new(None) };
}

/// Does work for one account: what this thread asks of a store meanwhile sees that account's rows alone, where the database has
/// the wall. Work that is given to other threads is not behind it.
pub fn behind<T>(account: AccountId, work: impl FnOnce() -> T) -> T {
    struct Before(Option<AccountId>);
    impl Drop for Before {
        fn drop(&mut self) {
            BEHIND.set(self.0);
        }
    }
    let _before = Before(BEHIND.replace(Some(account)));
    work()
}

/// For whom this thread is at work, when it is for one.
pub(super) fn account() -> Option<AccountId> {
    BEHIND.get()
}

/// A pool's settings with what tells each connection for whom it is taken. Where that is nobody, it sees nothing.
pub(super) fn settings(settings: PgPoolOptions) -> PgPoolOptions {
    settings
        .max_connections(MOST)
        .test_before_acquire(false) // this is the test
        .after_connect(|connection, _| Box::pin(tell(connection, account())))
        .before_acquire(|connection, _| {
            let account = account();
            Box::pin(async move { tell(connection, account).await.map(|()| true) })
        })
}

async fn tell(connection: &mut PgConnection, account: Option<AccountId>) -> Result<(), sqlx::Error> {
    let account = account.map(|id| id.to_string()).unwrap_or_default();
    sqlx::query("select set_config('betteruptime.account', $1, false)").bind(account).execute(connection).await?;
    Ok(())
}

/// Makes the role and gives it the tables, as far as this user may; where he may not, somebody who may does it once
/// (docs/OPERATIONS.md). From Postgres 16 on whoever made a role is a member of it that may not become it, until he says
/// so.
pub(super) async fn build(connection: &mut PgConnection) {
    // One at a time: a second hub that does the same at once would be refused.
    let made = sqlx::raw_sql(
        "do $$ begin \
            perform pg_advisory_xact_lock(5068140223961201); \
            if not exists (select from pg_roles where rolname = 'betteruptime_web') then \
                begin create role betteruptime_web nologin; \
                exception when insufficient_privilege or duplicate_object or unique_violation then null; end; \
            end if; \
            if exists (select from pg_roles where rolname = 'betteruptime_web') then \
                if not pg_has_role(current_user, 'betteruptime_web', \
                    case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end) then \
                    begin execute format('grant betteruptime_web to %I', current_user); \
                    exception when insufficient_privilege then null; end; \
                end if; \
                execute format('grant usage on schema %I to betteruptime_web', current_schema()); \
                execute format('grant select, insert, update, delete on all tables in schema %I to betteruptime_web', \
                    current_schema()); \
                execute format('revoke all on %I._sqlx_migrations from betteruptime_web', current_schema()); \
            end if; \
        end $$",
    )
    .execute(connection)
    .await;
    if let Err(error) = made {
        tracing::warn!(%error, "The role betteruptime_web could not be given its tables.");
    }
}

impl Store {
    /// Has what is asked behind the wall go through it from now on; false: this database has none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn raise_wall(&self) -> Result<bool, StoreError> {
        let Pool::Postgres(pools) = &self.pool else { return Ok(false) };
        // All tables, also those that were new with this version: else what is asked of one would be refused.
        let stands: bool = asked!(self, pools, pool => sqlx::query_scalar(
            "select exists (select from pg_roles r where rolname = $1 and not rolsuper and not rolbypassrls \
                and pg_has_role(current_user, r.oid, \
                    case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end)) \
             and coalesce((select relrowsecurity from pg_class where oid = to_regclass('website')), false) \
             and not exists (select from pg_class c join pg_class w using (relnamespace) \
                where w.oid = to_regclass('website') and c.relkind in ('r', 'p') and not c.relispartition \
                and c.relname <> '_sqlx_migrations' \
                and not (has_table_privilege($1, c.oid, 'select') and has_table_privilege($1, c.oid, 'delete')))")
            .bind(ROLE).fetch_one(pool).await.or_else(unless_missing)?);
        if !stands {
            return Ok(false);
        }
        let options = pools.get().connect_options().as_ref().clone().options([("role", ROLE)]);
        let walled = settings(pools::settings()).connect_lazy_with(options);
        // A pooler in between may drop what a connection is to begin with.
        match sqlx::query("select current_user::text").fetch_one(&walled).await {
            Ok(row) if is(&row, ROLE) => {
                pools.wall_in(walled);
                return Ok(true);
            }
            // Or it, or the server, refuses such a connection: all the others work.
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error.into()),
        }
        walled.close().await;
        Ok(false)
    }
}

fn is(row: &PgRow, role: &str) -> bool {
    row.try_get::<String, _>(0).is_ok_and(|user| user == role)
}

/// `has_table_privilege` of a role that is not there is an error.
fn unless_missing(error: sqlx::Error) -> Result<bool, sqlx::Error> {
    match error.as_database_error().and_then(|e| e.code()).as_deref() {
        Some("42704") => Ok(false), // undefined_object
        Some(_) | None => Err(error),
    }
}
