//! The way to Redis: whom to trust, who is there, how often it is tried.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, IntoConnectionInfo, RedisError, RedisResult, TlsCertificates, Value,
};

/// For name, TCP, TLS and sign-in.
const CONNECT: Duration = Duration::from_secs(4);
/// Longest wait between two tries: all is steady again 30 s after Redis is (P11).
const LONGEST_MS: u64 = 5_000;

/// Clients to be tried in this order: with `rediss://`, who trusts the authorities of `ca_file` alone comes before who
/// trusts the system's. The library takes either, and who signed Redis' certificate is not told beforehand.
pub(super) fn clients(url: &str, ca_file: Option<&str>) -> RedisResult<Vec<Client>> {
    let system = Client::open(url)?;
    let mut clients = Vec::new();
    if let (Some(path), true) = (ca_file, url.starts_with("rediss:")) {
        let roots = TlsCertificates { client_tls: None, root_cert: Some(std::fs::read(path)?) };
        clients.push(Client::build_with_tls(url.into_connection_info()?, roots)?);
    }
    clients.push(system);
    Ok(clients)
}

/// A connection of one's own, on which a command may take `wait`.
pub(super) async fn connect(clients: &[Client], wait: Duration) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(Some(wait)).set_connection_timeout(Some(CONNECT));
    let mut distrust = None;
    for client in clients {
        match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(mut connection) => {
                greet(&mut connection).await?;
                return Ok(connection);
            }
            // Another client may trust it.
            Err(error) if error.to_string().contains("invalid peer certificate") => {
                distrust = distrust.or(Some(error));
            }
            Err(error) => return Err(error),
        }
    }
    Err(distrust.unwrap_or_else(|| std::io::Error::other("there is no client").into()))
}

/// Asks the server who it is, which a user may always do. One that is too old is told from one that is away (T227).
async fn greet(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    match redis::cmd("HELLO").query_async::<HashMap<String, Value>>(connection).await {
        Ok(fields) => match fields.get("version").and_then(too_old) {
            Some(version) => {
                let detail = format!("it is {version}; 7.0 or newer is needed, or Valkey: update it");
                Err(RedisError::from((ErrorKind::InvalidClientConfig, "Redis is too old", detail)))
            }
            None => Ok(()),
        },
        Err(error) if super::is_answer(&error) => Ok(()), // what stands between may not know it
        Err(error) => Err(error),
    }
}

/// The version, when it is below 7.
fn too_old(version: &Value) -> Option<String> {
    let version = redis::from_redis_value_ref::<String>(version).ok()?;
    let major = version.split('.').next()?.parse::<u32>().ok()?;
    (major < 7).then(|| version.chars().filter(char::is_ascii_graphic).take(20).collect())
}

/// When Redis may be tried again. Who asks before is told so at once, whatever the number of those who ask (T236).
#[derive(Debug, Default)]
pub(super) struct Gate {
    open_at: Option<Instant>,
    failures: u32,
}

impl Gate {
    /// # Errors
    /// It is too early.
    pub(super) fn pass(&self, now: Instant) -> RedisResult<()> {
        match self.open_at {
            Some(at) if now < at => {
                let ms = at.saturating_duration_since(now).as_millis();
                Err(std::io::Error::other(format!("it is away; the next try is in {ms} ms")).into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// `chance` spreads the tries of many hubs.
    pub(super) fn note(&mut self, is_reached: bool, now: Instant, chance: u64) {
        if is_reached {
            *self = Self::default();
            return;
        }
        let most = LONGEST_MS.min(1_000 << self.failures.min(8));
        self.failures = self.failures.saturating_add(1);
        self.open_at = Some(now + Duration::from_millis(most / 2 + chance % (most / 2)));
    }
}

/// Whether Redis may throw away what it has not been told to delete: "volatile" policies touch keys with an expiry only,
/// and none of ours has one (T226).
pub(super) fn evicting_policy(memory: &str) -> Option<&str> {
    let policy = memory.lines().find_map(|line| line.trim_end().strip_prefix("maxmemory_policy:"))?;
    policy.starts_with("allkeys-").then_some(policy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t236_redis_is_tried_less_than_once_a_second_and_again_within_5_s() {
        let (mut now, mut gate, mut waits) = (Instant::now(), Gate::default(), Vec::new());
        for chance in 0..12 {
            assert!(gate.pass(now).is_ok());
            gate.note(false, now, chance * 997);
            let began = now;
            while gate.pass(now).is_err() {
                now += Duration::from_millis(10);
            }
            waits.push(now - began);
        }
        assert!(waits[0] >= Duration::from_millis(500) && waits.iter().sum::<Duration>() > Duration::from_secs(24));
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(5)), "{waits:?}");
        gate.note(false, now, 0);
        gate.note(true, now, 0);
        assert!(gate.pass(now).is_ok());
    }

    #[test]
    fn t226_a_policy_that_takes_any_key_is_told_from_others() {
        let info = |policy: &str| format!("# Memory\r\nmaxmemory:1\r\nmaxmemory_policy:{policy}\r\nx:1\r\n");
        assert_eq!(evicting_policy(&info("allkeys-lru")), Some("allkeys-lru"));
        assert_eq!((evicting_policy(&info("noeviction")), evicting_policy(&info("volatile-ttl"))), (None, None));
        assert_eq!(evicting_policy(""), None);
    }

    #[test]
    fn t227_a_server_is_judged_by_its_version() {
        let version = |text: &str| too_old(&Value::BulkString(text.into()));
        assert_eq!(version("6.2.14").as_deref(), Some("6.2.14"));
        assert_eq!((version("7.0.15"), version("8.2.1"), version("x")), (None, None, None));
    }
}
