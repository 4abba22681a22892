//! What `alter table` does, action by action.

use super::sql::{Piece, Reader};
use super::step::{Dialect, Lock, Step, Touch, Work, referred};

pub(super) fn alter(reader: &mut Reader<'_>, dialect: Dialect) -> Option<Step> {
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
