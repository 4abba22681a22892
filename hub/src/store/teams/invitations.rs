//! Invitations: links that make whoever follows one a member. One is used by the deletion of its row.

use uuid::Uuid;

use super::{hold, role};
use crate::model::{Account, AccountId, Invitation, InvitationId, InvitationKey, MadeBy, Member, Offer, Role, UtcMs};
use crate::new_id;
use crate::store::{Store, StoreError, read, write};

/// What became of a link that somebody with an account followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// He is a member of this team.
    Joined(AccountId),
    /// He was one before, as he still is; the link stays as it was.
    Already(AccountId),
    /// The team has as many members as it may.
    Full,
    /// There is no such invitation (any more).
    Nothing,
}

/// What became of a link that somebody without an account followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// He has an account, and is a member of this team.
    Yes(Account, AccountId),
    /// The team has as many members as it may.
    Full,
    /// There is no such invitation (any more), or it makes no accounts.
    Nothing,
}

/// The link's team and role, in a transaction that then holds the team.
macro_rules! offered {
    ($tx:ident, $key:expr, $now:expr) => {
        'offered: {
            let found: Option<(Uuid, String, bool)> = sqlx::query_as(
                "select i.account_id, i.role, not p.by_open_sign_up from invitation i \
                 join account p on p.account_id = i.made_by where invitation_key = $1 and ends_at > $2",
            )
            .bind($key.0.as_slice())
            .bind($now)
            .fetch_optional(&mut *$tx)
            .await?;
            let Some((team, role, is_operators)) = found else { break 'offered None };
            if !hold!($tx, AccountId(team)) {
                break 'offered None;
            }
            Some((team, role, is_operators))
        }
    };
}

/// Uses it: whether nobody had.
macro_rules! used {
    ($tx:ident, $key:expr) => {
        sqlx::query("delete from invitation where invitation_key = $1")
            .bind($key.0.as_slice())
            .execute(&mut *$tx)
            .await?
            .rows_affected()
            == 1
    };
}

macro_rules! added {
    ($tx:ident, $team:expr, $person:expr, $role:expr, $now:expr) => {
        sqlx::query(
            "insert into member (account_id, person_id, role, since_at) select $1, $2, $3, $4 \
             where (select count(*) from member where account_id = $1) < $5",
        )
        .bind($team)
        .bind($person)
        .bind($role)
        .bind($now)
        .bind(Member::MOST)
        .execute(&mut *$tx)
        .await?
        .rows_affected()
            == 1
    };
}

impl Store {
    /// Keeps an invitation of an owner; `None`: the team has [`Invitation::MOST`], or he is no owner any more.
    ///
    /// # Errors
    /// The database is away.
    pub async fn invite(
        &self,
        team: AccountId,
        made_by: AccountId,
        key: InvitationKey,
        role: Role,
        now: UtcMs,
    ) -> Result<Option<InvitationId>, StoreError> {
        let id = new_id::ordered();
        let made = write!(self, pool => {
            let mut tx = pool.begin().await?;
            let is_there = hold!(tx, team);
            sqlx::query("delete from invitation where account_id = $1 and ends_at <= $2")
                .bind(team.0).bind(now).execute(&mut *tx).await?;
            let made = is_there && sqlx::query(
                "insert into invitation (invitation_id, invitation_key, account_id, role, made_by, made_at, ends_at) \
                 select $1, $2, $3, $4, $5, $6, $7 where (select count(*) from invitation where account_id = $3) < $8 \
                 and ($3 = $5 or exists (select 1 from member where account_id = $3 and person_id = $5 and role = 'owner'))")
                .bind(id).bind(key.0.as_slice()).bind(team.0).bind(role.as_str()).bind(made_by.0).bind(now)
                .bind(now + Invitation::LIFE_MS).bind(Invitation::MOST).execute(&mut *tx).await?.rows_affected() == 1;
            tx.commit().await?;
            made
        });
        Ok(made.then_some(InvitationId(id)))
    }

    /// Invitations to a team that can be followed, oldest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn invitations(&self, team: AccountId, now: UtcMs) -> Result<Vec<Invitation>, StoreError> {
        let rows: Vec<(Uuid, String, String, i64, i64)> = read!(self, pool => sqlx::query_as(
            "select invitation_id, role, username, made_at, ends_at from invitation i \
             join account p on p.account_id = i.made_by where i.account_id = $1 and ends_at > $2 \
             order by made_at, invitation_id limit $3")
            .bind(team.0).bind(now).bind(Invitation::MOST).fetch_all(pool).await?);
        let invitation = |(id, text, made_by, made_at, ends_at): (Uuid, String, String, i64, i64)| {
            Ok(Invitation { invitation_id: InvitationId(id), role: role(&text)?, made_by, made_at, ends_at })
        };
        rows.into_iter().map(invitation).collect()
    }

    /// Makes a link void; false: the team has no such.
    ///
    /// # Errors
    /// The database is away.
    pub async fn revoke_invitation(&self, team: AccountId, id: InvitationId) -> Result<bool, StoreError> {
        Ok(write!(self, pool => sqlx::query("delete from invitation where account_id = $1 and invitation_id = $2")
            .bind(team.0).bind(id.0).execute(pool).await?.rows_affected())
            == 1)
    }

    /// What a link offers; `None`: it is none of ours, was used or revoked, or is too old.
    ///
    /// # Errors
    /// The database is away.
    pub async fn offer(&self, key: InvitationKey, now: UtcMs) -> Result<Option<Offer>, StoreError> {
        let row: Option<(Uuid, String, String, bool)> = read!(self, pool => sqlx::query_as(
            "select t.account_id, t.username, i.role, not p.by_open_sign_up \
             from invitation i join account t on t.account_id = i.account_id join account p on p.account_id = i.made_by \
             where invitation_key = $1 and ends_at > $2 and t.ending_at is null")
            .bind(key.0.as_slice()).bind(now).fetch_optional(pool).await?);
        row.map(|(team, name, text, is_operators)| {
            Ok(Offer { team: AccountId(team), name, role: role(&text)?, is_operators })
        })
        .transpose()
    }

    /// Makes a person a member, by a link that is used with it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn accept_invitation(
        &self,
        key: InvitationKey,
        person: AccountId,
        now: UtcMs,
    ) -> Result<Accepted, StoreError> {
        Ok(write!(self, pool => {
            let mut tx = pool.begin().await?;
            let accepted = match offered!(tx, key, now) {
                None => Accepted::Nothing,
                Some((team, role, _)) => {
                    let is_in: bool = sqlx::query_scalar(
                        "select $1 = $2 or exists (select 1 from member where account_id = $1 and person_id = $2)")
                        .bind(team).bind(person.0).fetch_one(&mut *tx).await?;
                    if is_in {
                        Accepted::Already(AccountId(team))
                    } else if !hold!(tx, person) || !used!(tx, key) {
                        // Also of whoever is deleting his account meanwhile: a team must not be owned by nobody.
                        Accepted::Nothing
                    } else if added!(tx, team, person.0, role, now) {
                        Accepted::Joined(AccountId(team))
                    } else {
                        Accepted::Full
                    }
                }
            };
            match accepted {
                Accepted::Joined(_) => tx.commit().await?,
                Accepted::Already(_) | Accepted::Full | Accepted::Nothing => tx.rollback().await?,
            }
            accepted
        }))
    }

    /// Makes an account that is a member from the start, by a link that is used with it: all of it or nothing.
    /// `is_closed`: sign-ups are, so that only what an operator made makes accounts. Nobody becomes an operator by it.
    ///
    /// # Errors
    /// [`super::super::Conflict::UsernameTaken`]; or the database is away.
    pub async fn join_as_new(
        &self,
        key: InvitationKey,
        username: &str,
        hash: &str,
        is_closed: bool,
        now: UtcMs,
    ) -> Result<Joined, StoreError> {
        let id = new_id::ordered();
        let (joined, team) = write!(self, pool => 'done: {
            let mut tx = pool.begin().await?;
            let Some((team, role, is_operators)) = offered!(tx, key, now).filter(|(_, _, by)| *by || !is_closed) else {
                tx.rollback().await?;
                break 'done (Some(false), Uuid::nil());
            };
            if !used!(tx, key) {
                tx.rollback().await?;
                break 'done (Some(false), team);
            }
            sqlx::query("insert into account (account_id, username, username_key, password_hash, created_at, \
                         by_open_sign_up, vouched) values ($1, $2, $3, $4, $5, true, $6)")
                .bind(id).bind(username).bind(username.to_lowercase()).bind(hash).bind(now).bind(is_operators)
                .execute(&mut *tx).await?;
            if !added!(tx, team, id, role, now) {
                tx.rollback().await?;
                break 'done (None, team);
            }
            tx.commit().await?;
            (Some(true), team)
        });
        Ok(match joined {
            Some(true) => {
                let made_by = MadeBy::Anybody;
                let account =
                    Account { account_id: AccountId(id), username: username.to_owned(), created_at: now, made_by };
                Joined::Yes(account, AccountId(team))
            }
            Some(false) => Joined::Nothing,
            None => Joined::Full,
        })
    }
}
