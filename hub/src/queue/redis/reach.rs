//! The way to Redis: whom to trust, who is there, how often it is tried.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use probe::engine::read_roots;
use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, RedisResult, Value};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::link::Link;

/// For name, TCP, TLS and sign-in.
const CONNECT: Duration = Duration::from_secs(4);
/// Longest wait between two tries: all is steady again 30 s after Redis is (P11).
const LONGEST_MS: u64 = 5_000;
/// Addresses of one name that are tried, all at once.
const MAX_TRIED: usize = 16;

/// Where Redis is, who signs in, and whom is trusted.
pub(super) struct Way {
    info: ConnectionInfo,
    /// Authorities that are trusted besides the system's.
    roots: Vec<CertificateDer<'static>>,
}

impl Way {
    /// With `rediss://` whom the system trusts is trusted, and the authorities of `ca_file`.
    ///
    /// # Errors
    /// The URL is not understood, or asks for TLS that verifies nothing; or the file cannot be read.
    pub(super) fn new(url: &str, ca_file: Option<&str>) -> RedisResult<Self> {
        let info = url.into_connection_info()?;
        let mut roots = Vec::new();
        if let ConnectionAddr::TcpTls { insecure, .. } = info.addr() {
            if *insecure {
                let why = "#insecure in the URL of Redis would trust anybody; name its authority in CA_FILE";
                return Err(RedisError::from((ErrorKind::InvalidClientConfig, why)));
            }
            if let Some(path) = ca_file {
                roots = read_roots(path).map_err(|error| std::io::Error::other(error.to_string()))?;
            }
        }
        Ok(Self { info, roots })
    }

    /// A connection of one's own, on which a command may take `wait`.
    pub(super) async fn connect(&self, wait: Duration) -> RedisResult<Link> {
        let connecting = tokio::time::timeout(CONNECT, self.sign_in(wait));
        let mut link = connecting.await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        greet(&mut link).await?;
        Ok(link)
    }

    async fn sign_in(&self, wait: Duration) -> RedisResult<Link> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => self.over(reach(host, *port).await?, wait).await,
            ConnectionAddr::TcpTls { host, port, .. } => {
                let name = ServerName::try_from(host.clone()).map_err(std::io::Error::other)?;
                let stream = reach(host, *port).await?;
                self.over(TlsConnector::from(self.tls()).connect(name, stream).await?, wait).await
            }
            ConnectionAddr::Unix(path) => self.over(UnixStream::connect(path).await?, wait).await,
            _ => Err(RedisError::from((ErrorKind::InvalidClientConfig, "there is no such way to Redis"))),
        }
    }

    async fn over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        wait: Duration,
    ) -> RedisResult<Link> {
        Link::over(stream, self.info.redis_settings(), wait).await
    }

    /// Read anew each time: authorities of the system come and go.
    fn tls(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        // Those that are not understood are left out.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.roots.iter().cloned());
        Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
    }
}

/// The first address of the name that takes the connection.
async fn reach(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    let mut tries: JoinSet<std::io::Result<TcpStream>> = JoinSet::new();
    for address in addresses.into_iter().take(MAX_TRIED) {
        tries.spawn(TcpStream::connect(address));
    }
    let mut refused = std::io::Error::new(std::io::ErrorKind::NotFound, "the host of REDIS_URL has no address");
    while let Some(tried) = tries.join_next().await {
        match tried.map_err(std::io::Error::other).flatten() {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                // What was given up is not delivered when the way is open again: it was published anew by then.
                stream.set_zero_linger()?;
                return Ok(stream);
            }
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// Asks the server who it is, which a user may always do. One that is too old is told from one that is away (T227).
async fn greet(link: &mut Link) -> RedisResult<()> {
    match redis::cmd("HELLO").query_async::<HashMap<String, Value>>(&mut link.connection).await {
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
