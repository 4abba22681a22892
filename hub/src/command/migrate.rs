//! `migrate`: brings the schema up to date, or says what that would do and changes nothing.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::config::Config;
use crate::model::upgrade::{Dialect, Lock, Pending, Table, Work};
use crate::operator::capacity::bytes_words;
use crate::operator::free_bytes;
use crate::run;
use crate::store::{Store, Upgrade};

/// Brings the schema up to date.
///
/// # Errors
/// The database cannot be reached, is not for this version, or a migration fails (it is rolled back).
pub async fn migrate(config: &Config, json: bool) -> anyhow::Result<()> {
    let store = run::open_store(config).await?;
    let names = store.migrate(false).await.context("the schema could not be brought up to date")?;
    store.close().await;
    match (json, names.is_empty()) {
        (true, _) => println!("{}", json!({ "applied": names })),
        (false, true) => println!("The schema is up to date."),
        (false, false) => println!("Applied: {}", names.join(", ")),
    }
    Ok(())
}

/// Says what [`migrate`] would do; `false`: it would fail.
///
/// # Errors
/// The database cannot be reached.
pub async fn foretell(config: &Config, json: bool) -> anyhow::Result<bool> {
    let store = match &config.database_url {
        Some(url) => {
            Some(Store::open_postgres(url.expose()).await.context("DATABASE_URL: the database cannot be opened")?)
        }
        None => Store::open_sqlite_to_look(&config.state_directory).await?,
    };
    let upgrade = match &store {
        Some(store) => store.upgrade().await?,
        None => Upgrade::of_no_file(),
    };
    if let Some(store) = store {
        store.close().await;
    }
    // Where the disk of Postgres is, it does not say.
    let free = config.database_url.is_none().then(|| free_bytes(&config.state_directory)).flatten();
    let told = Told { upgrade, free };
    if json {
        println!("{:#}", told.json())
    } else {
        print!("{}", told.text())
    }
    Ok(told.trouble().is_none())
}

struct Told {
    upgrade: Upgrade,
    /// Of the disk the database is on; `None`: nobody here knows.
    free: Option<u64>,
}

impl Told {
    /// Why it would fail.
    fn trouble(&self) -> Option<String> {
        if let Some(misfit) = &self.upgrade.misfit {
            return Some(misfit.to_string());
        }
        let (extra, free) = (self.upgrade.plan.extra_bytes?, self.free?);
        (extra > free).then(|| {
            format!("it may take {} more, and {} are free: make room first", bytes_words(extra), bytes_words(free))
        })
    }

    /// What is worth a word before it is done.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let plan = &self.upgrade.plan;
        for pending in plan.pending.iter().filter(|pending| pending.is_long() && self.upgrade.schema.is_some()) {
            let takes = takes_words(pending.takes_ms);
            let waits = match self.upgrade.dialect {
                Dialect::Postgres => "whoever writes to its tables waits for that long",
                Dialect::Sqlite => "the hub is not there for that long",
            };
            warnings.push(format!("{:04} takes {takes}: {waits}", pending.version));
        }
        if let Some(oldest) = plan.raises_floor {
            warnings.push(format!(
                "hubs that do not know migration {oldest} can neither run beside it nor be gone back to: stop them first, and \
                 have a backup"
            ));
        }
        warnings
    }

    fn json(&self) -> Value {
        let plan = &self.upgrade.plan;
        let trouble = self.trouble();
        json!({
            "ok": trouble.is_none(),
            "problem": trouble,
            "warnings": self.warnings(),
            "database": match self.upgrade.dialect { Dialect::Postgres => "postgres", Dialect::Sqlite => "sqlite" },
            "schema": self.upgrade.schema,
            "newest_schema": self.upgrade.newest_schema,
            "oldest_schema_after": plan.raises_floor,
            "extra_bytes": plan.extra_bytes,
            "free_bytes": self.free,
            "migrations": plan.pending.iter().map(|pending| json!({
                "version": pending.version,
                "description": pending.description,
                "makes": pending.makes,
                "takes_ms": pending.takes_ms,
                "extra_bytes": pending.extra_bytes,
                "tables": pending.tables.iter().map(|table| json!({
                    "name": table.name,
                    "bytes": table.size.map(|size| size.bytes),
                    "rows": table.size.and_then(|size| size.rows),
                    "lock": self.lock(table),
                    "stops": self.stops(table),
                    "work": work_word(table.work),
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    }

    fn text(&self) -> String {
        let (mut text, upgrade) = (String::new(), &self.upgrade);
        let pending = &upgrade.plan.pending;
        let at = match upgrade.schema {
            Some(schema) => format!("The database is at schema {schema}; this hub brings {}.", upgrade.newest_schema),
            None => format!("There is no schema yet; this hub brings {}.", upgrade.newest_schema),
        };
        let would = match pending.len() {
            _ if upgrade.misfit.is_some() => "",
            0 => " Nothing is to be done.",
            1 => " Would apply one migration:",
            _ => " Would apply, in this order:",
        };
        let _ = writeln!(text, "{at}{would}");
        if upgrade.misfit.is_none() {
            for one in pending {
                self.one(one, &mut text);
            }
            if !pending.is_empty() {
                self.room(&mut text);
            }
            for warning in self.warnings() {
                let _ = writeln!(text, "Mind: {warning}.");
            }
        }
        if let Some(trouble) = self.trouble() {
            let _ = writeln!(text, "This would fail: {trouble}.");
        } else if !pending.is_empty() {
            let _ = writeln!(text, "Nothing was changed.");
        }
        text
    }

    fn one(&self, pending: &Pending, text: &mut String) {
        let _ = writeln!(text, "\n  {:04} {}, {}", pending.version, pending.description, takes_words(pending.takes_ms));
        if !pending.makes.is_empty() {
            let _ = writeln!(text, "    makes {}", pending.makes.join(", "));
        }
        let width = pending.tables.iter().map(|table| table.name.len()).max().unwrap_or(0);
        for table in &pending.tables {
            let size = table.size.map_or_else(|| "size unknown".to_owned(), |size| bytes_words(size.bytes));
            let rows = table.size.and_then(|size| size.rows).filter(|rows| *rows > 0);
            let rows = rows.map_or_else(String::new, |rows| format!(", about {rows} rows"));
            let (lock, stops) = (self.lock(table), self.stops(table));
            let _ = writeln!(
                text,
                "    {:width$}  {size}{rows}; lock: {lock} (waits: {stops}); {}",
                table.name,
                work_words(table.work)
            );
        }
    }

    fn room(&self, text: &mut String) {
        let extra = self.upgrade.plan.extra_bytes.map_or_else(
            || "unknown, for a statement whose work cannot be told or a table of unknown size".to_owned(),
            |bytes| format!("{} more at most, the log of it included", bytes_words(bytes)),
        );
        let free = self.free.map_or_else(
            || "look at the disk of the database: it is not known here".to_owned(),
            |bytes| format!("{} are free", bytes_words(bytes)),
        );
        let _ = writeln!(text, "\nRoom: {extra}; {free}.");
        if self.upgrade.dialect == Dialect::Postgres && self.upgrade.schema.is_some() {
            let _ = writeln!(
                text,
                "Hubs that run go on. A lock is waited for 2 s at a time, so that nobody waits behind it for longer, up to 30 times."
            );
        }
    }

    /// As the database calls it.
    fn lock(&self, table: &Table) -> &'static str {
        match (self.upgrade.dialect, table.lock) {
            (Dialect::Sqlite, _) => "the file",
            (Dialect::Postgres, Lock::Schema) => "SHARE UPDATE EXCLUSIVE",
            (Dialect::Postgres, Lock::Rows) => "ROW EXCLUSIVE",
            (Dialect::Postgres, Lock::Share) => "SHARE",
            (Dialect::Postgres, Lock::ShareRow) => "SHARE ROW EXCLUSIVE",
            (Dialect::Postgres, Lock::Everything) => "ACCESS EXCLUSIVE",
        }
    }

    fn stops(&self, table: &Table) -> &'static str {
        match (self.upgrade.dialect, table.lock) {
            (Dialect::Sqlite, _) => "nobody, for no hub runs meanwhile",
            (Dialect::Postgres, Lock::Schema) => "nobody",
            (Dialect::Postgres, Lock::Rows) => "who changes the same rows",
            (Dialect::Postgres, Lock::Share | Lock::ShareRow) => "who writes",
            (Dialect::Postgres, Lock::Everything) => "who reads or writes",
        }
    }
}

fn takes_words(ms: Option<u64>) -> String {
    match ms {
        None => "for a time that cannot be told".to_owned(),
        Some(..100) => "for a moment".to_owned(),
        Some(100..1_000) => "for less than a second".to_owned(),
        Some(ms @ 1_000..) => format!("for about {} s on a slow disk", ms.div_ceil(1_000)),
    }
}

fn work_word(work: Work) -> &'static str {
    match work {
        Work::Moment => "moment",
        Work::Reads => "reads",
        Work::Index => "index",
        Work::Rows => "rows",
        Work::Rewrites => "rewrites",
    }
}

fn work_words(work: Work) -> &'static str {
    match work {
        Work::Moment => "its rows are left alone",
        Work::Reads => "its rows are read",
        Work::Index => "its rows are read for an index",
        Work::Rows => "rows of it are written, all of them at most",
        Work::Rewrites => "it is written anew",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::upgrade::Plan;

    fn told(free: Option<u64>, raises_floor: Option<i64>) -> Told {
        let plan = Plan { pending: Vec::new(), extra_bytes: Some(2_000_000), raises_floor };
        let upgrade = Upgrade { dialect: Dialect::Sqlite, schema: Some(40), newest_schema: 41, misfit: None, plan };
        Told { upgrade, free }
    }

    #[test]
    fn what_has_no_room_would_fail() {
        for (free, fails) in [(None, false), (Some(2_000_000), false), (Some(1_999_999), true)] {
            let told = told(free, None);
            assert_eq!((told.trouble().is_some(), told.text().contains("make room first")), (fails, fails), "{free:?}");
            assert_eq!(told.json()["ok"], !fails);
        }
    }

    #[test]
    fn t291_an_update_that_cannot_be_gone_back_from_says_so() {
        assert!(told(None, None).warnings().is_empty());
        let text = told(None, Some(41)).text();
        assert!(text.contains("Mind: hubs that do not know migration 41 can neither run beside it"), "{text}");
        assert_eq!(told(None, Some(41)).json()["oldest_schema_after"], 41);
    }
}
