//! The only listener: hyper with limits and deadlines (P8). What it reads goes through [`super::relay`].

pub(super) mod cache;
mod certificates;
pub(super) mod places;
mod stall;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use hyper_util::rt::{TokioIo, TokioTimer};
use probe::engine::Cidr;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use self::cache::Cache;
use self::certificates::Certificates;
use self::places::{Place, Places};
use self::stall::Stalling;
use super::events::{self, Listeners};
use super::metrics::Readers;
use super::relay;
use super::status::Domains;
use crate::clock;
use crate::config::TlsFiles;
use crate::metrics::Counts;
use crate::store::Store;

const HEAD_BYTES: usize = 16 * 1024;
const FIELDS: usize = 64;
const AT_ONCE: usize = 16;
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// Who takes nothing of his answer for so long is left.
const TAKES_WITHIN: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(10);
/// After a connection could not be accepted for lack of descriptors, no request goes on for so long: the application would
/// need some, too, and would never accept anything again (CASES 2.1).
const SHORT_MS: i64 = 200;
/// Looks in a row, 5 s apart, at which there were none: nobody holds them for so long, something loses them.
const SHORT_LOOKS: u32 = 24;
/// Between two words on connections that could not be accepted.
const TOLD_EVERY_MS: i64 = 10_000;

/// Where the front listens, and its certificate.
pub struct FrontConfig {
    listen: SocketAddr,
    certificates: Option<Arc<Certificates>>,
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
        let certificates = tls.map(Certificates::new).transpose()?;
        Ok(Self { listen, certificates, is_https, proxies, metrics: None })
    }

    /// With `/metrics` for these; without it there is no such path.
    #[must_use]
    pub fn with_metrics(self, readers: Option<Readers>) -> Self {
        Self { metrics: readers, ..self }
    }
}

/// What all connections share.
pub(super) struct Front {
    pub(super) socket: PathBuf,
    pub(super) at_once: Arc<Semaphore>,
    pub(super) is_https: bool,
    pub(super) proxies: Vec<Cidr>,
    pub(super) metrics: Option<Readers>,
    pub(super) counts: Arc<Counts>,
    pub(super) cache: Arc<Cache>,
    /// Hosts that are status pages' own.
    pub(super) domains: Arc<Domains>,
    pub(super) listeners: Arc<Listeners>,
    /// For what those who listen missed.
    pub(super) store: Store,
    pub(super) stopping: watch::Receiver<bool>,
    places: Arc<Places>,
    /// Until when there are no descriptors, by the steady clock.
    short_until_ms: AtomicI64,
}

impl Front {
    /// Whether this process has no descriptors left, or had none a moment ago.
    pub(super) fn is_short(&self) -> bool {
        steady_ms() < self.short_until_ms.load(Ordering::Relaxed)
    }
}

fn steady_ms() -> i64 {
    clock::steady_us().div_euclid(1_000)
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
    store: Store,
    domains: Arc<Domains>,
    stopping: watch::Receiver<bool>,
) -> anyhow::Result<Listening> {
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!(
            "LISTEN is \"{}\", which cannot be listened on; choose another port, or stop what uses it",
            config.listen
        )
    })?;
    let address = listener.local_addr()?;
    let counts = store.counts().clone();
    let tls = config.certificates.as_ref().map(|certificates| certificates.server()).transpose()?;
    let tls = tls.map(|server| TlsAcceptor::from(Arc::new(server)));
    let front = Arc::new(Front {
        socket,
        at_once: Arc::new(Semaphore::new(AT_ONCE)),
        is_https: config.is_https,
        places: Places::new(config.proxies.clone(), counts.clone()),
        proxies: config.proxies,
        metrics: config.metrics,
        cache: Arc::default(),
        domains,
        listeners: Arc::default(),
        store: store.clone(),
        stopping: stopping.clone(),
        short_until_ms: AtomicI64::new(0),
        counts: counts.clone(),
    });
    let reading = tokio::spawn(events::run(store, front.listeners.clone(), stopping.clone()));
    let accepting = accept(front.clone(), listener, tls, stopping.clone());
    let task = tokio::spawn(async move {
        tokio::select! {
            result = accepting => result,
            result = watch_application(front, stopping) => result,
            error = broken(reading) => Err(error),
            () = follow(config.certificates, counts) => bail!("the certificate is followed no more"),
        }
    });
    Ok(Listening { address, task })
}

/// Waits until what was to end with the hub broke before.
async fn broken(task: tokio::task::JoinHandle<()>) -> anyhow::Error {
    match task.await {
        Ok(()) => std::future::pending().await,
        Err(panic) => anyhow::anyhow!("telling those who listen failed: {panic}"),
    }
}

async fn follow(certificates: Option<Arc<Certificates>>, counts: Arc<Counts>) {
    match certificates {
        Some(certificates) => certificates.follow(counts).await,
        None => std::future::pending().await,
    }
}

/// A process that is up but deaf is the worst failure (D2): asked every 5 s whether the application still answers.
async fn watch_application(front: Arc<Front>, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let (mut silent, mut short) = (0, 0);
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
            _ = stopping.changed() => std::future::pending::<()>().await,
        }
        if front.is_short() {
            short += 1;
            if short >= SHORT_LOOKS {
                bail!("no descriptors are left, and none come free; LimitNOFILE may be too low");
            }
            continue;
        }
        short = 0;
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
    let mut told_at_ms = i64::MIN;
    loop {
        let (stream, client) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, or the client went away: the listener itself is fine.
                    let now_ms = steady_ms();
                    if is_shortage(&error) {
                        front.short_until_ms.store(now_ms + SHORT_MS, Ordering::Relaxed);
                    }
                    if now_ms.saturating_sub(told_at_ms) >= TOLD_EVERY_MS {
                        told_at_ms = now_ms;
                        tracing::warn!(%error, "A connection could not be accepted.");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopping.changed() => break,
        };
        // On a dual-stack listener IPv4 clients come as ::ffff:a.b.c.d.
        let Some(counted) = front.places.count(client.ip().to_canonical()) else { continue }; // dropped: closed at once
        let (front, tls, stopping) = (front.clone(), tls.clone(), stopping.clone());
        tokio::spawn(async move {
            if let Some(place) = front.places.admit(counted).await {
                serve(&front, place, stream, tls, stopping).await;
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN, front.places.left()).await;
    Ok(())
}

/// EMFILE or ENFILE: this process, or the machine, has no descriptor left.
fn is_shortage(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    number == Some(Errno::MFILE) || number == Some(Errno::NFILE)
}

async fn serve(
    front: &Arc<Front>,
    place: Arc<Place>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    stopping: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let stream = Stalling::new(stream, TAKES_WITHIN);
    match tls {
        None => serve_http(front, &place, TokioIo::new(stream), stopping).await,
        Some(tls) => {
            let shaken = tokio::time::timeout(HEAD_DEADLINE, tls.accept(stream));
            let shaken = tokio::select! {
                shaken = shaken => shaken,
                () = place.is_needed() => return,
            };
            if let Ok(Ok(stream)) = shaken {
                serve_http(front, &place, TokioIo::new(stream), stopping).await;
            }
        }
    }
}

async fn serve_http<S>(front: &Arc<Front>, place: &Arc<Place>, stream: S, mut stopping: watch::Receiver<bool>)
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin,
{
    let service = hyper::service::service_fn(|request| {
        let (front, place) = (front.clone(), place.clone());
        async move {
            let answer = relay::answer(&front, &place, request).await;
            place.rests();
            Ok::<_, Infallible>(answer)
        }
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
    let mut stops = *stopping.borrow();
    loop {
        let until = place.until();
        tokio::select! {
            _ = connection.as_mut() => return,
            () = place.is_needed() => return,
            _ = stopping.changed(), if !stops => stops = true,
            // One that began to listen may go on.
            () = tokio::time::sleep_until(until) => if place.until() <= until { return },
        }
        if stops {
            connection.as_mut().graceful_shutdown();
        }
    }
}
