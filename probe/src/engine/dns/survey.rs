//! The machine's name servers, asked one by one for the root: for a person who wants to know whether they work.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::lookup::{open, random_id};
use super::message::{self, Reply, TYPE_NS};
use super::system::{ResolverConfig, Source};

/// What came of asking one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAnswer {
    /// The server.
    pub address: SocketAddr,
    /// What it said of the root, and how long it took.
    pub root: RootAnswer,
}

/// What a name server says of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootAnswer {
    /// It knows it.
    Known(Duration),
    /// It answers, and does not say: a server for some names only.
    NotTold(Duration),
    /// It is silent or has lost the world; why.
    Lost(String),
}

/// Asks all servers of the system at the same time.
#[must_use]
pub fn survey_name_servers(budget: Duration) -> Vec<ServerAnswer> {
    survey(&Source::new(ResolverConfig::System), budget)
}

/// Asks all servers of a source at the same time.
pub(super) fn survey(source: &Source, budget: Duration) -> Vec<ServerAnswer> {
    let known = source.known();
    std::thread::scope(|scope| {
        let asked: Vec<_> =
            known.servers.iter().map(|address| (*address, scope.spawn(|| ask(*address, budget)))).collect();
        let answer =
            |root: std::thread::Result<_>| root.unwrap_or_else(|_| RootAnswer::Lost("it was not asked".to_owned()));
        asked.into_iter().map(|(address, thread)| ServerAnswer { address, root: answer(thread.join()) }).collect()
    })
}

/// Twice: one datagram may be lost.
fn ask(server: SocketAddr, budget: Duration) -> RootAnswer {
    let mut buffer = [0u8; 1500];
    for _ in 0..2 {
        let (id, began) = (random_id(), Instant::now());
        let until = began + budget / 2;
        let socket = open(server).and_then(|socket| {
            socket.send(&message::question(id, "", TYPE_NS))?;
            Ok(socket)
        });
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) => return RootAnswer::Lost(format!("it cannot be asked: {error}")),
        };
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match socket.set_read_timeout(Some(left)).and_then(|()| socket.recv(&mut buffer)) {
                Ok(length) => match message::reply(&buffer[..length], id, "", TYPE_NS) {
                    Some(Reply::Failed(2)) => {
                        return RootAnswer::Lost("it answers that it failed (SERVFAIL)".to_owned());
                    }
                    Some(Reply::Failed(_) | Reply::Nxdomain) => return RootAnswer::NotTold(began.elapsed()),
                    Some(Reply::Addresses(_) | Reply::Truncated(_) | Reply::Malformed) => {
                        return RootAnswer::Known(began.elapsed());
                    }
                    None => {}
                },
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return RootAnswer::Lost("nothing listens there".to_owned());
                }
                Err(error) => return RootAnswer::Lost(format!("it cannot be asked: {error}")),
            }
        }
    }
    RootAnswer::Lost(format!("no answer within {} s", budget.as_secs()))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn each_server_is_told_apart() {
        let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let (good, bad, small, silent, closed) = (socket(), socket(), socket(), socket(), socket());
        let servers: Vec<SocketAddr> =
            [&good, &bad, &small, &silent, &closed].iter().map(|socket| socket.local_addr().unwrap()).collect();
        drop(closed);
        for (socket, flags) in [(good, [0x81, 0x80]), (bad, [0x81, 0x82]), (small, [0x81, 0x85])] {
            std::thread::spawn(move || {
                let mut buffer = [0u8; 512];
                let (length, from) = socket.recv_from(&mut buffer).unwrap();
                buffer[2..4].copy_from_slice(&flags);
                socket.send_to(&buffer[..length], from).unwrap();
            });
        }
        let found = survey(
            &Source::new(ResolverConfig::Fixed { servers: servers.clone(), hosts: Vec::new() }),
            Duration::from_secs(1),
        );
        assert_eq!(found.iter().map(|answer| answer.address).collect::<Vec<_>>(), servers);
        let root = |index: usize| &found[index].root;
        assert!(matches!((root(0), root(2)), (RootAnswer::Known(_), RootAnswer::NotTold(_))), "{found:?}");
        for (index, part) in [(1, "SERVFAIL"), (3, "no answer within 1 s"), (4, "nothing listens")] {
            assert!(matches!(root(index), RootAnswer::Lost(why) if why.contains(part)), "{found:?}");
        }
        drop(silent);
    }
}
