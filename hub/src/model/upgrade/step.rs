//! What a statement of a migration does to tables: which it locks, how, and how much of them it reads or writes.
//! <https://www.postgresql.org/docs/current/explicit-locking.html>, <https://www.postgresql.org/docs/current/sql-altertable.html>,
//! <https://www.sqlite.org/lang_altertable.html>.

use super::alter::alter;
use super::sql::{Piece, Reader, statements};

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Locks single tables.
    Postgres,
    /// Locks its one file.
    Sqlite,
}

/// Whom it keeps waiting, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// Nobody but other changes of the schema.
    Schema,
    /// Whoever writes the same rows.
    Rows,
    /// Whoever writes: an index is made.
    Share,
    /// Whoever writes: a trigger, or what another table refers to.
    ShareRow,
    /// Everybody.
    Everything,
}

/// How much of a table it goes through, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Nothing of it.
    Moment,
    /// All rows are read.
    Reads,
    /// All rows are read, and an index of them is written.
    Index,
    /// The rows it is about are written anew: all of them, as far as can be told.
    Rows,
    /// The table is written anew, with its indexes.
    Rewrites,
}

/// What a statement does to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// The table.
    pub table: String,
    /// Who waits.
    pub lock: Lock,
    /// How long, by what is done.
    pub work: Work,
}

/// What a statement does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// To tables; empty: to none.
    pub touches: Vec<Touch>,
    /// A table that it makes.
    pub makes: Option<String>,
    /// Hubs of the version before may need what it takes away, or fail at what it asks for.
    pub contracts: bool,
    /// Hubs that know no migration of this number may not use the database any more.
    pub raises_floor: Option<i64>,
    /// What it does cannot be told.
    pub is_unknown: bool,
}

/// The statements of a migration, in order.
#[must_use]
pub fn steps(text: &str, dialect: Dialect) -> Vec<Step> {
    statements(text).iter().map(|statement| step(statement, dialect)).collect()
}

fn step(statement: &[Piece], dialect: Dialect) -> Step {
    let mut reader = Reader { rest: statement };
    let step = match reader.word() {
        Some("create") => create(&mut reader),
        Some("alter") => alter(&mut reader, dialect),
        Some("drop") => drop_it(&mut reader),
        Some("insert") => insert(&mut reader),
        Some("update") => written(&mut reader),
        Some("delete") if reader.eat("from") => written(&mut reader),
        Some("select") if !statement.iter().any(|piece| piece.is("from")) => Some(Step::default()),
        Some("grant" | "revoke" | "comment" | "set") => Some(Step::default()),
        Some(_) | None => None,
    };
    step.unwrap_or_else(|| Step { is_unknown: true, ..Step::default() })
}

fn touch(table: String, lock: Lock, work: Work) -> Step {
    Step { touches: vec![Touch { table, lock, work }], ..Step::default() }
}

/// Tables that these pieces refer to.
pub(super) fn referred(pieces: &[Piece]) -> impl Iterator<Item = Touch> {
    let mut reader = Reader { rest: pieces };
    std::iter::from_fn(move || if reader.seek("references") { reader.name() } else { None }).map(|table| Touch {
        table,
        lock: Lock::ShareRow,
        work: Work::Moment,
    })
}

fn create(reader: &mut Reader<'_>) -> Option<Step> {
    if reader.eat("or") {
        reader.eat("replace");
    }
    let is_unique = reader.sees("unique");
    reader.eat_all(&["unique", "unlogged", "temp", "temporary", "constraint"]);
    match reader.word()? {
        "table" => {
            reader.eat_all(&["if", "not", "exists"]);
            let makes = reader.name()?;
            if reader.eat("partition") && reader.eat("of") {
                let parent = touch(reader.name()?, Lock::Everything, Work::Moment);
                return Some(Step { makes: Some(makes), ..parent });
            }
            let touches = referred(reader.rest).filter(|touch| touch.table != makes).collect();
            let is_copy = reader.rest.iter().any(|piece| piece.is("select"));
            Some(Step { makes: Some(makes), touches, is_unknown: is_copy, ..Step::default() })
        }
        "index" => {
            let is_beside = reader.eat("concurrently");
            reader.seek("on");
            reader.eat("only");
            let lock = if is_beside { Lock::Schema } else { Lock::Share };
            // Of a new column there can be no two that are alike; of others hubs of the version before may write such.
            Some(Step { contracts: is_unique && !is_partial(reader), ..touch(reader.name()?, lock, Work::Index) })
        }
        "trigger" => {
            reader.seek("on");
            Some(touch(reader.name()?, Lock::ShareRow, Work::Moment))
        }
        "policy" => {
            reader.seek("on");
            Some(touch(reader.name()?, Lock::Everything, Work::Moment))
        }
        "function" | "view" | "type" | "sequence" | "schema" | "extension" => Some(Step::default()),
        _ => None,
    }
}

fn is_partial(reader: &Reader<'_>) -> bool {
    reader.rest.iter().any(|piece| piece.is("where"))
}

fn drop_it(reader: &mut Reader<'_>) -> Option<Step> {
    match reader.word()? {
        "table" => {
            reader.eat_all(&["if", "exists"]);
            Some(Step { contracts: true, ..touch(reader.name()?, Lock::Everything, Work::Moment) })
        }
        "trigger" | "policy" if reader.seek("on") => {
            Some(Step { contracts: true, ..touch(reader.name()?, Lock::Everything, Work::Moment) })
        }
        // Whose it is, is not said.
        "index" => Some(Step { is_unknown: true, ..Step::default() }),
        "function" | "view" | "type" => Some(Step { contracts: true, ..Step::default() }),
        _ => None,
    }
}

fn insert(reader: &mut Reader<'_>) -> Option<Step> {
    if !reader.eat("into") {
        return None;
    }
    let mut step = touch(reader.name()?, Lock::Rows, Work::Moment);
    while reader.rest.iter().any(|piece| piece.is("from") || piece.is("join")) {
        let at = reader.rest.iter().position(|piece| piece.is("from") || piece.is("join"))?;
        reader.rest = reader.rest.get(at + 1..)?;
        // What it brings is as much as that has, at most.
        let table = reader.name()?;
        step.touches.push(Touch { table, lock: Lock::Schema, work: Work::Rows });
    }
    Some(step)
}

fn written(reader: &mut Reader<'_>) -> Option<Step> {
    reader.eat("only");
    let table = reader.name()?;
    if table != "schema_floor" {
        return Some(touch(table, Lock::Rows, Work::Rows));
    }
    let number = reader.rest.iter().find_map(|piece| match piece {
        Piece::Number(number) => Some(*number),
        Piece::Word(_) | Piece::Value | Piece::Sign(_) => None,
    });
    Some(Step { raises_floor: number, ..touch(table, Lock::Rows, Work::Moment) })
}
