//! The listener that answers [`super::PATH`] and nothing else.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::{PATH, Readers, plain};

/// Connections at once: a few Prometheus, and whoever looks by hand.
const CONNECTIONS: usize = 16;
const HEAD_DEADLINE: Duration = Duration::from_secs(5);
/// A scrape takes seconds where there are thousands of websites.
const CONNECTION_LIFE: Duration = Duration::from_secs(60);

/// A listener that listens.
pub struct ListeningForMetrics {
    /// The address it listens on.
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl ListeningForMetrics {
    /// Waits until it stopped.
    ///
    /// # Errors
    /// It failed by itself.
    pub async fn finished(self) -> anyhow::Result<()> {
        self.task.await.context("the listener for metrics failed")
    }
}

/// Listens until told to stop.
///
/// # Errors
/// The address cannot be listened on.
pub async fn listen(
    address: SocketAddr,
    readers: Readers,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<ListeningForMetrics> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!(
            "METRICS_LISTEN is \"{address}\", which cannot be listened on; choose another port, or stop what uses it"
        )
    })?;
    let address = listener.local_addr()?;
    let (readers, places) = (Arc::new(readers), Arc::new(Semaphore::new(CONNECTIONS)));
    let task = tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopping.changed() => return,
            };
            let Ok((stream, _)) = accepted else {
                // Out of descriptors, or the client went away.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let readers = readers.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| {
                    let readers = readers.clone();
                    async move { Ok::<_, Infallible>(answer(&readers, &request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_DEADLINE)
                    .max_buf_size(16 * 1024)
                    .half_close(false)
                    .serve_connection(TokioIo::new(stream), service);
                let _ = tokio::time::timeout(CONNECTION_LIFE, connection).await;
                drop(place);
            });
        }
    });
    Ok(ListeningForMetrics { address, task })
}

async fn answer(readers: &Readers, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // Without a token, a page elsewhere could have its name point here and read what a browser on this machine may read.
    if readers.token.is_none() && !is_of_this_machine(host) {
        return plain(StatusCode::MISDIRECTED_REQUEST);
    }
    match request.uri().path() {
        PATH => readers.answer(request.method(), request.headers()).await,
        _ => plain(StatusCode::NOT_FOUND),
    }
}

/// Whether a `Host` is an address, or this machine's own name for itself: nobody can have those point elsewhere.
fn is_of_this_machine(host: &str) -> bool {
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(n, _)| n);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok() || bare.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_else_may_have_is_not_this_machine() {
        for host in ["127.0.0.1:9464", "[::1]:9464", "[::1]", "localhost", "LOCALHOST:9464", "10.0.0.7"] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:9464", "localhost.evil.example", "127.0.0.1.evil.example:80"] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
