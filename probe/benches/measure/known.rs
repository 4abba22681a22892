//! A website and its name server that take their time in every phase, and say how much they really took: a sleep
//! overshoots.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::Failed;
use crate::authority::Authority;

const DNS: Duration = Duration::from_millis(13);
const TLS: Duration = Duration::from_millis(21);
const FIRST_BYTE: Duration = Duration::from_millis(34);
const LAST_BYTE: Duration = Duration::from_millis(8);
/// Connections served at once: more than there are in flight.
const SERVING: usize = 128;

/// What was really done to a check, in the order of [`PHASES`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Took {
    pub(crate) dns: Duration,
    pub(crate) tls: Duration,
    pub(crate) wait: Duration,
    pub(crate) receive: Duration,
}

/// By the number of the check, which is in its host name and its path.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<HashMap<u64, Took>>);

impl Ledger {
    fn write(&self, number: u64, write: impl FnOnce(&mut Took)) {
        write(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(number).or_default());
    }

    /// What was done to a check that is over.
    pub(crate) fn take(&self, number: u64) -> Took {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number).unwrap_or_default()
    }
}

/// The servers; they end with the process.
pub(crate) struct Known {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) name_server: SocketAddr,
    pub(crate) website: SocketAddr,
}

/// Host of a check.
pub(crate) fn host(number: u64) -> String {
    format!("n{number}.known.test")
}

impl Known {
    /// `authority` made a certificate for `*.known.test`.
    pub(crate) fn start(authority: &Authority) -> Result<Self, Failed> {
        let ledger = Arc::new(Ledger::default());
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0")?);
        let name_server = socket.local_addr()?;
        for _ in 0..SERVING / 4 {
            let (socket, ledger) = (Arc::clone(&socket), Arc::clone(&ledger));
            thread::Builder::new().stack_size(64 * 1024).spawn(move || names(&socket, &ledger))?;
        }
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0")?);
        let website = listener.local_addr()?;
        let config = authority.server()?;
        for _ in 0..SERVING {
            let (listener, config, ledger) = (Arc::clone(&listener), Arc::clone(&config), Arc::clone(&ledger));
            thread::Builder::new().stack_size(128 * 1024).spawn(move || {
                while let Ok((stream, _)) = listener.accept() {
                    // A client that went away is seen by the client.
                    let _ = serve(stream, &config, &ledger);
                }
            })?;
        }
        Ok(Self { ledger, name_server, website })
    }
}

/// Says 127.0.0.1 to every question for an IPv4 address, late.
fn names(socket: &UdpSocket, ledger: &Ledger) {
    let mut buffer = [0u8; 512];
    while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
        let asked = Instant::now();
        let mut answer = buffer[..length].to_vec();
        answer[2] |= 0x80;
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
        thread::sleep(DNS);
        // `n<number>` is the first label.
        let label = &buffer[14..13 + usize::from(buffer[12])];
        let Some(number) = std::str::from_utf8(label).ok().and_then(|text| text.parse().ok()) else { continue };
        ledger.write(number, |took| took.dns = asked.elapsed());
        let _ = socket.send_to(&answer, peer);
    }
}

fn serve(stream: TcpStream, config: &Arc<ServerConfig>, ledger: &Ledger) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.peek(&mut [0u8; 1])?;
    let hello = Instant::now();
    thread::sleep(TLS);
    let connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    // The first read takes the hello and writes the answer to it, which is all that the client waits for.
    while stream.conn.wants_read() && !stream.conn.wants_write() {
        stream.conn.read_tls(&mut stream.sock)?;
        stream.conn.process_new_packets().map_err(std::io::Error::other)?;
    }
    stream.conn.write_tls(&mut stream.sock)?;
    let greeted = Instant::now();
    let mut head = Vec::new();
    let mut buffer = [0u8; 2048];
    while !head.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&buffer[..count]);
    }
    let asked = Instant::now();
    let path = String::from_utf8_lossy(&head);
    let number = path.split([' ', '/']).nth(2).and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    thread::sleep(FIRST_BYTE);
    let begun = Instant::now();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\no")?;
    stream.flush()?;
    thread::sleep(LAST_BYTE);
    let ended = Instant::now();
    // Before the client knows that it is over.
    ledger.write(number, |took| {
        (took.tls, took.wait, took.receive) = (greeted - hello, begun - asked, ended - begun);
    });
    stream.write_all(b"k")?;
    stream.flush()
}
