//! `METRICS_LISTEN`: what this worker does, for a Prometheus on the same machine, and one check on request under the names of
//! the blackbox exporter. Off unless it is asked for, and on loopback alone: a probe has no other listener (CASES D5).

mod exporter;
mod http;
mod own;
mod page;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::Duration;

use self::http::{Answer, Request};
use crate::engine::Engine;
use crate::shared::Shared;

/// Connections at once that are answered: a scrape takes one, for as long as a check takes.
const CONNECTIONS: usize = 8;
/// As many more are told to come again; what is beyond is closed.
const REFUSED: usize = 8;
/// A check with its TLS and buffers, as in the pool.
const STACK_BYTES: usize = 256 * 1024;
/// After a connection could not be accepted, for lack of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// What answers are made of.
pub(crate) struct Metrics {
    pub(crate) shared: Arc<Shared>,
    /// The worker's own: what it may not reach nobody reaches through it.
    pub(crate) engine: Arc<Engine>,
}

/// Listens, on a thread that ends with the process. The worker goes on without it where that cannot be had: checks matter more.
pub(crate) fn start(listen: SocketAddr, metrics: Metrics) {
    if !listen.ip().is_loopback() {
        log::warn!(
            "METRICS_LISTEN is {listen}, which others reach; a probe shows its metrics on loopback alone: none are."
        );
        return;
    }
    let listening = TcpListener::bind(listen).and_then(|listener| {
        let address = listener.local_addr()?;
        Builder::new().name("metrics".into()).spawn(move || accept(&listener, &Arc::new(metrics)))?;
        Ok(address)
    });
    match listening {
        Ok(address) => log::info!("Metrics are at http://{address}/metrics."),
        Err(error) => {
            log::warn!("METRICS_LISTEN is {listen}, which cannot be listened on ({error}); it goes on without.")
        }
    }
}

fn accept(listener: &TcpListener, metrics: &Arc<Metrics>) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(PAUSE);
            continue;
        };
        let Some(place) = Place::take(&open) else { continue };
        let metrics = metrics.clone();
        let serve = move || {
            // All of it: a closure that only reads a field takes that alone along, and the place would be given back here.
            let place = place;
            serve(&stream, |request| {
                if place.is_answered {
                    metrics.answer(request)
                } else {
                    Answer::text(503, "Too many connections; try again.\n")
                }
            });
        };
        // Where no thread can be had it is closed.
        let _ = Builder::new().name("scrape".into()).stack_size(STACK_BYTES).spawn(serve);
    }
}

/// One of the connections; given back when dropped.
struct Place {
    open: Arc<AtomicUsize>,
    /// The others are only told that there are too many.
    is_answered: bool,
}

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Option<Self> {
        let was = open.fetch_add(1, Ordering::Relaxed);
        let place = Self { open: open.clone(), is_answered: was < CONNECTIONS };
        (was < CONNECTIONS + REFUSED).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve(stream: &TcpStream, answer: impl FnOnce(&Request) -> Answer) {
    let answered = match http::read(stream) {
        Ok(request) => answer(&request),
        Err(Some(refused)) => refused,
        // Nobody is there any more, or nothing was asked.
        Err(None) => return,
    };
    let _ = http::write(stream, &answered);
}

impl Metrics {
    fn answer(&self, request: &Request) -> Answer {
        match request.path.as_str() {
            "/metrics" => Answer::metrics(own::text(&self.shared)),
            "/probe" => exporter::answer(&self.engine, request),
            "/" => Answer::text(200, "/metrics: this worker. /probe?target=https://example.com: one check.\n"),
            _ => Answer::text(404, "There are /metrics and /probe?target=https://example.com.\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_have_a_place() {
        let open = Arc::new(AtomicUsize::new(0));
        let mut held: Vec<Place> = (0..2 * (CONNECTIONS + REFUSED)).filter_map(|_| Place::take(&open)).collect();
        let answered = held.iter().filter(|place| place.is_answered).count();
        assert_eq!((held.len(), answered), (CONNECTIONS + REFUSED, CONNECTIONS));
        held.truncate(CONNECTIONS - 1);
        assert!(Place::take(&open).is_some_and(|place| place.is_answered));
        drop(held);
        assert_eq!(open.load(Ordering::Relaxed), 0);
    }
}
