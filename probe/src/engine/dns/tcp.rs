//! A question over TCP, for answers that do not fit a datagram (RFC 7766).

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::message::{self, Reply};
use crate::engine::socket::Socket;

/// The reply, by `deadline`. `None`: none that could be had or believed.
pub(super) fn ask(server: SocketAddr, id: u16, name: &str, kind: u16, deadline: Instant) -> Option<Reply> {
    let answer = exchange(server, &message::question(id, name, kind), deadline).ok()?;
    match message::reply(&answer, id, name, kind)? {
        // Nothing is too long for TCP.
        Reply::Truncated(_) => None,
        reply @ (Reply::Addresses(_) | Reply::Nxdomain | Reply::Failed(_) | Reply::Malformed) => Some(reply),
    }
}

/// Message for message; each is preceded by its length.
fn exchange(server: SocketAddr, question: &[u8], deadline: Instant) -> io::Result<Vec<u8>> {
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut socket = Socket::new(TcpStream::connect_timeout(&server, left)?, deadline);
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    socket.write_all(&[&length.to_be_bytes()[..], question].concat())?;
    let mut length = [0u8; 2];
    socket.read_exact(&mut length)?;
    let mut answer = vec![0u8; usize::from(u16::from_be_bytes(length))];
    socket.read_exact(&mut answer)?;
    Ok(answer)
}
