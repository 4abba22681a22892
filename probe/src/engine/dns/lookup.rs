//! One look-up: A and AAAA together, each server in turn, twice around, late answers still heard.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::message::{self, Reply, TYPE_A, TYPE_AAAA, TYPE_NS};
use super::{DnsError, tcp};
use crate::wire::IpFamily;

/// How long a family that has answered waits for the other (RFC 8305, resolution delay).
const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How long a family that is said not to exist waits for the other. Some servers say so of a name that has addresses
/// of the other family only (RFC 4074, 4.2); what hangs on it is not a preference but an outage, hence the longer wait.
const NXDOMAIN_DELAY: Duration = Duration::from_millis(500);
/// How long one socket is listened to while others are open.
const TURN: Duration = Duration::from_millis(20);
/// How long the servers may take to prove that they know the root.
const ROOT_BUDGET: Duration = Duration::from_millis(500);
/// Times each server is asked.
const ROUNDS: usize = 2;

struct Question {
    id: u16,
    kind: u16,
    reply: Option<Reply>,
    /// Asked of the current server, not yet answered by it.
    open: bool,
}

impl Question {
    fn decided(&self) -> bool {
        match &self.reply {
            Some(Reply::Addresses(_) | Reply::Nxdomain) => true,
            Some(Reply::Failed(_) | Reply::Truncated(_) | Reply::Malformed) | None => false,
        }
    }
}

struct Server {
    address: SocketAddr,
    socket: Option<UdpSocket>,
    /// Said no to everything that is undecided: waiting longer is in vain.
    gave_up: bool,
}

pub(super) struct Lookup<'a> {
    name: &'a str,
    questions: Vec<Question>,
    servers: Vec<Server>,
    deadline: Instant,
    root_id: Option<u16>,
    root_known: Option<bool>,
    /// Until when an answer that could do waits for that of the other family.
    enough_at: Option<Instant>,
    trouble: Option<String>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(name: &'a str, family: IpFamily, servers: &[SocketAddr], deadline: Instant) -> Self {
        let kinds: &[u16] = match family {
            IpFamily::Any => &[TYPE_AAAA, TYPE_A],
            IpFamily::V4 => &[TYPE_A],
            IpFamily::V6 => &[TYPE_AAAA],
        };
        Self {
            name,
            questions: kinds
                .iter()
                .map(|kind| Question { id: random_id(), kind: *kind, reply: None, open: false })
                .collect(),
            servers: servers.iter().map(|s| Server { address: *s, socket: None, gave_up: false }).collect(),
            deadline,
            root_id: None,
            root_known: None,
            enough_at: None,
            trouble: None,
        }
    }

    pub(super) fn run(mut self) -> Result<Vec<IpAddr>, DnsError> {
        let turns = self.servers.len() * ROUNDS;
        for turn in 0..turns {
            let now = Instant::now();
            let left = self.deadline.saturating_duration_since(now);
            if left.is_zero() || self.finished() {
                break;
            }
            let share = left / u32::try_from(turns - turn).unwrap_or(1);
            let server = turn % self.servers.len();
            if turn >= self.servers.len() && self.root_id.is_none() {
                self.root_id = Some(random_id());
            }
            if self.ask(server) {
                self.listen(server, now + share);
            }
        }
        self.conclude()
    }

    /// Sends what is undecided to a server. False when it cannot be reached.
    fn ask(&mut self, index: usize) -> bool {
        let address = self.servers[index].address;
        if self.servers[index].socket.is_none() {
            match open(address) {
                Ok(socket) => self.servers[index].socket = Some(socket),
                Err(e) => {
                    self.trouble = Some(format!("{address}: {e}"));
                    return false;
                }
            }
        }
        self.servers[index].gave_up = false;
        for question in &mut self.questions {
            question.open = !question.decided();
        }
        let mut messages: Vec<Vec<u8>> = self
            .questions
            .iter()
            .filter(|q| !q.decided())
            .map(|q| message::question(q.id, self.name, q.kind))
            .collect();
        if let Some(id) = self.root_id
            && self.root_known != Some(true)
        {
            messages.push(message::question(id, "", TYPE_NS));
        }
        let Some(socket) = &self.servers[index].socket else { return false };
        for message in messages {
            if let Err(e) = socket.send(&message) {
                self.trouble = Some(format!("{address}: {e}"));
                self.servers[index].socket = None;
                return false;
            }
        }
        true
    }

    /// Listens to the server just asked until `until`, and to those asked before in between.
    fn listen(&mut self, current: usize, until: Instant) {
        let mut buffer = [0u8; 1500];
        while !self.finished() && !self.servers[current].gave_up && self.servers[current].socket.is_some() {
            let wait_until = self.enough_at.map_or(until, |at| until.min(at)).min(self.deadline);
            let left = wait_until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let open = self.servers.iter().filter(|s| s.socket.is_some()).count();
            self.hear(current, if open > 1 { left.min(TURN) } else { left }, until, &mut buffer);
            for other in 0..self.servers.len() {
                if other != current {
                    self.hear(other, Duration::ZERO, until, &mut buffer);
                }
            }
        }
    }

    /// Takes what has come in while nobody listened: a question over TCP takes the turn's time.
    fn sweep(&mut self) {
        let mut buffer = [0u8; 1500];
        for index in 0..self.servers.len() {
            // Both families and the root.
            for _ in 0..3 {
                self.hear(index, Duration::ZERO, Instant::now(), &mut buffer);
            }
        }
    }

    /// Takes one datagram from a server, if there is one within `wait`. A question that it sends on to TCP is done by
    /// `until`, so that one server without TCP leaves time for the others.
    fn hear(&mut self, index: usize, wait: Duration, until: Instant, buffer: &mut [u8]) {
        let Some(socket) = &self.servers[index].socket else { return };
        let ready = if wait.is_zero() {
            socket.set_nonblocking(true)
        } else {
            socket.set_nonblocking(false).and_then(|()| socket.set_read_timeout(Some(wait)))
        };
        match ready.and_then(|()| socket.recv(buffer)) {
            Ok(length) => self.take(index, until.min(self.deadline), &buffer[..length]),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) => {
                // Connection refused: nobody listens on port 53 there.
                self.trouble = Some(format!("{}: {e}", self.servers[index].address));
                self.servers[index].socket = None;
            }
        }
    }

    fn take(&mut self, index: usize, until: Instant, datagram: &[u8]) {
        let address = self.servers[index].address;
        for question in &mut self.questions {
            if question.decided() {
                continue;
            }
            let Some(reply) = message::reply(datagram, question.id, self.name, question.kind) else { continue };
            let reply = match reply {
                Reply::Truncated(some) => match tcp::ask(address, question.id, self.name, question.kind, until) {
                    Some(reply) => reply,
                    // Half a list of addresses is a list of addresses.
                    None if !some.is_empty() => Reply::Addresses(some),
                    None => Reply::Truncated(some),
                },
                Reply::Addresses(_) | Reply::Nxdomain | Reply::Failed(_) | Reply::Malformed => reply,
            };
            let enough = match &reply {
                Reply::Addresses(found) if !found.is_empty() => Some(RESOLUTION_DELAY),
                Reply::Nxdomain => Some(NXDOMAIN_DELAY),
                Reply::Addresses(_) | Reply::Failed(_) | Reply::Truncated(_) | Reply::Malformed => None,
            };
            question.reply = Some(reply);
            question.open = false;
            if let Some(delay) = enough {
                let at = Instant::now() + delay;
                self.enough_at = Some(self.enough_at.map_or(at, |before| before.min(at)));
            }
        }
        if let Some(id) = self.root_id
            && let Some(knows) = message::knows_root(datagram, id)
        {
            self.root_known = Some(self.root_known == Some(true) || knows);
        }
        self.servers[index].gave_up = self.questions.iter().all(|q| !q.open);
    }

    fn finished(&self) -> bool {
        self.questions.iter().all(Question::decided) || self.enough_at.is_some_and(|at| Instant::now() >= at)
    }

    fn conclude(mut self) -> Result<Vec<IpAddr>, DnsError> {
        if !self.finished() {
            self.sweep();
        }
        let mut found = Vec::new();
        let mut failed = None;
        let (mut gone, mut malformed, mut silent) = (false, false, false);
        for question in &self.questions {
            match &question.reply {
                Some(Reply::Addresses(addresses)) => found.extend(addresses.iter().copied()),
                Some(Reply::Nxdomain) => gone = true,
                Some(Reply::Failed(rcode)) => failed = Some(*rcode),
                Some(Reply::Malformed | Reply::Truncated(_)) => malformed = true,
                None => silent = true,
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        if gone {
            return Err(DnsError::Nxdomain);
        }
        if let Some(rcode) = failed {
            return Err(DnsError::Servfail { rcode, server_works: self.servers_know_the_root() });
        }
        if malformed {
            return Err(DnsError::Protocol { server_works: self.servers_know_the_root() });
        }
        if silent {
            if self.servers.iter().all(|server| server.socket.is_none()) {
                let reason = self.trouble.take().unwrap_or_else(|| "no name server is configured".to_owned());
                return Err(DnsError::Unavailable { reason });
            }
            return Err(DnsError::Timeout { server_works: self.root_known == Some(true) });
        }
        Err(DnsError::NoAddress)
    }

    /// Tells a broken name from a resolver that has lost the world: the latter fails for everything.
    fn servers_know_the_root(&mut self) -> bool {
        let until = self.deadline.min(Instant::now() + ROOT_BUDGET);
        self.root_id.get_or_insert_with(random_id);
        let mut buffer = [0u8; 1500];
        for index in 0..self.servers.len() {
            if self.root_known == Some(true) {
                break;
            }
            self.root_known = None;
            if !self.ask(index) {
                continue;
            }
            while self.root_known.is_none() && self.servers[index].socket.is_some() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                self.hear(index, left, Instant::now(), &mut buffer);
            }
        }
        self.root_known == Some(true)
    }
}

pub(super) fn open(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Connected, so that the kernel drops strangers' datagrams and reports a closed port.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket)
}

pub(super) fn random_id() -> u16 {
    let mut bytes = [0u8; 2];
    // Fails only where the kernel has no randomness at all; the source port is still the kernel's choice.
    let _ = crate::engine::tls::random().fill(&mut bytes);
    u16::from_be_bytes(bytes)
}
