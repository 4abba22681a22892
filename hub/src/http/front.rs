//! The only listener: hyper with limits and deadlines (P8). What it reads goes through [`super::relay`].

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use hyper_util::rt::{TokioIo, TokioTimer};
use probe::engine::Cidr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::metrics::Readers;
use super::relay;
use crate::config::TlsFiles;
use crate::metrics::Counts;

const HEAD_BYTES: usize = 16 * 1024;
const FIELDS: usize = 64;
pub(super) const CONNECTIONS: usize = 512;
const CONNECTIONS_PER_CLIENT: usize = 32;
const AT_ONCE: usize = 16;
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
const CONNECTION_LIFE: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(10);

/// Where the front listens, and its certificate.
pub struct FrontConfig {
    listen: SocketAddr,
    tls: Option<TlsAcceptor>,
    is_https: bool,
    proxies: Vec<Cidr>,
    metrics: Option<Readers>,
}

impl FrontConfig {
    /// Reads the certificate, when there is one. `is_https`: browsers come over TLS, ours or a proxy's. `proxies`: whose
    /// word on who the client is counts.
    ///
    /// # Errors
    /// Certificate or key cannot be read or do not fit each other.
    pub fn new(listen: SocketAddr, tls: Option<&TlsFiles>, is_https: bool, proxies: Vec<Cidr>) -> anyhow::Result<Self> {
        let tls = tls.map(acceptor).transpose()?;
        Ok(Self { listen, tls, is_https, proxies, metrics: None })
    }

    /// With `/metrics` for these; without it there is no such path.
    #[must_use]
    pub fn with_metrics(self, readers: Option<Readers>) -> Self {
        Self { metrics: readers, ..self }
    }
}

fn acceptor(files: &TlsFiles) -> anyhow::Result<TlsAcceptor> {
    let shown = |path: &Path| path.display().to_string();
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("TLS_CERT_FILE {} holds no PEM certificates", shown(&files.certificate)))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("TLS_KEY_FILE {} holds no PEM key", shown(&files.key)))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("TLS_CERT_FILE and TLS_KEY_FILE do not fit each other")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What all connections share.
pub(super) struct Front {
    pub(super) socket: PathBuf,
    pub(super) at_once: Arc<Semaphore>,
    pub(super) is_https: bool,
    pub(super) proxies: Vec<Cidr>,
    pub(super) metrics: Option<Readers>,
    pub(super) counts: Arc<Counts>,
    connections: Arc<Semaphore>,
    per_client: Mutex<HashMap<IpAddr, usize>>,
}

/// A client's place among the connections; given back when dropped.
struct Place {
    front: Arc<Front>,
    client: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.front.counts.closed.add(1);
        let mut clients = self.front.per_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

impl Front {
    fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let Ok(permit) = self.connections.clone().try_acquire_owned() else {
            self.counts.refused_all.add(1);
            return None;
        };
        let mut clients = self.per_client.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        // A proxy speaks for many, and so may one on this machine that nobody told us of.
        let speaks_for_many = client.is_loopback() || self.proxies.iter().any(|p| p.contains(client));
        if *count >= CONNECTIONS_PER_CLIENT && !speaks_for_many {
            self.counts.refused_client.add(1);
            return None;
        }
        *count += 1;
        self.counts.accepted.add(1);
        Some(Place { front: self.clone(), client, _permit: permit })
    }
}

/// A listening front.
pub struct Listening {
    /// The address it listens on; the port is chosen by the system when 0 was asked for.
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Listening {
    /// Waits until it stopped.
    ///
    /// # Errors
    /// It stopped by itself: the process must be restarted (D2).
    pub async fn finished(self) -> anyhow::Result<()> {
        self.task.await.context("the front failed")?
    }
}

/// Listens, and serves through the application at `socket`.
///
/// # Errors
/// The address cannot be listened on.
pub(super) async fn listen(
    config: FrontConfig,
    socket: PathBuf,
    counts: Arc<Counts>,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<Listening> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "LISTEN is \"{}\", which cannot be listened on; choose another port, or stop what uses it",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    let front = Arc::new(Front {
        socket,
        connections: Arc::new(Semaphore::new(CONNECTIONS)),
        at_once: Arc::new(Semaphore::new(AT_ONCE)),
        per_client: Mutex::default(),
        is_https: config.is_https,
        proxies: config.proxies,
        metrics: config.metrics,
        counts,
    });
    let accepting = accept(front.clone(), listener, config.tls, stopping.clone());
    let task = tokio::spawn(async move {
        tokio::select! {
            result = accepting => result,
            result = watch_application(front, stopping) => result,
        }
    });
    Ok(Listening { address, task })
}

/// A process that is up but deaf is the worst failure (D2): asked every 5 s whether the application still answers.
async fn watch_application(front: Arc<Front>, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut silent = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            _ = stopping.changed() => std::future::pending::<()>().await,
        }
        // Bounded: an application whose workers all wait would otherwise be waited for, too.
        let asked = tokio::time::timeout(Duration::from_secs(5), relay::is_alive(&front.socket)).await;
        silent = if asked.is_ok_and(|answered| answered) { 0 } else { silent + 1 };
        if silent >= 3 {
            bail!("the application behind the front does not answer");
        }
    }
}

async fn accept(
    front: Arc<Front>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    loop {
        let (stream, client) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, or the client went away: the listener itself is fine.
                    tracing::warn!(%error, "A connection could not be accepted.");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopping.changed() => break,
        };
        // On a dual-stack listener IPv4 clients come as ::ffff:a.b.c.d.
        let Some(place) = front.admit(client.ip().to_canonical()) else { continue }; // dropped: closed at once
        let (tls, stopping) = (tls.clone(), stopping.clone());
        tokio::spawn(async move {
            let life = tokio::time::timeout(CONNECTION_LIFE, serve(place, stream, tls, stopping));
            let _ = life.await;
        });
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(DRAIN, front.connections.acquire_many(all)).await;
    Ok(())
}

async fn serve(place: Place, stream: TcpStream, tls: Option<TlsAcceptor>, stopping: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve_http(&place, TokioIo::new(stream), stopping).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_DEADLINE, tls.accept(stream)).await {
                serve_http(&place, TokioIo::new(stream), stopping).await;
            }
        }
    }
}

async fn serve_http<S>(place: &Place, stream: S, mut stopping: watch::Receiver<bool>)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let service = hyper::service::service_fn(|request| {
        let (front, client) = (place.front.clone(), place.client);
        async move { Ok::<_, Infallible>(relay::answer(&front, client, request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // Also ends idle connections (CASES 2.1).
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES)
        .max_headers(FIELDS)
        .half_close(false)
        .serve_connection(stream, service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
