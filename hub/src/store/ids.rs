//! Many ids as one parameter: one text, and one prepared statement, however many there are.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Encode, Postgres, Sqlite, Type};
use uuid::Uuid;

use super::{Pool, Store};

/// An array on Postgres, JSON on SQLite.
#[derive(Debug, Clone)]
pub(super) struct Ids(pub(super) Vec<Uuid>);

impl Store {
    /// What comes after a column that is to be one of the [`Ids`] of parameter `number`.
    pub(super) fn one_of(&self, number: u8) -> String {
        match &self.pool {
            Pool::Postgres(_) => format!("= any(${number})"),
            Pool::Sqlite { .. } => format!("in (select unhex(value) from json_each(${number}))"),
        }
    }
}

impl Store {
    /// What holds where `column` is one of the [`Ids`] of parameter 1, and that website is account 2's. SQLite would go
    /// through all of the account's for a few of them unless those come first.
    pub(super) fn theirs(&self, column: &str) -> String {
        let (these, of) = (self.one_of(1), "select w.website_id from website w where w.account_id = $2");
        match &self.pool {
            Pool::Postgres(_) => format!("{column} in ({of}) and {column} {these}"),
            Pool::Sqlite { .. } => format!("{column} in ({of} and w.website_id {these})"),
        }
    }
}

impl Type<Postgres> for Ids {
    fn type_info() -> <Postgres as sqlx::Database>::TypeInfo {
        <Vec<Uuid> as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Ids {
    fn encode_by_ref(&self, buffer: &mut <Postgres as sqlx::Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <Vec<Uuid> as Encode<'_, Postgres>>::encode_by_ref(&self.0, buffer)
    }
}

impl Type<Sqlite> for Ids {
    fn type_info() -> <Sqlite as sqlx::Database>::TypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Ids {
    fn encode_by_ref(&self, buffer: &mut <Sqlite as sqlx::Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let texts: Vec<String> = self.0.iter().map(|id| format!("\"{}\"", id.simple())).collect();
        <String as Encode<'_, Sqlite>>::encode(format!("[{}]", texts.join(",")), buffer)
    }
}
