//! Whether a program may use a database, by the migrations that both know.

use std::collections::BTreeSet;

/// A migration that this program brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its number.
    pub version: i64,
    /// Of its text.
    pub checksum: &'a [u8],
}

/// A migration that the database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: i64,
    /// Of the text that was run.
    pub checksum: Vec<u8>,
    /// It came to its end.
    pub is_done: bool,
}

/// Why a program must leave a database alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// A newer hub took something away that this one needs.
    #[error(
        "the database is at schema {found}, which only hubs can use that know migration {oldest}; this one knows {newest}. \
         Install a hub that knows migration {oldest} or newer, or restore the backup from before the update"
    )]
    TooNew {
        /// The newest migration of the database.
        found: i64,
        /// The one that has to be known.
        oldest: i64,
        /// The newest of this program.
        newest: i64,
    },
    /// There are newer migrations, and no word of who may use the database.
    #[error(
        "the database is at schema {found}, this hub knows {newest}, and whether it may use such a database is not written \
         there (table schema_floor). Install a hub that knows migration {found}, or restore the backup from before the update"
    )]
    Unsaid {
        /// The newest migration of the database.
        found: i64,
        /// The newest of this program.
        newest: i64,
    },
    /// The database has a migration that no hub up to this one had.
    #[error(
        "the database has migration {version}, which this hub does not know though it knows newer ones: it was used by a \
         build of another line. Use a hub of that line, or restore a backup from before it"
    )]
    Foreign {
        /// That migration.
        version: i64,
    },
    /// One was left out.
    #[error(
        "migration {version} was never applied to the database, though {found} was: it was used by a build that had no \
         {version}, or a row of _sqlx_migrations is gone. Use a hub of that build, or restore a backup"
    )]
    Gap {
        /// The one.
        version: i64,
        /// The newest of the database.
        found: i64,
    },
    /// Another text was run under this number.
    #[error(
        "migration {version} is not the one that was applied to the database: its text was changed afterwards, or the \
         database was used by a build of another line. Use a hub of the line that made it, or restore a backup"
    )]
    Changed {
        /// That migration.
        version: i64,
    },
    /// It stopped half-way.
    #[error("migration {version} stopped half-way: restore the backup from before the update, and start again")]
    HalfWay {
        /// That migration.
        version: i64,
    },
}

/// Whether a program that brings `known` may use a database that has `applied`, and says `oldest` of who may.
///
/// # Errors
/// Why not.
pub fn fits(known: &[Known<'_>], applied: &[Applied], oldest: Option<i64>) -> Result<(), Misfit> {
    let newest = known.iter().map(|migration| migration.version).max().unwrap_or(0);
    let Some(found) = applied.iter().map(|migration| migration.version).max() else { return Ok(()) };
    for migration in applied {
        let version = migration.version;
        if !migration.is_done {
            return Err(Misfit::HalfWay { version });
        }
        match known.iter().find(|known| known.version == version) {
            Some(known) if known.checksum != migration.checksum => return Err(Misfit::Changed { version }),
            None if version < newest => return Err(Misfit::Foreign { version }),
            Some(_) | None => {}
        }
    }
    let has: BTreeSet<i64> = applied.iter().map(|migration| migration.version).collect();
    if let Some(left_out) = known.iter().find(|known| known.version < found && !has.contains(&known.version)) {
        return Err(Misfit::Gap { version: left_out.version, found });
    }
    match oldest {
        Some(oldest) if oldest > newest => Err(Misfit::TooNew { found, oldest, newest }),
        None if found > newest => Err(Misfit::Unsaid { found, newest }),
        Some(_) | None => Ok(()),
    }
}
