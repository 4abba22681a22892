//! What a statement of a migration does to tables: which it locks, how, and how much of them it reads or writes.
//! <https://www.postgresql.org/docs/current/explicit-locking.html>, <https://www.postgresql.org/docs/current/sql-altertable.html>,
//! <https://www.sqlite.org/lang_altertable.html>.

use super::sql::{Piece, statements};

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

/// Goes through the pieces of a statement.
struct Reader<'a> {
    rest: &'a [Piece],
}

impl<'a> Reader<'a> {
    fn word(&mut self) -> Option<&'a str> {
        match self.rest.split_first() {
            Some((Piece::Word(word), rest)) => {
                self.rest = rest;
                Some(word)
            }
            Some((Piece::Number(_) | Piece::Value | Piece::Sign(_), _)) | None => None,
        }
    }

    fn sees(&self, word: &str) -> bool {
        self.rest.first().is_some_and(|piece| piece.is(word))
    }

    fn eat(&mut self, word: &str) -> bool {
        let sees = self.sees(word);
        if sees {
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        sees
    }

    fn eat_all(&mut self, words: &[&str]) {
        while words.iter().any(|word| self.eat(word)) {}
    }

    /// A name, the schema before it left out.
    fn name(&mut self) -> Option<String> {
        let mut name = self.word()?;
        while let Some((Piece::Sign('.'), rest)) = self.rest.split_first() {
            self.rest = rest;
            name = self.word()?;
        }
        Some(name.to_owned())
    }

    /// Goes on behind the next of these words.
    fn seek(&mut self, word: &str) -> bool {
        let at = self.rest.iter().position(|piece| piece.is(word));
        self.rest = at.and_then(|at| self.rest.get(at + 1..)).unwrap_or_default();
        at.is_some()
    }
}

fn touch(table: String, lock: Lock, work: Work) -> Step {
    Step { touches: vec![Touch { table, lock, work }], ..Step::default() }
}

/// Tables that these pieces refer to.
fn referred(pieces: &[Piece]) -> impl Iterator<Item = Touch> {
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

fn alter(reader: &mut Reader<'_>, dialect: Dialect) -> Option<Step> {
    match reader.word()? {
        "table" => {}
        "view" | "function" | "sequence" | "policy" => return Some(Step::default()),
        _ => return None,
    }
    reader.eat_all(&["if", "exists", "only"]);
    let table = reader.name()?;
    let mut step = Step::default();
    for action in actions(reader.rest) {
        let (lock, work, contracts) = act(action, dialect)?;
        step.touches.push(Touch { table: table.clone(), lock, work });
        step.touches.extend(referred(action).filter(|touch| touch.table != table));
        step.contracts |= contracts;
    }
    Some(step)
}

/// What is between commas, but for those within brackets.
fn actions(pieces: &[Piece]) -> Vec<&[Piece]> {
    let mut depth = 0_i32;
    pieces
        .split(|piece| {
            match piece {
                Piece::Sign('(') => depth += 1,
                Piece::Sign(')') => depth -= 1,
                Piece::Sign(_) | Piece::Word(_) | Piece::Number(_) | Piece::Value => {}
            }
            depth == 0 && *piece == Piece::Sign(',')
        })
        .collect()
}

/// One action of `alter table`: who waits, for what, and whether it takes something away.
fn act(action: &[Piece], dialect: Dialect) -> Option<(Lock, Work, bool)> {
    let mut reader = Reader { rest: action };
    let has = |word: &str| action.iter().any(|piece| piece.is(word));
    let everything = |work, contracts| Some((Lock::Everything, work, contracts));
    match reader.word()? {
        "add" => match reader.rest.first()? {
            first if ["constraint", "check", "foreign", "unique", "primary", "exclude"].iter().any(|w| first.is(w)) => {
                let is_later = has("valid") && has("not");
                let work = if is_later || has("using") {
                    Work::Moment
                } else if has("check") || has("foreign") {
                    Work::Reads
                } else {
                    Work::Index
                };
                let lock = if has("foreign") { Lock::ShareRow } else { Lock::Everything };
                Some((lock, work, true))
            }
            _ => {
                reader.eat("column");
                reader.eat_all(&["if", "not", "exists"]);
                reader.name()?;
                let (work, contracts) = added(reader.rest);
                everything(work, contracts)
            }
        },
        "alter" => {
            reader.eat("column");
            reader.name()?;
            match (reader.word()?, reader.word()?) {
                ("set", "not") => everything(Work::Reads, true),
                ("set", "default" | "storage" | "statistics") | ("drop", "default" | "not") => {
                    everything(Work::Moment, false)
                }
                ("type", _) | ("set", "data") => everything(Work::Rewrites, true),
                _ => None,
            }
        }
        "drop" => match dialect {
            Dialect::Postgres => everything(Work::Moment, true),
            Dialect::Sqlite => everything(Work::Rewrites, true),
        },
        "rename" => everything(Work::Moment, true),
        "enable" | "disable" => everything(Work::Moment, false),
        "validate" => Some((Lock::Schema, Work::Reads, false)),
        "set" | "reset" if reader.rest.first() == Some(&Piece::Sign('(')) => Some((Lock::Schema, Work::Moment, false)),
        _ => None,
    }
}

/// A column that is new, behind its name.
fn added(column: &[Piece]) -> (Work, bool) {
    let top = outside_brackets(column);
    let has = |word: &str| top.iter().any(|piece| piece.is(word));
    let default = top.iter().position(|piece| piece.is("default"));
    // Hubs of the version before give it no value.
    let contracts = has("not") && default.is_none() && !has("generated");
    let is_stored = has("generated") && !has("virtual");
    let work = if is_stored || (default.is_some() && !is_constant(column)) {
        Work::Rewrites
    } else if has("unique") || has("primary") {
        Work::Index
    } else if has("check") {
        Work::Reads
    } else {
        Work::Moment
    };
    (work, contracts)
}

fn outside_brackets(pieces: &[Piece]) -> Vec<&Piece> {
    let mut depth = 0_i32;
    let mut outside = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Sign('(') => depth += 1,
            Piece::Sign(')') => depth -= 1,
            Piece::Sign(_) | Piece::Word(_) | Piece::Number(_) | Piece::Value if depth == 0 => outside.push(piece),
            Piece::Sign(_) | Piece::Word(_) | Piece::Number(_) | Piece::Value => {}
        }
    }
    outside
}

/// Whether a default is one value for all rows: a literal, or the time of the statement. Of other expressions Postgres asks
/// whether what they call is volatile, which their text does not say.
fn is_constant(column: &[Piece]) -> bool {
    let mut reader = Reader { rest: column };
    reader.seek("default");
    if let Some(Piece::Sign('-' | '+')) = reader.rest.first() {
        reader.rest = reader.rest.get(1..).unwrap_or_default();
    }
    match reader.rest {
        [Piece::Value | Piece::Number(_), ..] => true,
        [Piece::Word(word), ..] => {
            matches!(&**word, "true" | "false" | "null" | "now" | "current_timestamp" | "current_date")
        }
        [Piece::Sign(_), ..] | [] => false,
    }
}
