//! The websites of the demo while it runs: two listeners on loopback, plain and TLS, which answer for all of them by their name,
//! each as its manner is and as slowly as it would be from afar.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use rustls::pki_types::CertificateDer;
use rustls::{ServerConnection, StreamOwned};

use super::certificates;
use super::dice::{below, tail};
use super::scene::{Manner, PLACES, Place, SITES, Site, Where};
use super::story::MINUTE;
use crate::clock;
use crate::model::UtcMs;

/// Connections that are answered at once; more are closed.
const AT_ONCE: usize = 128;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// Who connects and says nothing.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where the websites are, and whom their visitors have to trust.
pub(super) struct Targets {
    pub host: Where,
    pub root: CertificateDer<'static>,
}

/// Starts them; they end with the process.
pub(super) fn start(end: UtcMs) -> anyhow::Result<Targets> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port for the demo's websites");
    let (plain, tls) = (listen()?, listen()?);
    let host = Where::Here { http: plain.local_addr()?.port(), https: tls.local_addr()?.port() };
    let shown = certificates::make(host, end)?;
    let busy = Arc::new(AtomicUsize::new(0));
    serve(plain, busy.clone(), move |mut stream| answer(&mut stream, host, end))?;
    serve(tls, busy, move |stream| {
        let Ok(connection) = ServerConnection::new(shown.server.clone()) else { return };
        let mut stream = StreamOwned::new(connection, stream);
        answer(&mut stream, host, end);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    })?;
    Ok(Targets { host, root: shown.root })
}

fn serve(
    listener: TcpListener,
    busy: Arc<AtomicUsize>,
    each: impl Fn(TcpStream) + Clone + Send + 'static,
) -> anyhow::Result<()> {
    let accept = move || {
        for stream in listener.incoming().flatten() {
            if busy.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
                busy.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.set_write_timeout(Some(PATIENCE));
            let (each, mine) = (each.clone(), busy.clone());
            let answer = move || {
                each(stream);
                mine.fetch_sub(1, Ordering::Relaxed);
            };
            if std::thread::Builder::new().name("demo website".to_owned()).spawn(answer).is_err() {
                busy.fetch_sub(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::Builder::new().name("demo websites".to_owned()).spawn(accept)?;
    Ok(())
}

/// What a website does when it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Does {
    Answers(u16, String),
    /// It closes the connection.
    Closes,
    /// It says nothing for longer than anybody waits.
    Waits,
}

fn answer(stream: &mut (impl Read + Write), host: Where, end: UtcMs) {
    let Some(head) = head(stream) else { return };
    let field = |name: &str| {
        let line =
            head.lines().skip(1).find_map(|line| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        line.map(|(_, value)| value.trim()).unwrap_or_default()
    };
    let name = field("host").split(':').next().unwrap_or_default();
    let path = head.split(' ').nth(1).unwrap_or("/");
    let place = PLACES.iter().find(|place| field("user-agent").contains(place.region));
    let (does, wait_us) = match SITES.iter().find(|site| host.host(site.host) == name) {
        Some(site) => (does(site, place, path, end, clock::now()), took_us(site, place, clock::now())),
        None if name.starts_with("hooks.") => (Does::Answers(204, String::new()), 20_000),
        None => (Does::Answers(404, "Nobody lives here.".to_owned()), 0),
    };
    std::thread::sleep(Duration::from_micros(u64::try_from(wait_us).unwrap_or(0)));
    match does {
        Does::Answers(status, body) => {
            let kind = if body.starts_with('{') { "application/json" } else { "text/html; charset=utf-8" };
            let head = format!(
                "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                if status == 200 { "OK" } else { "Otherwise" },
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.flush());
        }
        Does::Closes => {}
        Does::Waits => std::thread::sleep(PATIENCE),
    }
}

/// The head of a request; `None`: there is none.
fn head(stream: &mut impl Read) -> Option<String> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 1_024]);
    loop {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(piece.get(..read)?);
        if bytes.windows(4).any(|four| four == b"\r\n\r\n") {
            return Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        if bytes.len() > HEAD_BYTES {
            return None;
        }
    }
}

/// How long it seems to take from afar, beside what it really does.
fn took_us(site: &Site, place: Option<&Place>, now: UtcMs) -> i64 {
    let way = place.map_or(0, |place| place.way_us);
    let of = |what: i64| [now, way, site.work_us, what];
    way + site.work_us + below(site.work_us / 4, &of(1)) + tail(site.work_us * 6, &of(2)) + slow_us(site, now)
}

fn slow_us(site: &Site, now: UtcMs) -> i64 {
    let is_slow = site.manner == Manner::Slow && now.div_euclid(MINUTE).rem_euclid(30) < 12;
    if is_slow { 1_100_000 } else { 0 }
}

/// What it does now, in a demo whose history ended at `end`.
fn does(site: &Site, place: Option<&Place>, path: &str, end: UtcMs, now: UtcMs) -> Does {
    let minute = now.saturating_sub(end).div_euclid(MINUTE);
    let fine = || Does::Answers(200, body(site, path));
    let out = |status: u16, text: &str| Does::Answers(status, text.to_owned());
    match site.manner {
        Manner::Well | Manner::Slow | Manner::CertificateEnds => fine(),
        Manner::OneRegion if place.is_some_and(|place| place.region == "SINGAPORE") => Does::Waits,
        Manner::OneRegion => fine(),
        Manner::OutOfService if minute.rem_euclid(20) >= 16 => out(503, "Service temporarily unavailable."),
        Manner::Flaps if minute.rem_euclid(8) >= 4 => out(502, "Bad gateway"),
        Manner::UnderMaintenance if minute < 75 => out(503, "Back soon: the roaster gets new firmware."),
        Manner::OutOfService | Manner::Flaps | Manner::UnderMaintenance => fine(),
        Manner::WrongContent => {
            out(200, "<h1>Your cart</h1><p>Kenya AA 250 g<p>Your order cannot be paid at the moment.")
        }
        Manner::Silent => Does::Closes,
    }
}

fn body(site: &Site, path: &str) -> String {
    match path {
        "/v2/health" | "/ready" | "/status" => "{\"status\":\"ok\"}".to_owned(),
        _ => format!("<!doctype html><title>{0}</title><h1>{0}</h1><p>A website of the BetterUptime demo.", site.host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_misbehaves_in_its_own_manner() {
        let of = |key: &str| SITES.iter().find(|site| site.key == key).unwrap();
        let now = |key: &str, place: usize, minute: i64| does(of(key), PLACES.get(place), "/", 0, minute * MINUTE);
        assert!(matches!(now("www", 0, 0), Does::Answers(200, _)));
        assert_eq!((now("wholesale", 0, 0), now("tiles", 1, 0)), (Does::Closes, Does::Waits));
        assert!(matches!(now("tiles", 0, 0), Does::Answers(200, _)));
        let states = |key: &str| -> Vec<bool> {
            (0..40).map(|minute| matches!(now(key, 0, minute), Does::Answers(200, _))).collect()
        };
        assert_eq!(states("auth").iter().filter(|up| !**up).count(), 8);
        assert_eq!(states("beta").iter().filter(|up| !**up).count(), 20);
        assert!(
            matches!(now("roastery", 0, 74), Does::Answers(503, _))
                && matches!(now("roastery", 0, 75), Does::Answers(200, _))
        );
        assert!(slow_us(of("images"), 0) > 0 && slow_us(of("images"), 12 * MINUTE) == 0);
    }
}
