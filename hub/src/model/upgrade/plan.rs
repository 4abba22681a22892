//! What an update of the schema does to a database of a known size: who waits for how long, and how much room it takes.

use std::collections::{BTreeMap, BTreeSet};

use super::step::{Dialect, Lock, Touch, Work, steps};

/// Bytes a second that are read, of a slow disk; and written with what a log of them takes.
const READ_BYTES_PER_S: u64 = 50_000_000;
const WRITTEN_BYTES_PER_S: u64 = 10_000_000;
/// Waits that are longer are worth a word: a hub's statements have as long.
const LONG_MS: u64 = 2_000;

/// A migration, as it is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration<'a> {
    /// Its number.
    pub version: i64,
    /// In words.
    pub description: &'a str,
    /// Its text.
    pub sql: &'a str,
}

/// How large a table is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableSize {
    /// With its indexes; of a table in parts, all of them together.
    pub bytes: u64,
    /// Of these, its rows alone.
    pub heap_bytes: u64,
    /// About so many rows; `None`: the database has not counted.
    pub rows: Option<u64>,
}

/// What a migration does to a table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// How large it is; `None`: nobody has counted.
    pub size: Option<TableSize>,
    /// The strongest lock that is taken on it; it is held until the migration ends.
    pub lock: Lock,
    /// The most that is done to it.
    pub work: Work,
}

/// A migration that would be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number.
    pub version: i64,
    /// In words.
    pub description: String,
    /// Tables that are there and that it touches, by name.
    pub tables: Vec<Table>,
    /// Tables that it makes.
    pub makes: Vec<String>,
    /// About how long it takes on a slow disk, and so the longest that anybody waits for it; `None`: it cannot be told.
    pub takes_ms: Option<u64>,
    /// So much more is on disk while it runs, at most, what is logged of it included; `None`: it cannot be told.
    pub extra_bytes: Option<u64>,
    /// Hubs have to know this one from then on.
    pub raises_floor: Option<i64>,
}

impl Pending {
    /// Whether writers wait for longer than their statements may.
    #[must_use]
    pub fn is_long(&self) -> bool {
        let waits = |table: &Table| match table.lock {
            Lock::Schema | Lock::Rows => false,
            Lock::Share | Lock::ShareRow | Lock::Everything => true,
        };
        self.takes_ms.is_none_or(|ms| ms > LONG_MS && self.tables.iter().any(waits))
    }
}

/// The whole update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they would be applied.
    pub pending: Vec<Pending>,
    /// As of [`Pending`], of all of them together.
    pub extra_bytes: Option<u64>,
    /// Only hubs that know this migration can use the database afterwards; `None`: as before.
    pub raises_floor: Option<i64>,
}

/// What these migrations, in order, would do to tables of these sizes.
#[must_use]
pub fn plan(migrations: &[Migration<'_>], dialect: Dialect, sizes: &BTreeMap<String, TableSize>) -> Plan {
    let mut made = BTreeSet::new();
    let pending: Vec<Pending> = migrations.iter().map(|migration| one(migration, dialect, sizes, &mut made)).collect();
    Plan {
        extra_bytes: pending.iter().map(|one| one.extra_bytes).sum(),
        raises_floor: pending.iter().filter_map(|one| one.raises_floor).max(),
        pending,
    }
}

fn one(
    migration: &Migration<'_>,
    dialect: Dialect,
    sizes: &BTreeMap<String, TableSize>,
    made: &mut BTreeSet<String>,
) -> Pending {
    let mut pending = Pending {
        version: migration.version,
        description: migration.description.to_owned(),
        tables: Vec::new(),
        makes: Vec::new(),
        takes_ms: Some(0),
        extra_bytes: Some(0),
        raises_floor: None,
    };
    for step in steps(migration.sql, dialect) {
        if step.is_unknown {
            (pending.takes_ms, pending.extra_bytes) = (None, None);
        }
        pending.raises_floor = pending.raises_floor.max(step.raises_floor);
        // What this update makes is empty, and nobody waits for it.
        for touch in step.touches.into_iter().filter(|touch| !made.contains(&touch.table)) {
            let size = sizes.get(&touch.table).copied();
            let (ms, bytes) = cost(touch.work, size);
            pending.takes_ms = sum(pending.takes_ms, ms);
            pending.extra_bytes = sum(pending.extra_bytes, bytes);
            note(&mut pending.tables, touch, size);
        }
        made.extend(step.makes.clone());
        pending.makes.extend(step.makes);
    }
    pending.tables.sort_by(|a, b| a.name.cmp(&b.name));
    pending
}

fn note(tables: &mut Vec<Table>, touch: Touch, size: Option<TableSize>) {
    match tables.iter_mut().find(|table| table.name == touch.table) {
        Some(table) => {
            table.lock = table.lock.max(touch.lock);
            table.work = table.work.max(touch.work);
        }
        None => tables.push(Table { name: touch.table, size, lock: touch.lock, work: touch.work }),
    }
}

fn sum(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    Some(a?.saturating_add(b?))
}

/// Milliseconds, and bytes with those of the log.
fn cost(work: Work, size: Option<TableSize>) -> (Option<u64>, Option<u64>) {
    let ms = |bytes: u64, per_s: u64| bytes.saturating_mul(1_000) / per_s;
    let Some(size) = size else {
        return match work {
            Work::Moment => (Some(0), Some(0)),
            Work::Reads => (None, Some(0)),
            Work::Index | Work::Rows | Work::Rewrites => (None, None),
        };
    };
    let reading = ms(size.heap_bytes, READ_BYTES_PER_S);
    let writing = |bytes: u64| reading.saturating_add(ms(bytes, WRITTEN_BYTES_PER_S));
    match work {
        Work::Moment => (Some(0), Some(0)),
        Work::Reads => (Some(reading), Some(0)),
        // An index of all columns would be as large as the rows.
        Work::Index => (Some(writing(size.heap_bytes)), Some(size.heap_bytes.saturating_mul(2))),
        Work::Rows | Work::Rewrites => (Some(writing(size.bytes)), Some(size.bytes.saturating_mul(2))),
    }
}
