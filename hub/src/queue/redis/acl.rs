//! Users of workers in Redis: made, listed, taken away. It signs in as somebody else than the hub does, who may do this
//! (`REDIS_ADMIN_URL`); what the hub itself needs is no administration (CASES 6.2).

use std::time::Duration;

use redis::{RedisError, RedisResult, Value};

use super::link::Link;
use super::reach::Way;
use crate::model::enrolment::{Enrolled, Place, USER_PREFIX};

const WAIT: Duration = Duration::from_secs(5);

/// Why a user was not made or taken away.
#[derive(Debug, thiserror::Error)]
pub enum AclError {
    /// There is a user of that name, which is left as it is.
    #[error("there is a user {user} already{}; revoke it first, or choose another name for the worker", whose(.of.as_ref()))]
    Exists {
        /// Its name.
        user: String,
        /// Whose it is, when it is a worker's.
        of: Option<Place>,
    },
    /// There is no such user, or it belongs to another worker.
    #[error("worker {} of region {} has no user of its own", .0.worker, .0.region)]
    NotEnrolled(Place),
    /// Redis is away, or refused.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
}

fn whose(of: Option<&Place>) -> String {
    of.map_or_else(String::new, |place| format!(" (worker {} of region {})", place.worker, place.region))
}

/// Whether what was changed survives a restart of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saved {
    /// In Redis' ACL file.
    InFile,
    /// Redis has no ACL file: its configuration has to be changed by hand.
    Nowhere,
    /// It has one, and could not write it: what it said.
    Failed(String),
}

/// Who may administer users.
pub struct Admin {
    way: Way,
}

impl Admin {
    /// Signs in with `url` at each call; `ca_file` is trusted as it is for the hub's own connection.
    ///
    /// # Errors
    /// The URL is not understood, or the file cannot be read.
    pub fn new(url: &str, ca_file: Option<&str>) -> Result<Self, AclError> {
        Ok(Self { way: Way::new(url, ca_file)? })
    }

    async fn connect(&self) -> RedisResult<Link> {
        self.way.connect(WAIT).await
    }

    /// All workers' users.
    ///
    /// # Errors
    /// Redis is away, or this user may not.
    pub async fn users(&self) -> Result<Vec<Enrolled>, AclError> {
        let lines: Vec<String> =
            redis::cmd("ACL").arg("LIST").query_async(&mut self.connect().await?.connection).await?;
        Ok(lines.iter().filter_map(|line| Enrolled::parse(line)).collect())
    }

    /// Makes a worker's user. One that exists is never changed.
    ///
    /// # Errors
    /// [`AclError::Exists`]; or Redis is away, older than 7.0, or this user may not.
    pub async fn enrol(&self, place: &Place, password_sha256: &str) -> Result<Saved, AclError> {
        let mut link = self.connect().await?;
        let user = place.user();
        let names: Vec<String> = redis::cmd("ACL").arg("USERS").query_async(&mut link.connection).await?;
        if names.contains(&user) {
            let of = self.users().await?.into_iter().find(|one| one.user == user).map(|one| one.place);
            return Err(AclError::Exists { user, of });
        }
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(&user).arg(place.rules(password_sha256));
        command.query_async::<Value>(&mut link.connection).await?;
        Ok(save(&mut link).await)
    }

    /// Takes a worker's user away and ends its connections. Returns how many there were.
    ///
    /// # Errors
    /// [`AclError::NotEnrolled`]; or Redis is away, or this user may not.
    pub async fn revoke(&self, place: &Place) -> Result<(u64, Saved), AclError> {
        // By its keys: the name alone may be that of another worker.
        let mine = self.users().await?.into_iter().find(|one| one.place == *place && one.user == place.user());
        let Some(mine) = mine.filter(|one| one.user.starts_with(USER_PREFIX)) else {
            return Err(AclError::NotEnrolled(place.clone()));
        };
        let mut link = self.connect().await?;
        // Off first: between the end of its connections and its own end it must not come back.
        redis::cmd("ACL").arg("SETUSER").arg(&mine.user).arg("off").query_async::<Value>(&mut link.connection).await?;
        let killed =
            redis::cmd("CLIENT").arg("KILL").arg("USER").arg(&mine.user).query_async(&mut link.connection).await?;
        redis::cmd("ACL").arg("DELUSER").arg(&mine.user).query_async::<Value>(&mut link.connection).await?;
        Ok((killed, save(&mut link).await))
    }
}

async fn save(link: &mut Link) -> Saved {
    match redis::cmd("ACL").arg("SAVE").query_async::<Value>(&mut link.connection).await {
        Ok(_) => Saved::InFile,
        Err(error) if error.to_string().contains("not configured to use an ACL file") => Saved::Nowhere,
        Err(error) => Saved::Failed(error.to_string()),
    }
}

/// Deletes a worker's stream of reports, once all were taken in; with the hub's own rights. Returns how many are left: when
/// there are any, nothing was deleted.
///
/// # Errors
/// Redis is away.
pub async fn retire_stream(redis_url: &str, ca_file: Option<&str>, place: &Place) -> Result<u64, AclError> {
    let hub = Admin::new(redis_url, ca_file)?;
    let mut link = hub.connect().await?;
    let key = probe::wire::tick_key(&place.region, &place.worker);
    let left: u64 = redis::cmd("XLEN").arg(&key).query_async(&mut link.connection).await?;
    if left == 0 {
        redis::cmd("UNLINK").arg(&key).query_async::<Value>(&mut link.connection).await?;
    }
    Ok(left)
}
