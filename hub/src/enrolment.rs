//! Enrolment of workers, for page and command alike: a password nobody has seen, a user of Redis, the worker's settings.

use std::time::Duration;

use anyhow::anyhow;

use crate::model::enrolment::{self, Place};
use crate::queue::acl::{self, AclError, Admin, Saved};
use crate::secret::Secret;
use crate::store::Store;

/// How this installation reaches Redis.
#[derive(Debug, Clone)]
pub struct RedisAccess {
    /// `REDIS_URL`: the hub's own.
    pub hub_url: Secret,
    /// `REDIS_ADMIN_URL`: somebody who may make users; `None`: people do that themselves.
    pub admin_url: Option<Secret>,
    /// `CA_FILE`: authorities that are trusted as well.
    pub ca_file: Option<String>,
}

impl RedisAccess {
    /// Redis' address without who signs in, to be offered to workers; `None` when workers cannot use one like it.
    #[must_use]
    pub fn bare(&self) -> Option<url::Url> {
        enrolment::bare_redis_url(self.hub_url.expose()).ok()
    }

    /// Whether the hub reaches Redis in a way that a worker elsewhere cannot.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let host = self.bare().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

/// What a new worker is given.
pub struct Ticket {
    /// SHA-256 of the password: all that Redis learns.
    pub password_sha256: String,
    /// The worker's settings, which hold the password.
    pub env_file: Secret,
}

/// A ticket with a password of 32 random bytes.
///
/// # Errors
/// No random bytes.
pub fn ticket(place: &Place, bare_redis_url: &url::Url) -> anyhow::Result<Ticket> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| anyhow!("no random bytes from the system: {e}"))?;
    let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let url = enrolment::worker_redis_url(bare_redis_url, &place.user(), &password);
    Ok(Ticket { password_sha256: enrolment::sha256_hex(&password), env_file: Secret::new(place.env_file(&url)) })
}

/// Whether it survives a restart of Redis, in words.
#[must_use]
pub fn saved_words(saved: &Saved) -> String {
    match saved {
        Saved::InFile => "Redis has it in its ACL file.".to_owned(),
        Saved::Nowhere => {
            "Redis has no ACL file (aclfile), so it forgets this when it restarts: change the line of this \
                           user in its configuration too."
                .to_owned()
        }
        Saved::Failed(said) => {
            format!("Redis could not write its ACL file, and forgets this when it restarts: {said}.")
        }
    }
}

/// What came of a revocation.
#[derive(Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Connections that were ended.
    pub connections: u64,
    /// Whether it survives a restart of Redis.
    pub saved: Saved,
    /// Reports that no hub has taken in yet; the stream is deleted once there are none. `None`: nobody could look.
    pub reports_left: Option<u64>,
}

/// Takes a worker's access away, waits a moment for its last reports, and forgets it.
///
/// # Errors
/// It has no access of its own, or Redis or the database are away.
pub async fn revoke(store: &Store, redis: &RedisAccess, admin: &Secret, place: &Place) -> anyhow::Result<Revoked> {
    let ca_file = redis.ca_file.as_deref();
    let (connections, saved) = Admin::new(admin.expose(), ca_file)?.revoke(place).await?;
    let mut reports_left = None;
    for _ in 0..15 {
        reports_left = acl::retire_stream(redis.hub_url.expose(), ca_file, place).await.ok();
        if reports_left == Some(0) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // What is left of it is still to be taken in, and the stream to be found again by its name here.
    if reports_left == Some(0) {
        store.forget_worker(&place.region, &place.worker).await?;
    }
    Ok(Revoked { connections, saved, reports_left })
}

/// Makes the user of a ticket.
///
/// # Errors
/// There is one of that name, or Redis is away.
pub async fn enrol(redis: &RedisAccess, admin: &Secret, place: &Place, ticket: &Ticket) -> Result<Saved, AclError> {
    Admin::new(admin.expose(), redis.ca_file.as_deref())?.enrol(place, &ticket.password_sha256).await
}
