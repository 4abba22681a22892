//! A TCP stream with an absolute deadline. A plain read timeout starts anew with every byte, so that a peer that
//! drips would never run out of it.

use std::io::{self, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How much longer than what is left a socket's timeout may be before it is set again: saves a system call per read.
const SLACK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    deadline: Instant,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, deadline: Instant) -> Self {
        Self { stream, deadline, read_timeout: None, write_timeout: None }
    }

    /// Everything from here on must be done by `deadline`.
    pub(super) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    fn remaining(&self) -> io::Result<Duration> {
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left.max(Duration::from_millis(1))),
            Some(_) | None => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn send(&mut self, mut write: impl FnMut(&mut TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        loop {
            let left = self.remaining()?;
            if !will_do(self.write_timeout, left) {
                self.stream.set_write_timeout(Some(left))?;
                self.write_timeout = Some(left);
            }
            match write(&mut self.stream) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.write_timeout = None,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

/// Whether a timeout that is set serves when this much is left. A shorter one does, too: it ran out early, then, and is
/// set anew.
fn will_do(set: Option<Duration>, left: Duration) -> bool {
    set.is_some_and(|set| set <= left + SLACK)
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.remaining()?;
            if !will_do(self.read_timeout, left) {
                self.stream.set_read_timeout(Some(left))?;
                self.read_timeout = Some(left);
            }
            match self.stream.read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.read_timeout = None,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(|stream| stream.write(bytes))
    }

    /// The records of a handshake's last flight leave in one segment.
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(|stream| stream.write_vectored(parts))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair(deadline: Instant) -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Socket::new(stream, deadline), listener.accept().unwrap().0)
    }

    #[test]
    fn a_deadline_that_was_put_off_is_waited_for_and_one_that_passed_is_over() {
        let start = Instant::now();
        let (mut socket, mut peer) = pair(start + Duration::from_secs(10));
        peer.write_all(b"a").unwrap();
        // The timeout set for the first byte is shorter than what the second may take.
        socket.set_deadline(Instant::now() + Duration::from_millis(500));
        assert_eq!(socket.read(&mut [0]).unwrap(), 1);
        socket.set_deadline(start + Duration::from_secs(10));
        let late = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(800));
            peer.write_all(b"b").unwrap();
            peer
        });
        assert_eq!(socket.read(&mut [0]).unwrap(), 1);
        let _peer = late.join().unwrap();
        let until = Instant::now() + Duration::from_millis(200);
        socket.set_deadline(until);
        assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(Instant::now() >= until);
    }

    #[test]
    fn a_peer_that_takes_nothing_holds_a_write_no_longer_than_its_deadline() {
        let until = Instant::now() + Duration::from_millis(200);
        let (mut socket, _peer) = pair(until);
        let bytes = vec![0u8; 64 * 1024];
        let error = loop {
            if let Err(error) = socket.write_all(&bytes) {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(Instant::now() >= until);
    }
}
