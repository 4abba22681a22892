//! Keys of programs. Whatever is done on behalf of somebody names the team; a key that is shown is looked up by its id alone,
//! since it says whose it is.

use sqlx::FromRow;
use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::api_key::{ApiKey, ApiKeyId, KnownKey, NewKey, SecretHash};
use crate::model::scope::Scopes;
use crate::model::{Account, AccountId, MadeBy, Role, UtcMs};

/// What came of asking for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAdded {
    /// It is there.
    Yes,
    /// The team has [`ApiKey::MOST`].
    TooMany,
}

#[derive(FromRow)]
struct KeyRow {
    api_key_id: Uuid,
    name: String,
    made_by: Uuid,
    maker: String,
    scopes: String,
    created_at: i64,
    expires_at: Option<i64>,
    used_at: Option<i64>,
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        Self {
            api_key_id: ApiKeyId(row.api_key_id),
            name: row.name,
            made_by: AccountId(row.made_by),
            maker: row.maker,
            scopes: Scopes::stored(&row.scopes),
            created_at: row.created_at,
            expires_at: row.expires_at,
            used_at: row.used_at,
        }
    }
}

#[derive(FromRow)]
struct KnownRow {
    #[sqlx(flatten)]
    key: KeyRow,
    secret_sha256: Vec<u8>,
    team_id: Uuid,
    team: String,
    team_created_at: i64,
    maker_created_at: i64,
    maker_by_open_sign_up: bool,
    role: Option<String>,
}

const KEY: &str =
    "k.api_key_id, k.name, k.made_by, m.username as maker, k.scopes, k.created_at, k.expires_at, k.used_at";

impl Store {
    /// Adds a key that `person` made for a team, and forgets those that expired long ago.
    ///
    /// # Errors
    /// The database is away.
    pub async fn add_api_key(
        &self,
        account: AccountId,
        person: AccountId,
        id: ApiKeyId,
        new: &NewKey,
        hash: SecretHash,
        now: UtcMs,
    ) -> Result<KeyAdded, StoreError> {
        Ok(write!(self, pool => {
            let mut transaction = pool.begin().await?;
            // The team is held, so that two who add at once do not both see the last place.
            sqlx::query("update account set username = username where account_id = $1")
                .bind(account.0).execute(&mut *transaction).await?;
            sqlx::query("delete from api_key where account_id = $1 and expires_at < $2")
                .bind(account.0).bind(now - ApiKey::SHOWN_MS).execute(&mut *transaction).await?;
            let added = sqlx::query("insert into api_key \
                (api_key_id, account_id, made_by, name, secret_sha256, scopes, created_at, expires_at) \
                select $1, $2, $3, $4, $5, $6, $7, $8 where (select count(*) from api_key where account_id = $2) < $9 \
                and not exists (select 1 from account where account_id in ($2, $3) and ending_at is not null)")
                .bind(id.0).bind(account.0).bind(person.0).bind(&new.name).bind(hash.0.as_slice())
                .bind(new.scopes.to_string()).bind(now).bind(new.expires_at).bind(ApiKey::MOST)
                .execute(&mut *transaction).await?.rows_affected();
            transaction.commit().await?;
            if added == 1 { KeyAdded::Yes } else { KeyAdded::TooMany }
        }))
    }

    /// A team's keys, those of `person` alone where one is given; the newest first, [`ApiKey::MOST`] at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn api_keys(&self, account: AccountId, person: Option<AccountId>) -> Result<Vec<ApiKey>, StoreError> {
        let select = format!(
            "select {KEY} from api_key k join account m on m.account_id = k.made_by \
             where k.account_id = $1 and k.made_by = coalesce($2, k.made_by) \
             order by k.created_at desc, k.api_key_id desc limit $3"
        );
        // The pool for writes: what its reader has just written must be seen.
        let rows: Vec<KeyRow> = write!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(account.0).bind(person.map(|id| id.0)).bind(ApiKey::MOST).fetch_all(pool).await?);
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// Ends a key of the team, where `person` is given only his own. Its name; `None`: there is none.
    ///
    /// # Errors
    /// The database is away.
    pub async fn revoke_api_key(
        &self,
        account: AccountId,
        person: Option<AccountId>,
        id: ApiKeyId,
    ) -> Result<Option<String>, StoreError> {
        Ok(write!(self, pool => sqlx::query_scalar("delete from api_key where account_id = $1 and api_key_id = $2 \
                and made_by = coalesce($3, made_by) returning name")
            .bind(account.0).bind(id.0).bind(person.map(|id| id.0)).fetch_optional(pool).await?))
    }

    /// The key of an id, with team and maker, where neither is about to go. Whether it counts is the caller's to judge.
    ///
    /// # Errors
    /// The database is away.
    pub async fn api_key(&self, id: ApiKeyId) -> Result<Option<KnownKey>, StoreError> {
        let select = format!(
            "select {KEY}, k.secret_sha256, t.account_id as team_id, t.username as team, t.created_at as team_created_at, \
             m.created_at as maker_created_at, m.by_open_sign_up as maker_by_open_sign_up, \
             case when k.account_id = k.made_by then 'owner' \
             else (select role from member r where r.account_id = k.account_id and r.person_id = k.made_by) end as role \
             from api_key k join account m on m.account_id = k.made_by join account t on t.account_id = k.account_id \
             where k.api_key_id = $1 and t.ending_at is null and m.ending_at is null"
        );
        let row: Option<KnownRow> = read!(self, pool => sqlx::query_as(sqlx::AssertSqlSafe(select.as_str()))
            .bind(id.0).fetch_optional(pool).await?);
        row.map(|row| {
            let key = ApiKey::from(row.key);
            let hash = row.secret_sha256.try_into().map_err(|_| StoreError::Corrupt("a key's hash".to_owned()))?;
            let person = Account {
                account_id: key.made_by,
                username: key.maker.clone(),
                created_at: row.maker_created_at,
                made_by: MadeBy::of(row.maker_by_open_sign_up),
            };
            let account = Account {
                account_id: AccountId(row.team_id),
                username: row.team,
                created_at: row.team_created_at,
                // As with sessions: whoever looks after the installation does so as a person.
                made_by: if row.team_id == person.account_id.0 { person.made_by } else { MadeBy::Anybody },
            };
            let role = row.role.as_deref().and_then(Role::named);
            Ok(KnownKey { key, hash: SecretHash(hash), account, person, role })
        })
        .transpose()
    }

    /// Notes that a key was used, unless that was written down within [`ApiKey::USE_MS`].
    ///
    /// # Errors
    /// The database is away.
    pub async fn touch_api_key(&self, id: ApiKeyId, now: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("update api_key set used_at = $2 where api_key_id = $1 \
                and coalesce(used_at, 0) <= $2 - $3")
            .bind(id.0).bind(now).bind(ApiKey::USE_MS).execute(pool).await.map(|_| ())?);
        Ok(())
    }
}
