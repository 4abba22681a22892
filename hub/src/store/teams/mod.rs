//! Teams: who is in them, and as what. Whatever changes that holds the row of the team's account, so that two changes take
//! turns: of two owners who take each other's rights away, the second finds himself the last.

mod ending;
mod invitations;

use uuid::Uuid;

pub use self::ending::AccountEnded;
pub use self::invitations::{Accepted, Joined};
use super::{Store, StoreError, read, write};
use crate::model::{Account, AccountId, MOST_TEAMS, MadeBy, Member, Membership, Role, UtcMs};
use crate::new_id;

/// What stands where a password's hash would: none fits it.
const NO_PASSWORD: &str = "!";

/// What became of a change of who is in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChanged {
    /// It holds.
    Done,
    /// He is none of its members.
    NotFound,
    /// Nothing was changed: nobody would own the team any more.
    LastOwner,
}

/// Holds an account's row until the end of a transaction; whether it is there, and not about to go.
macro_rules! hold {
    ($tx:ident, $account:expr) => {
        sqlx::query("update account set username = username where account_id = $1 and ending_at is null")
            .bind($account.0)
            .execute(&mut *$tx)
            .await?
            .rows_affected()
            == 1
    };
}

/// Whether somebody owns the team, in a transaction that holds it.
macro_rules! is_owned {
    ($tx:ident, $team:expr) => {{
        let owned: bool = sqlx::query_scalar(
            "select exists (select 1 from account where account_id = $1 and not is_team) \
             or exists (select 1 from member where account_id = $1 and role = 'owner')",
        )
        .bind($team.0)
        .fetch_one(&mut *$tx)
        .await?;
        owned
    }};
}

use hold;

fn role(text: &str) -> Result<Role, StoreError> {
    Role::named(text).ok_or_else(|| StoreError::Corrupt(format!("role {text}")))
}

impl Store {
    /// Makes a team, owned by whoever makes it; `None`: he owns [`MOST_TEAMS`].
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_team(
        &self,
        person: AccountId,
        name: &str,
        now: UtcMs,
    ) -> Result<Option<AccountId>, StoreError> {
        let id = new_id::ordered();
        let made = write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let owned: i64 = if hold!(tx, person) {
                sqlx::query_scalar("select count(*) from member join account using (account_id) \
                                    where person_id = $1 and role = 'owner' and is_team")
                    .bind(person.0).fetch_one(&mut *tx).await?
            } else {
                MOST_TEAMS
            };
            if owned >= MOST_TEAMS {
                tx.rollback().await?;
                break 'done false;
            }
            // To a hub that knows of no teams: somebody who came by himself, and cannot sign in.
            sqlx::query("insert into account (account_id, username, username_key, password_hash, created_at, \
                         by_open_sign_up, is_team) values ($1, $2, $3, $4, $5, true, true)")
                .bind(id).bind(name).bind(format!("team/{id}")).bind(NO_PASSWORD).bind(now).execute(&mut *tx).await?;
            sqlx::query("insert into member (account_id, person_id, role, since_at) values ($1, $2, 'owner', $3)")
                .bind(id).bind(person.0).bind(now).execute(&mut *tx).await?;
            tx.commit().await?;
            true
        });
        Ok(made.then_some(AccountId(id)))
    }

    /// Gives a team another name; false: it is somebody's own account, which goes by his.
    ///
    /// # Errors
    /// The database is away.
    pub async fn rename_team(&self, team: AccountId, name: &str) -> Result<bool, StoreError> {
        Ok(write!(self, pool => sqlx::query("update account set username = $2 where account_id = $1 and is_team")
            .bind(team.0).bind(name).execute(pool).await?.rows_affected())
            == 1)
    }

    /// Teams that a person belongs to beside his own, by name.
    ///
    /// # Errors
    /// The database is away.
    pub async fn teams_of(&self, person: AccountId) -> Result<Vec<Membership>, StoreError> {
        let rows: Vec<(Uuid, String, i64, bool, String)> = read!(self, pool => sqlx::query_as(
            "select account_id, username, created_at, is_team, role from member join account using (account_id) \
             where person_id = $1 order by username, account_id limit 1000")
            .bind(person.0).fetch_all(pool).await?);
        let membership = |(id, username, created_at, is_shared, text): (Uuid, String, i64, bool, String)| {
            let team = Account { account_id: AccountId(id), username, created_at, made_by: MadeBy::Anybody };
            Ok(Membership { team, role: role(&text)?, is_shared })
        };
        rows.into_iter().map(membership).collect()
    }

    /// Who is in a team: whose own account it is first, then by when they came.
    ///
    /// # Errors
    /// The database is away.
    pub async fn members(&self, team: AccountId) -> Result<Vec<Member>, StoreError> {
        let rows: Vec<(Uuid, String, String, i64, bool)> = read!(self, pool => sqlx::query_as(
            "select account_id, username, 'owner', created_at, true as is_holder \
             from account where account_id = $1 and not is_team \
             union all select p.account_id, p.username, m.role, m.since_at, false \
             from member m join account p on p.account_id = m.person_id where m.account_id = $1 \
             order by 5 desc, 4, 1 limit $2")
            .bind(team.0).bind(Member::MOST + 1).fetch_all(pool).await?);
        let member = |(id, username, text, since_at, is_holder): (Uuid, String, String, i64, bool)| {
            Ok(Member { person_id: AccountId(id), username, role: role(&text)?, since_at, is_holder })
        };
        rows.into_iter().map(member).collect()
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// The database is away.
    pub async fn set_role(&self, team: AccountId, person: AccountId, role: Role) -> Result<MemberChanged, StoreError> {
        self.change_member(team, person, Some(role)).await
    }

    /// Takes somebody out of a team; also himself.
    ///
    /// # Errors
    /// The database is away.
    pub async fn remove_member(&self, team: AccountId, person: AccountId) -> Result<MemberChanged, StoreError> {
        self.change_member(team, person, None).await
    }

    async fn change_member(
        &self,
        team: AccountId,
        person: AccountId,
        role: Option<Role>,
    ) -> Result<MemberChanged, StoreError> {
        Ok(write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let changed = match role {
                _ if !hold!(tx, team) => 0,
                Some(role) => {
                    sqlx::query("update member set role = $3 where account_id = $1 and person_id = $2")
                        .bind(team.0).bind(person.0).bind(role.as_str()).execute(&mut *tx).await?.rows_affected()
                }
                None => {
                    // His keys are void, and stay so if he comes back.
                    sqlx::query("delete from api_key where account_id = $1 and made_by = $2")
                        .bind(team.0).bind(person.0).execute(&mut *tx).await?;
                    sqlx::query("delete from member where account_id = $1 and person_id = $2")
                        .bind(team.0).bind(person.0).execute(&mut *tx).await?.rows_affected()
                }
            };
            if changed != 1 {
                tx.rollback().await?;
                break 'done MemberChanged::NotFound;
            }
            if !is_owned!(tx, team) {
                tx.rollback().await?;
                break 'done MemberChanged::LastOwner;
            }
            if role != Some(Role::Owner) {
                // Who may let nobody in any more has let nobody in: his links are void.
                sqlx::query("delete from invitation where account_id = $1 and made_by = $2")
                    .bind(team.0).bind(person.0).execute(&mut *tx).await?;
            }
            if role.is_none() {
                // Nor do his programs come back with him, should he be invited again.
                sqlx::query("delete from api_key where account_id = $1 and made_by = $2")
                    .bind(team.0).bind(person.0).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            MemberChanged::Done
        }))
    }
}
