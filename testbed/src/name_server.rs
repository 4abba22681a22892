//! A name server that answers as scripted, over UDP and TCP on one port (RFC 1035).

mod message;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::message::{read, write};
use crate::threads::{Stop, Threads, lock};

/// RCODE of a name that does not exist.
pub const NXDOMAIN: u8 = 3;
/// RCODE of a server that failed.
pub const SERVFAIL: u8 = 2;
/// RCODE of a server that does not want to answer.
pub const REFUSED: u8 = 5;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Name servers, such as those of the root.
    Ns,
    /// Any other type, by its number.
    Other(u16),
}

/// How it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// In one datagram.
    Udp,
    /// Over a connection.
    Tcp,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Lower case, no dot at the end; empty for the root.
    pub name: String,
    /// What is asked for.
    pub kind: Kind,
    /// How.
    pub over: Over,
    /// How often this name and kind were asked for before.
    pub before: usize,
}

/// A record of an answer; its owner is the name asked for, or the alias before it. The number is the TTL in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An IPv4 address.
    A(Ipv4Addr, u32),
    /// An IPv6 address.
    Aaaa(Ipv6Addr, u32),
    /// Another name; the records after it are that name's.
    Cname(String, u32),
}

impl From<IpAddr> for Record {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::A(address, 60),
            IpAddr::V6(address) => Self::Aaaa(address, 60),
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These records; none: the name exists, but has no such record.
    Records(Vec<Record>),
    /// These records, and the word that there are more which did not fit.
    Truncated(Vec<Record>),
    /// An RCODE and nothing else.
    Rcode(u8),
    /// The question back, marked as an answer with one record, and these bytes instead of it.
    Garbage(Vec<u8>),
    /// These bytes, whatever was asked.
    Raw(Vec<u8>),
    /// Nothing.
    Silence,
    /// That, later.
    Later(Duration, Box<Self>),
}

impl Answer {
    /// One address if its family is asked for, otherwise no such record.
    #[must_use]
    pub fn address(question: &Question, address: impl Into<IpAddr>) -> Self {
        Self::addresses(question, &[address.into()])
    }

    /// Those of these addresses whose family is asked for.
    #[must_use]
    pub fn addresses(question: &Question, addresses: &[IpAddr]) -> Self {
        let fits =
            |address: &&IpAddr| matches!((question.kind, address.is_ipv4()), (Kind::A, true) | (Kind::Aaaa, false));
        Self::Records(addresses.iter().filter(fits).map(|address| Record::from(*address)).collect())
    }
}

type Counts = Arc<Mutex<HashMap<(String, Kind), usize>>>;

/// Answers until dropped.
#[derive(Debug)]
pub struct NameServer {
    /// Where it listens, over both.
    pub address: SocketAddr,
    counts: Counts,
    stop: Arc<Stop>,
    threads: Threads,
}

impl NameServer {
    /// Answers on a free port of 127.0.0.1 over UDP and TCP.
    pub fn start(script: impl Fn(&Question) -> Answer + Send + Sync + 'static) -> Self {
        loop {
            let (udp, address) = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            // The port may be taken over TCP.
            if let Ok(tcp) = TcpListener::bind(address) {
                return Self::serve(udp, Some(tcp), script);
            }
        }
    }

    /// Nothing listens on its port over TCP.
    pub fn udp_only(script: impl Fn(&Question) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).0, None, script)
    }

    /// Answers at `address` over UDP and TCP.
    pub fn at(address: SocketAddr, script: impl Fn(&Question) -> Answer + Send + Sync + 'static) -> Self {
        Self::serve(socket(address).0, Some(TcpListener::bind(address).unwrap()), script)
    }

    fn serve(
        udp: UdpSocket,
        tcp: Option<TcpListener>,
        script: impl Fn(&Question) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let address = udp.local_addr().unwrap();
        let (counts, stop, threads) = (Counts::default(), Arc::<Stop>::default(), Threads::default());
        let script: Arc<Script> = Arc::new(script);
        let desk = Desk { counts: Arc::clone(&counts), script, stop: Arc::clone(&stop), threads: threads.clone() };
        if let Some(tcp) = tcp {
            let desk = desk.clone();
            threads.spawn(move || desk.serve_tcp(&tcp));
        }
        threads.spawn(move || desk.serve_udp(&Arc::new(udp)));
        Self { address, counts, stop, threads }
    }

    /// How often a name was asked for, all kinds together.
    #[must_use]
    pub fn asked(&self, name: &str) -> usize {
        lock(&self.counts).iter().filter(|((asked, _), _)| asked == name).map(|(_, count)| count).sum()
    }

    /// How often a name was asked for with this kind.
    #[must_use]
    pub fn asked_for(&self, name: &str, kind: Kind) -> usize {
        lock(&self.counts).get(&(name.to_owned(), kind)).copied().unwrap_or(0)
    }

    /// Questions in all.
    #[must_use]
    pub fn questions(&self) -> usize {
        lock(&self.counts).values().sum()
    }

    /// Every name asked for, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = lock(&self.counts).keys().map(|(name, _)| name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.set();
        // Each of its threads waits for one of these; an answer to nobody is of no interest.
        if let Ok(socket) = UdpSocket::bind((self.address.ip(), 0)) {
            let _ = socket.send_to(&[], self.address);
        }
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        self.threads.join();
    }
}

type Script = dyn Fn(&Question) -> Answer + Send + Sync;

/// What its threads share.
#[derive(Clone)]
struct Desk {
    counts: Counts,
    script: Arc<Script>,
    stop: Arc<Stop>,
    threads: Threads,
}

impl Desk {
    fn serve_udp(&self, socket: &Arc<UdpSocket>) {
        let mut buffer = [0u8; 1500];
        while !self.stop.is_set() {
            // A closed port of a client that left is told here, too.
            let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
            let Some((answer, end)) = self.decide(&buffer[..length], Over::Udp) else { continue };
            let is_late = matches!(answer, Answer::Later(..));
            let (desk, socket, question) = (self.clone(), Arc::clone(socket), buffer[..end].to_vec());
            let send = move |desk: &Self| {
                if let Some(answer) = desk.wait(answer).and_then(|answer| write(&question, &answer)) {
                    let _ = socket.send_to(&answer, peer);
                }
            };
            // Only a wait needs a thread of its own.
            if is_late { self.threads.spawn(move || send(&desk)) } else { send(&desk) }
        }
    }

    fn serve_tcp(&self, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stop.is_set() {
                return;
            }
            let Ok(mut stream) = stream else { continue };
            self.stop.watch(&stream);
            let desk = self.clone();
            self.threads.spawn(move || {
                let mut length = [0u8; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut message = vec![0u8; usize::from(u16::from_be_bytes(length))];
                    if stream.read_exact(&mut message).is_err() {
                        break;
                    }
                    let Some((answer, end)) = desk.decide(&message, Over::Tcp) else { continue };
                    let answer = desk.wait(answer).and_then(|answer| write(&message[..end], &answer));
                    let Some(answer) = answer else { continue };
                    let framed = [&u16::try_from(answer.len()).unwrap().to_be_bytes()[..], &answer].concat();
                    if stream.write_all(&framed).is_err() {
                        break;
                    }
                }
                if let Ok(peer) = stream.peer_addr() {
                    desk.stop.forget(peer);
                }
            });
        }
    }

    /// What the script says to a message, and where its question ends.
    fn decide(&self, message: &[u8], over: Over) -> Option<(Answer, usize)> {
        let (mut question, end) = read(message, over)?;
        {
            let mut counts = lock(&self.counts);
            let count = counts.entry((question.name.clone(), question.kind)).or_default();
            question.before = *count;
            *count += 1;
        }
        Some(((self.script)(&question), end))
    }

    /// The answer when it is time; none when it is time to stop.
    fn wait(&self, mut answer: Answer) -> Option<Answer> {
        while let Answer::Later(time, then) = answer {
            if !self.stop.pause(time) {
                return None;
            }
            answer = *then;
        }
        Some(answer)
    }
}

fn socket(address: SocketAddr) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(address).unwrap_or_else(|e| panic!("no name server at {address}: {e}"));
    let address = socket.local_addr().unwrap();
    (socket, address)
}
