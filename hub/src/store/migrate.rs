//! Bringing the schema up to date, and not using one that is not for this version.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migration, Migrator};
use sqlx::{PgConnection, SqlitePool};

use super::{Pool, Store, StoreError, asked};
use crate::clock;
use crate::model::upgrade::{Applied, Known, Misfit, fits};

static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| beside_newer(sqlx::migrate!("../migrations/postgres")));
static SQLITE: LazyLock<Migrator> = LazyLock::new(|| beside_newer(sqlx::migrate!("../migrations/sqlite")));

/// Tries of a migration whose table others use, a second apart.
const MIGRATION_TRIES: u32 = 30;

/// Newer ones than ours are no reason to stop: whether they are is asked before ([`fits`]).
fn beside_newer(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

fn migrator(is_sqlite: bool) -> &'static Migrator {
    if is_sqlite { &SQLITE } else { &POSTGRES }
}

/// The newest migration of this version.
pub(super) fn newest_schema(is_sqlite: bool) -> i64 {
    migrator(is_sqlite).iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// What a database says of its schema.
#[derive(Debug, Default)]
pub(super) struct Seen {
    applied: Vec<Applied>,
    /// Who may use it has to know this migration.
    oldest: Option<i64>,
}

impl Seen {
    /// The newest migration that came to its end.
    pub(super) fn newest(&self) -> Option<i64> {
        self.applied.iter().filter(|migration| migration.is_done).map(|migration| migration.version).max()
    }

    /// Why this version cannot use it.
    pub(super) fn misfit(&self, is_sqlite: bool) -> Option<Misfit> {
        let known: Vec<Known<'_>> = migrator(is_sqlite)
            .iter()
            .map(|migration| Known { version: migration.version, checksum: &migration.checksum })
            .collect();
        fits(&known, &self.applied, self.oldest).err()
    }

    /// What this version has and the database has not, in order.
    pub(super) fn pending(&self, is_sqlite: bool) -> impl Iterator<Item = &'static Migration> {
        let has = |migration: &&Migration| self.applied.iter().any(|applied| applied.version == migration.version);
        migrator(is_sqlite).iter().filter(move |migration| !has(migration))
    }

    fn names(&self, is_sqlite: bool) -> Vec<String> {
        self.pending(is_sqlite).map(|m| format!("{:04} {}", m.version, m.description)).collect()
    }

    /// That this version may use it; one of a newer hub is worth a word.
    fn allowed(&self, is_sqlite: bool) -> Result<(), StoreError> {
        if let Some(misfit) = self.misfit(is_sqlite) {
            return Err(misfit.into());
        }
        let (found, newest) = (self.newest().unwrap_or(0), newest_schema(is_sqlite));
        if found > newest {
            tracing::warn!(
                "The database is at schema {found}, of a newer hub; this one knows {newest}. Both work beside each other."
            );
        }
        Ok(())
    }
}

/// Asks for it; nothing is made where there is nothing.
macro_rules! seen {
    ($has:literal, $executor:expr) => {{
        let has = |name: &'static str| sqlx::query_scalar::<_, bool>($has).bind(name);
        let mut rows: Vec<(i64, Vec<u8>, bool)> = Vec::new();
        if has("_sqlx_migrations").fetch_one($executor).await? {
            let sql = "select version, checksum, success from _sqlx_migrations order by version";
            rows = sqlx::query_as(sql).fetch_all($executor).await?;
        }
        let mut oldest: Option<i64> = None;
        if has("schema_floor").fetch_one($executor).await? {
            oldest = sqlx::query_scalar("select max(oldest) from schema_floor").fetch_one($executor).await?;
        }
        let applied = |(version, checksum, is_done)| Applied { version, checksum, is_done };
        Seen { applied: rows.into_iter().map(applied).collect(), oldest }
    }};
}

async fn seen_in_postgres(connection: &mut PgConnection) -> Result<Seen, StoreError> {
    Ok(seen!("select to_regclass($1) is not null", &mut *connection))
}

async fn seen_in_sqlite(pool: &SqlitePool) -> Result<Seen, StoreError> {
    Ok(seen!("select exists (select 1 from sqlite_schema where name = $1)", pool))
}

impl Store {
    /// What the database says of its schema. Nothing is written.
    pub(super) async fn seen(&self) -> Result<Seen, StoreError> {
        match &self.pool {
            Pool::Postgres(pools) => Ok(asked!(self, pools, pool => {
                let mut connection = pool.acquire().await?;
                seen_in_postgres(&mut connection).await?
            })),
            Pool::Sqlite { read, .. } => seen_in_sqlite(read).await,
        }
    }

    /// Brings the schema up to date; two hubs that start together take turns. Returns what was, or would be, applied.
    /// A hub that runs meanwhile keeps running: no table is locked for longer than 2 s at a time to wait for a long
    /// reader, such as a backup.
    ///
    /// # Errors
    /// The database is not for this version, and nothing was written. A migration failed, or never had its table to itself;
    /// it is rolled back.
    pub async fn migrate(&self, dry_run: bool) -> Result<Vec<String>, StoreError> {
        if dry_run {
            let seen = self.seen().await?;
            return seen.misfit(self.is_sqlite()).map_or_else(|| Ok(seen.names(self.is_sqlite())), |no| Err(no.into()));
        }
        let names = match &self.pool {
            Pool::Postgres(pools) => {
                let mut connection = pools.get().acquire().await?;
                connection.close_on_drop(); // its session settings are not for others
                let names = migrate_beside_others(&mut connection).await?;
                super::wall::build(&mut connection).await;
                names
            }
            Pool::Sqlite { write, .. } => {
                let seen = seen_in_sqlite(write).await?;
                seen.allowed(true)?;
                SQLITE.run(write).await?;
                seen.names(true)
            }
        };
        self.ensure_partitions(clock::now()).await?;
        Ok(names)
    }
}

/// Everybody queues behind a migration that waits for its table, so it gives way after 2 s and tries again. Its turn among
/// hubs is waited for as long as it takes: it is a lock that nobody else asks for.
async fn migrate_beside_others(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    sqlx::raw_sql("set statement_timeout = 0; set lock_timeout = 0").execute(&mut *connection).await?;
    connection.lock().await?; // again inside of `run`, which does not wait then
    sqlx::raw_sql("set lock_timeout = '2s'").execute(&mut *connection).await?;
    // Only now: whoever had the turn before may have been a newer hub.
    let seen = seen_in_postgres(connection).await?;
    seen.allowed(false)?;
    for n in 1..=MIGRATION_TRIES {
        match POSTGRES.run(&mut *connection).await {
            Ok(()) => return Ok(seen.names(false)),
            Err(error) if !is_lock_refused(&error) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "Try {n} of {MIGRATION_TRIES}: a migration needs a table that others use.");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    Err(StoreError::MigrationLocked { tries: MIGRATION_TRIES })
}

fn is_lock_refused(error: &MigrateError) -> bool {
    let (MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _)) = error else { return false };
    // lock_not_available, and deadlock_detected for whoever meets a reader of several tables.
    cause.as_database_error().and_then(|e| e.code()).is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::upgrade::{Dialect, steps};

    /// Hubs of the version before run on while a new one has brought the schema up to date, and are gone back to (T291). What they
    /// cannot live with is left for a later version, which then says so in `schema_floor`.
    #[test]
    fn t291_migrations_add_or_say_that_they_take_away() {
        for (is_sqlite, dialect) in [(false, Dialect::Postgres), (true, Dialect::Sqlite)] {
            for migration in migrator(is_sqlite).iter() {
                let (version, text) = (migration.version, migration.sql.as_str());
                let steps = steps(text, dialect);
                let raises: Vec<i64> = steps.iter().filter_map(|step| step.raises_floor).collect();
                assert!(raises.iter().all(|oldest| *oldest == version), "{version} raises the floor to {raises:?}");
                let is_said = !raises.is_empty();
                for step in &steps {
                    assert!(
                        !step.contracts || is_said,
                        "{version} takes away what older hubs need, and does not say it"
                    );
                    assert!(!step.is_unknown, "{version}: `migrate --dry-run` could not say what it locks");
                }
            }
        }
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        let versions =
            |is_sqlite| migrator(is_sqlite).iter().map(|m| (m.version, m.description.clone())).collect::<Vec<_>>();
        assert_eq!(versions(false), versions(true));
    }
}
