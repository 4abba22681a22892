//! TCP connect across the addresses of a host.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::classify::Trouble;
use super::limits::CONNECT_SHARE;
use crate::wire::{Blame, Class, Failure, Phase};

/// Connects to the first address that answers, by `deadline`.
pub(super) fn dial(addresses: &[SocketAddr], deadline: Instant) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut worst: Option<Trouble> = None;
    for (index, address) in addresses.iter().enumerate() {
        let others = u32::try_from(addresses.len() - index - 1).unwrap_or(0);
        let left = deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(1) {
            worst.get_or_insert_with(|| timeout(*address));
            break;
        }
        let share = if others == 0 { left } else { (left / (others + 1)).min(CONNECT_SHARE) };
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                // Small requests are written at once anyway; a failure here changes nothing that is measured.
                let _ = stream.set_nodelay(true);
                return Ok((stream, *address));
            }
            Err(e) => {
                let trouble = classify(*address, &e);
                // A family without a route says nothing about the target while another address does.
                if worst.as_ref().is_none_or(|w| w.blame == Blame::Probe || trouble.blame == Blame::Target) {
                    worst = Some(trouble);
                }
            }
        }
    }
    Err(worst
        .unwrap_or_else(|| Trouble {
            class: Class::ProbeError,
            phase: Phase::Connect,
            blame: Blame::Probe,
            detail: "There was no address to connect to.".to_owned(),
        })
        .into())
}

fn timeout(address: SocketAddr) -> Trouble {
    Trouble {
        class: Class::ConnectTimeout,
        phase: Phase::Connect,
        blame: Blame::Target,
        detail: format!("{address} did not answer the connection attempt in time."),
    }
}

fn classify(address: SocketAddr, error: &io::Error) -> Trouble {
    use io::ErrorKind as Kind;
    #[expect(clippy::wildcard_enum_match_arm, reason = "std's list is open")]
    let (class, blame, detail) = match error.kind() {
        Kind::TimedOut | Kind::WouldBlock => return timeout(address),
        Kind::ConnectionRefused => {
            (Class::ConnectRefused, Blame::Target, format!("{address} refused the connection: nothing listens there."))
        }
        Kind::HostUnreachable => {
            (Class::ConnectUnreachable, Blame::Target, format!("{address} cannot be reached: no route to the host."))
        }
        Kind::NetworkUnreachable | Kind::NetworkDown => {
            (Class::ConnectUnreachable, Blame::Probe, format!("The probe's network has no way to {address}: {error}."))
        }
        Kind::ConnectionReset | Kind::ConnectionAborted => {
            (Class::ConnectFailed, Blame::Target, format!("{address} broke off the connection attempt: {error}."))
        }
        // Out of descriptors, ports or permissions, a firewall of our own: nothing the target did.
        _ => (Class::ConnectFailed, Blame::Probe, format!("The probe could not connect to {address}: {error}.")),
    };
    Trouble { class, phase: Phase::Connect, blame, detail }
}
