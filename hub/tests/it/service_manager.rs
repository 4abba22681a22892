//! What systemd is told, by a socket of our own in its place: `Type=notify` and `WatchdogSec=` as the units have them.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Hub, probe_with};

/// Within which it has to be said that the process is alive.
const WITHIN_US: &str = "1000000";

struct Manager(UnixDatagram);

impl Manager {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self(socket)
    }

    fn hears(&self) -> String {
        let mut bytes = [0; 500];
        let length = self.0.recv(&mut bytes).expect("a word within 30 s");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// All up to the first that begins with it.
    fn hears_until(&self, word: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            heard.push(self.hears());
            if heard.last().is_some_and(|last| last.starts_with(word)) {
                return heard;
            }
        }
    }

    /// Six signs of life; none may come later than systemd would wait, with room for a machine that has much to do.
    fn hears_life(&self) {
        for _ in 0..6 {
            let began = Instant::now();
            assert_eq!(self.hears(), "WATCHDOG=1");
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        }
    }
}

#[test]
fn a_hub_says_that_it_starts_runs_lives_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = Manager::at(&path);
    let words = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", WITHIN_US)];
    let mut hub = Hub::start(directory.path(), &words);
    let heard = manager.hears_until("READY=1");
    let (ready, before) = heard.split_last().unwrap();
    assert!(!before.is_empty() && before.iter().all(|word| word == "EXTEND_TIMEOUT_USEC=60000000"), "{before:?}");
    assert_eq!(*ready, format!("READY=1\nSTATUS=Its pages are at {}.", hub.address));
    manager.hears_life();
    assert_eq!(hub.process.terminate(), Some(0), "{}", hub.process.log());
    manager.hears_until("STOPPING=1");
}

#[test]
fn a_probe_lives_while_redis_is_away_and_says_that_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = Manager::at(&path);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let words = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", WITHIN_US)];
    let mut probe = probe_with(directory.path(), &format!("redis://{closed}"), "LOCAL", "pi", &words);
    assert_eq!(manager.hears(), "READY=1\nSTATUS=Worker pi of region LOCAL.");
    manager.hears_life();
    assert_eq!(probe.terminate(), Some(0), "{}", probe.log());
    manager.hears_until("STOPPING=1");
}

#[test]
fn who_is_not_meant_is_silent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = Manager::at(&path);
    // The watchdog of another process, whose environment this one has by inheritance.
    let other = std::process::id().to_string();
    let words =
        [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", WITHIN_US), ("WATCHDOG_PID", other.as_str())];
    let mut hub = Hub::start(directory.path(), &words);
    manager.hears_until("READY=1");
    assert_eq!(hub.process.terminate(), Some(0));
    assert_eq!(manager.hears(), "STOPPING=1", "and no sign of life before");
}
