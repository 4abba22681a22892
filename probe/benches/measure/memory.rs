//! RSS of the real binary: idle, with 256 checks in flight whose server holds its answer back, and after them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use probe::wire::{self, BODY_FIELD, KIND_CHECK, KIND_FIELD, MAX_CHECK_BYTES, Target, VERSION, VERSION_FIELD};
use rustls::{ServerConnection, StreamOwned};
use serde::Serialize;

use crate::authority::Authority;
use crate::engine::check;
use crate::nginx::{free, listening};
use crate::{Failed, Options, process, table};

const CHECKS: &str = "betteruptime:website:eu";
const TICKS: &str = "betteruptime:tick:eu:w";
const IN_FLIGHT: usize = 256;
const BOUND: Duration = Duration::from_secs(30);

#[derive(Serialize)]
struct Row {
    scheme: &'static str,
    state: &'static str,
    in_flight: usize,
    rss_kib: u64,
    anonymous_kib: u64,
    peak_kib: u64,
}

/// Killed with the value.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Failed> {
    let mut rows = Vec::new();
    for scheme in ["http", "https"] {
        rows.extend(load(scheme)?);
    }
    if options.json {
        println!("{}", serde_json::to_string(&rows)?);
        return Ok(());
    }
    let mut cells = vec![["", "in flight", "RSS MB", "anonymous MB", "peak MB"].map(str::to_owned).to_vec()];
    let mb = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
    for row in rows {
        let name = format!("{} {}", row.scheme, row.state);
        cells.push(vec![name, row.in_flight.to_string(), mb(row.rss_kib), mb(row.anonymous_kib), mb(row.peak_kib)]);
    }
    table::print(&cells);
    Ok(())
}

fn load(scheme: &'static str) -> Result<Vec<Row>, Failed> {
    let address = free()?;
    let directory = tempfile::tempdir()?;
    let server = Command::new("redis-server")
        .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(directory.path())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("redis-server ({error}); install it: apt-get install redis-server"))?;
    let _server = Owned(server);
    listening(address)?;
    let mut redis = redis::Client::open(format!("redis://{address}"))?.get_connection()?;
    let _: redis::Value = redis::cmd("XGROUP").arg(&["CREATE", CHECKS, "eu", "0", "MKSTREAM"]).query(&mut redis)?;
    let worker = Command::new(env!("CARGO_BIN_EXE_betteruptime-probe"))
        .env_clear()
        .env("REDIS_URL", format!("redis://{address}"))
        .env("CONSUMER_GROUP_REGION_ID", "eu")
        .env("WORKER_ID", "w")
        .env("CONCURRENCY", IN_FLIGHT.to_string())
        .env("ALLOW_PRIVATE", "127.0.0.0/8")
        .stderr(Stdio::null())
        .spawn()?;
    let worker = Owned(worker);
    let pid = worker.0.id();
    let mut reports = |count: usize, what: &str| {
        until(what, || redis::cmd("XLEN").arg(TICKS).query::<usize>(&mut redis).is_ok_and(|length| length >= count))
    };
    reports(1, "the first sign of life")?;
    thread::sleep(Duration::from_secs(2));
    let row = |state, in_flight| -> Result<Row, Failed> {
        Ok(Row {
            scheme,
            state,
            in_flight,
            rss_kib: process::kib(pid, "VmRSS")?,
            anonymous_kib: process::kib(pid, "RssAnon")?,
            peak_kib: process::kib(pid, "VmHWM")?,
        })
    };
    let mut rows = vec![row("idle", 0)?];
    let held = Held::start(scheme == "https")?;
    let mut target = Target { timeout_ms: 60_000, ..Target::get(format!("{scheme}://{}/", held.address)) };
    // The binary trusts public authorities only.
    target.request.insecure_tls = scheme == "https";
    let body = wire::encode(&check(0, target), MAX_CHECK_BYTES)?;
    let mut publisher = redis::Client::open(format!("redis://{address}"))?.get_connection()?;
    for _ in 0..IN_FLIGHT {
        let fields = [VERSION_FIELD, &VERSION.to_string(), KIND_FIELD, KIND_CHECK, BODY_FIELD, &body];
        let _: String = redis::cmd("XADD").arg(CHECKS).arg("*").arg(&fields).query(&mut publisher)?;
    }
    // What is missing is seen in the row.
    let _ = until("all checks to wait", || held.count.load(Ordering::SeqCst) >= IN_FLIGHT);
    rows.push(row("loaded", held.count.load(Ordering::SeqCst))?);
    held.release();
    reports(IN_FLIGHT + 1, "all ticks")?;
    thread::sleep(Duration::from_secs(1));
    rows.push(row("after", 0)?);
    Ok(rows)
}

fn until(what: &str, mut ready: impl FnMut() -> bool) -> Result<(), Failed> {
    let started = Instant::now();
    while !ready() {
        if started.elapsed() > BOUND {
            return Err(format!("waited in vain for {what}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A website that answers when it is told to.
struct Held {
    address: SocketAddr,
    count: Arc<AtomicUsize>,
    gate: Arc<(Mutex<bool>, Condvar)>,
    over: Arc<AtomicBool>,
}

impl Held {
    fn start(tls: bool) -> Result<Self, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let config = Authority::new(&["127.0.0.1"])?.server()?;
        let held = Self { address, count: Arc::default(), gate: Arc::default(), over: Arc::default() };
        let (count, gate, over) = (Arc::clone(&held.count), Arc::clone(&held.gate), Arc::clone(&held.over));
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let (config, count, gate) = (Arc::clone(&config), Arc::clone(&count), Arc::clone(&gate));
                thread::spawn(move || {
                    if !tls {
                        return answer(&mut stream, &count, &gate);
                    }
                    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
                    answer(&mut StreamOwned::new(connection, stream), &count, &gate)
                });
            }
        });
        Ok(held)
    }

    fn release(&self) {
        *self.gate.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.gate.1.notify_all();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.release();
        let _ = std::net::TcpStream::connect(self.address);
    }
}

fn answer(stream: &mut (impl Read + Write), count: &AtomicUsize, gate: &(Mutex<bool>, Condvar)) -> std::io::Result<()> {
    let mut byte = [0u8; 1];
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.extend(byte);
    }
    if head.is_empty() {
        return Ok(());
    }
    count.fetch_add(1, Ordering::SeqCst);
    let open = gate.0.lock().unwrap_or_else(PoisonError::into_inner);
    drop(gate.1.wait_while(open, |open| !*open).unwrap_or_else(PoisonError::into_inner));
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    stream.flush()
}
