//! Sessions: revocable rows behind the tokens.

use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::model::{Account, AccountId, MadeBy, Membership, Origin, Role, Session, SessionKey, SessionLine, UtcMs};

/// So long a session counts as one that is in use, though nobody came back to it yet.
const NEW_MS: i64 = 10 * 60_000;

#[derive(sqlx::FromRow)]
struct SessionRow {
    created_at: i64,
    seen_at: i64,
    expires_at: i64,
    account_id: Uuid,
    username: String,
    person_since_at: i64,
    by_open_sign_up: bool,
    role: Option<String>,
    team_id: Option<Uuid>,
    team_name: Option<String>,
    team_since_at: Option<i64>,
    is_team: Option<bool>,
    acting_for: Option<Uuid>,
    has_teams: bool,
}

impl SessionRow {
    fn team(&self) -> Option<Membership> {
        let team = Account {
            account_id: AccountId(self.team_id?),
            username: self.team_name.clone()?,
            created_at: self.team_since_at?,
            // Whoever looks after the installation does so as a person.
            made_by: MadeBy::Anybody,
        };
        Some(Membership { team, role: Role::named(self.role.as_deref()?)?, is_shared: self.is_team? })
    }

    fn of(self, session_key: SessionKey, asked: Option<AccountId>) -> Session {
        let team = self.team();
        Session {
            session_key,
            has_lost_team: asked.is_none() && self.acting_for.is_some() && team.is_none(),
            team,
            account: Account {
                account_id: AccountId(self.account_id),
                username: self.username,
                created_at: self.person_since_at,
                made_by: MadeBy::of(self.by_open_sign_up),
            },
            created_at: self.created_at,
            seen_at: self.seen_at,
            expires_at: self.expires_at,
            has_teams: self.has_teams,
        }
    }
}

impl Store {
    /// Starts a session, and forgets those of the account that have ended: run out, unused for a day, or beyond [`Session::MOST`]
    /// of those used last. `proof`: the hash of the password that was shown for it, `None` where none was. False: that is
    /// not the account's any more, and nothing was done.
    ///
    /// # Errors
    /// The database is away.
    pub async fn create_session(
        &self,
        account: AccountId,
        key: SessionKey,
        origin: &Origin,
        proof: Option<&str>,
        now: UtcMs,
    ) -> Result<bool, StoreError> {
        Ok(write!(self, pool => {
            let mut transaction = pool.begin().await?;
            // The account's row is held: a change of the password comes before, and is seen, or after, and ends it too.
            let holds = sqlx::query("update account set password_hash = password_hash \
                                     where account_id = $1 and password_hash = coalesce($2, password_hash) \
                                     and ending_at is null and not is_team")
                .bind(account.0).bind(proof).execute(&mut *transaction).await?.rows_affected() == 1;
            if holds {
                // A program that signs in each minute has a hundred in no time, and comes back to none: they go before that of a
                // person who is away for an hour.
                sqlx::query("delete from session where account_id = $1 and (expires_at < $2 or seen_at < $3 \
                             or session_key in (select session_key from session where account_id = $1 \
                             order by (seen_at > created_at or created_at > $5) desc, seen_at desc, created_at desc, \
                             session_key limit 1000 offset $4))")
                    .bind(account.0).bind(now).bind(now - Session::IDLE_MS).bind(Session::MOST - 1).bind(now - NEW_MS)
                    .execute(&mut *transaction).await?;
                sqlx::query("insert into session \
                             (session_key, account_id, created_at, seen_at, expires_at, agent, address) \
                             values ($1, $2, $3, $3, $4, $5, $6)")
                    .bind(key.0.as_slice()).bind(account.0).bind(now).bind(now + Session::LIFE_MS)
                    .bind(&origin.agent).bind(&origin.address).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            holds
        }))
    }

    /// The session of a key, when it was not ended, with the team that `asked` names, or the session where it is `None`: as of
    /// now, so that whoever is taken out of a team is out with his next request. Whether the session is still in time is the
    /// caller's to judge.
    ///
    /// # Errors
    /// The database is away.
    pub async fn session(&self, key: SessionKey, asked: Option<AccountId>) -> Result<Option<Session>, StoreError> {
        let row: Option<SessionRow> = read!(self, pool => sqlx::query_as(
            "select s.created_at, s.seen_at, s.expires_at, p.account_id, p.username, p.created_at as person_since_at, \
             p.by_open_sign_up, m.role, t.account_id as team_id, t.username as team_name, t.created_at as team_since_at, \
             t.is_team, s.acting_for, exists (select 1 from member where person_id = s.account_id) as has_teams \
             from session s join account p on p.account_id = s.account_id \
             left join member m on m.person_id = s.account_id and m.account_id = coalesce($2, s.acting_for) \
             left join account t on t.account_id = m.account_id where s.session_key = $1")
            .bind(key.0.as_slice()).bind(asked.map(|team| team.0)).fetch_optional(pool).await?);
        Ok(row.map(|row| row.of(key, asked)))
    }

    /// Has a person look at a team of his with this session; `None`: at his own. False: he is no member.
    ///
    /// # Errors
    /// The database is away.
    pub async fn act_for(&self, person: AccountId, key: SessionKey, team: AccountId) -> Result<bool, StoreError> {
        let team = Some(team.0).filter(|team| *team != person.0);
        Ok(write!(self, pool => sqlx::query(
            "update session set acting_for = $3 where session_key = $1 and account_id = $2 and \
             ($3 is null or exists (select 1 from member where account_id = $3 and person_id = $2))")
            .bind(key.0.as_slice()).bind(person.0).bind(team).execute(pool).await?.rows_affected())
            == 1)
    }

    /// Notes that a person used it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn touch_session(&self, key: SessionKey, now: UtcMs) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("update session set seen_at = $2 where session_key = $1 and seen_at < $2")
            .bind(key.0.as_slice()).bind(now).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_session(&self, key: SessionKey) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("delete from session where session_key = $1")
            .bind(key.0.as_slice()).execute(pool).await.map(|_| ())?);
        Ok(())
    }

    /// Those of an account that go on, the one used last first; [`Session::MOST`] at most.
    ///
    /// # Errors
    /// The database is away.
    pub async fn sessions_of(&self, account: AccountId, now: UtcMs) -> Result<Vec<SessionLine>, StoreError> {
        let rows: Vec<(Vec<u8>, String, String, i64, i64, i64)> = read!(self, pool => sqlx::query_as(
            "select session_key, agent, address, created_at, seen_at, expires_at from session \
             where account_id = $1 and expires_at > $2 and seen_at > $3 order by seen_at desc, session_key limit $4")
            .bind(account.0).bind(now).bind(now - Session::IDLE_MS).bind(Session::MOST).fetch_all(pool).await?);
        let line =
            |(key, agent, address, created_at, seen_at, expires_at): (Vec<u8>, String, String, i64, i64, i64)| {
                let session_key = SessionKey(key.try_into().ok()?);
                let expires_at = expires_at.min(seen_at + Session::IDLE_MS);
                Some(SessionLine { session_key, origin: Origin { agent, address }, created_at, seen_at, expires_at })
            };
        Ok(rows.into_iter().filter_map(line).collect())
    }

    /// Ends one of an account's; false when it has none of that key.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_session_of(&self, account: AccountId, key: SessionKey) -> Result<bool, StoreError> {
        let ended = write!(self, pool => sqlx::query("delete from session where account_id = $1 and session_key = $2")
            .bind(account.0).bind(key.0.as_slice()).execute(pool).await?.rows_affected());
        Ok(ended > 0)
    }

    /// Ends all of an account's but one; how many these were.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_other_sessions(&self, account: AccountId, kept: SessionKey) -> Result<u64, StoreError> {
        Ok(write!(self, pool => sqlx::query("delete from session where account_id = $1 and session_key <> $2")
            .bind(account.0).bind(kept.0.as_slice()).execute(pool).await?.rows_affected()))
    }

    /// Ends all of an account's.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end_sessions_of(&self, account: AccountId) -> Result<(), StoreError> {
        write!(self, pool => sqlx::query("delete from session where account_id = $1")
            .bind(account.0).execute(pool).await.map(|_| ())?);
        Ok(())
    }
}
