//! Words to the service manager, as sd_notify(3) of systemd has them: that a program is ready, is alive, stops. Where nobody
//! listens (`NOTIFY_SOCKET` is not set) nothing is said, and a word that does not arrive changes nothing here.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where the words go.
#[derive(Debug, Default)]
pub struct Notifier {
    to: Option<(UnixDatagram, SocketAddr)>,
    alive_every: Option<Duration>,
}

impl Notifier {
    /// As the service manager has set it for this process: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    #[must_use]
    pub fn from_environment() -> Self {
        let word = |name| std::env::var(name).ok();
        let is_other = word("WATCHDOG_PID").is_some_and(|pid| pid.parse() != Ok(std::process::id()));
        let within_us = word("WATCHDOG_USEC").filter(|_| !is_other);
        Self::new(std::env::var_os("NOTIFY_SOCKET").as_deref(), within_us.as_deref())
    }

    /// `socket`: a path, or a name in the abstract space after an `@`. `within_us`: microseconds within which it has to be
    /// said that the program is alive; it is then said twice in that time, as sd_watchdog_enabled(3) asks.
    #[must_use]
    pub fn new(socket: Option<&OsStr>, within_us: Option<&str>) -> Self {
        let to = socket.and_then(|name| {
            let address = match name.as_bytes() {
                [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
                _ => SocketAddr::from_pathname(name),
            };
            let socket = UnixDatagram::unbound().ok()?;
            // A manager that does not read holds nobody up.
            socket.set_nonblocking(true).ok()?;
            Some((socket, address.ok()?))
        });
        let within_us = within_us.and_then(|us| us.parse::<u64>().ok()).filter(|us| *us > 0 && to.is_some());
        Self { to, alive_every: within_us.map(|us| Duration::from_micros(us / 2)) }
    }

    /// How often it has to be said that the program is alive; `None`: nobody asks.
    #[must_use]
    pub fn alive_every(&self) -> Option<Duration> {
        self.alive_every
    }

    /// It does what it is there for.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// Still at its start: so much more time is needed.
    pub fn starting(&self, more: Duration) {
        self.say(&format!("EXTEND_TIMEOUT_USEC={}", more.as_micros()));
    }

    /// It moves. Without this word it is killed and started again.
    pub fn alive(&self) {
        self.say("WATCHDOG=1");
    }

    /// What it does, for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.say(&format!("STATUS={}", one_line(status)));
    }

    /// It ends.
    pub fn stopping(&self) {
        self.say("STOPPING=1");
    }

    fn say(&self, words: &str) {
        if let Some((socket, address)) = &self.to {
            let _ = socket.send_to_addr(words.as_bytes(), address);
        }
    }
}

/// A line break would begin another word.
fn one_line(status: &str) -> String {
    status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let mut bytes = [0; 200];
        let length = socket.recv(&mut bytes).expect("a word");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn words_arrive_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let by_path = UnixDatagram::bind(&path).expect("a socket");
        let name = format!("betteruptime-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).expect("a name");
        let by_name = UnixDatagram::bind_addr(&abstract_name).expect("a socket");
        let at = format!("@{name}");
        for (socket, given) in [(&by_path, path.as_os_str()), (&by_name, OsStr::new(&at))] {
            let notifier = Notifier::new(Some(given), Some("3000000"));
            assert_eq!(notifier.alive_every(), Some(Duration::from_millis(1_500)));
            notifier.ready("It runs.\nREADY=0");
            assert_eq!(heard(socket), "READY=1\nSTATUS=It runs. READY=0");
            notifier.alive();
            assert_eq!(heard(socket), "WATCHDOG=1");
            notifier.starting(Duration::from_secs(2));
            assert_eq!(heard(socket), "EXTEND_TIMEOUT_USEC=2000000");
            notifier.stopping();
            assert_eq!(heard(socket), "STOPPING=1");
        }
    }

    #[test]
    fn where_nobody_listens_nothing_is_said_and_nobody_waits() {
        let silent = Notifier::new(None, Some("3000000"));
        silent.ready("");
        assert_eq!(silent.alive_every(), None);
        for (socket, within) in [("/nowhere/at/all", "x"), ("", "0"), ("relative", "-1")] {
            let notifier = Notifier::new(Some(OsStr::new(socket)), Some(within));
            notifier.alive();
            assert_eq!(notifier.alive_every(), None, "{socket} {within}");
        }
    }

    #[test]
    fn a_manager_that_does_not_read_holds_nobody_up() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let _deaf = UnixDatagram::bind(&path).expect("a socket");
        let notifier = Notifier::new(Some(path.as_os_str()), None);
        (0..10_000).for_each(|_| notifier.alive());
    }
}
