//! One connection of a server, in the hands of its script.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};

use super::{Log, Open};
use crate::threads::{Stop, lock};

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// One connection of a [`Server`](super::Server). Dropping it closes the socket without a word; unread bytes make that a reset.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    log: Arc<Log>,
    stop: Arc<Stop>,
    peer: SocketAddr,
}

impl Connection {
    pub(super) fn open(mut stream: TcpStream, tls: Option<Arc<ServerConfig>>, open: &Open) -> Option<Self> {
        let stream = match tls {
            None => Stream::Plain(stream),
            Some(config) => {
                let mut session = ServerConnection::new(config).ok()?;
                while session.is_handshaking() {
                    if session.complete_io(&mut stream).is_err() {
                        // The alert that says why.
                        let _ = session.write_tls(&mut stream);
                        open.1.forget(open.2);
                        return None;
                    }
                }
                Stream::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        };
        Some(Self { stream, log: Arc::clone(&open.0), stop: Arc::clone(&open.1), peer: open.2 })
    }

    /// The socket, below TLS.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    /// The name the client asked for in its TLS handshake.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        match &self.stream {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => stream.conn.server_name(),
        }
    }

    /// Whether the TLS handshake continued an earlier session instead of showing the certificate.
    #[must_use]
    pub fn resumed(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.conn.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }

    /// Reads a request head, and returns it.
    pub fn head(&mut self) -> String {
        let head = head(self);
        if !head.is_empty() {
            lock(&self.log.heads).push(head.clone());
        }
        head
    }

    /// Waits until something has come, and leaves it unread: closing is a reset from then on.
    pub fn await_request(&mut self) {
        let _ = self.socket().peek(&mut [0u8; 1]);
    }

    /// Writes as long as the other side takes it; true when it took all.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.write_all(bytes.as_ref()).and_then(|()| self.flush()).is_ok()
    }

    /// Writes the same bytes again and again until the other side is gone.
    pub fn say_for_ever(&mut self, bytes: impl AsRef<[u8]>) {
        while self.say(&bytes) {}
    }

    /// Writes byte by byte, `pace` apart, until the other side is gone.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>, pace: Duration) {
        for byte in bytes.as_ref() {
            if !self.say([*byte]) || !self.pause(pace) {
                return;
            }
        }
    }

    /// Waits, less when the server is dropped. False: it was.
    pub fn pause(&self, time: Duration) -> bool {
        self.stop.pause(time)
    }

    /// Reads until the other side is gone: the connection stays open as long as the client wants it.
    pub fn hold(&mut self) {
        hold(self);
    }

    /// Keeps the connection open and reads nothing, until the server is dropped or `time` is over.
    pub fn ignore(&self, time: Duration) {
        self.stop.pause(time);
    }

    /// Ends an answer in good order: `close_notify` where there is TLS, then FIN.
    pub fn close(mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }

    /// FIN in both directions at once, without `close_notify`.
    pub fn cut(self) {
        let _ = self.socket().shutdown(Shutdown::Both);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop.forget(self.peer);
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.stream {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }?;
        self.log.received.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.stream {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }?;
        self.log.written.fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}

/// Reads a request head, and returns it; less when the connection ends before.
pub fn head(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0u8; 1];
    while !bytes.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until the other side is gone.
pub fn hold(stream: &mut impl Read) {
    let mut buffer = [0u8; 1024];
    while matches!(stream.read(&mut buffer), Ok(count) if count > 0) {}
}
