//! Hub and probe as processes, as users run them; and a target for them to watch.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::services::wait_until;

/// A key that passes the start-up check; of no use anywhere else.
pub const KEY: &str = "kR3vT9qLx2WnB7yHf5CsJ8dGa1EpZ0mU4oQ6";

/// A process of ours that ends with the value.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn start(program: &Path, directory: &Path, name: &str, environment: &[(&str, &str)]) -> Self {
        let log = directory.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log file");
        let child = Command::new(program)
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a log file"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|e| panic!("{} does not start ({e}); run: cargo build --workspace", program.display()));
        Self { child, log }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    #[allow(dead_code, reason = "for measurements")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, then waits for the end and returns the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let mut code = None;
        wait_until("the process to end after SIGTERM", Duration::from_secs(25), || {
            match self.child.try_wait().expect("the process") {
                Some(status) => {
                    code = status.code();
                    true
                }
                None => false,
            }
        });
        code
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

/// A running hub.
pub struct Hub {
    pub process: Process,
    pub address: SocketAddr,
}

impl Hub {
    /// Starts the hub on a free port with its state in `directory` and waits until it says where it is.
    pub fn start(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let mut all = vec![("LISTEN", "127.0.0.1:0"), ("RUST_LOG", "info"), ("CANARIES", "off")];
        all.extend_from_slice(environment);
        let program = PathBuf::from(env!("CARGO_BIN_EXE_betteruptime-hub"));
        let name = format!("hub-{}", uuid::Uuid::new_v4().simple());
        let mut process = Process::start(&program, directory, &name, &all);
        let mut address = None;
        wait_until("the hub to print its address", Duration::from_secs(30), || {
            assert!(process.child.try_wait().expect("the hub").is_none(), "the hub ended:\n{}", process.log());
            let log = process.log();
            address =
                log.split("http://").nth(1).and_then(|t| t.split_whitespace().next()).and_then(|t| t.parse().ok());
            address.is_some()
        });
        Self { process, address: address.expect("an address") }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Starts a probe of `region`.
pub fn probe(directory: &Path, redis_url: &str, region: &str, worker: &str) -> Process {
    let program = Path::new(env!("CARGO_BIN_EXE_betteruptime-hub")).with_file_name("betteruptime-probe");
    let environment = [
        ("REDIS_URL", redis_url),
        ("CONSUMER_GROUP_REGION_ID", region),
        ("WORKER_ID", worker),
        ("CONCURRENCY", "20"),
        ("ALLOW_PRIVATE", "127.0.0.0/8"),
        ("CANARIES", "off"),
    ];
    Process::start(&program, directory, &format!("probe-{region}-{worker}"), &environment)
}

/// A website on loopback that counts its visitors per path, and can be taken down and brought back.
pub struct Target {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    hits: Arc<AtomicU64>,
    by_path: Arc<Mutex<HashMap<String, u64>>>,
    closed: Arc<AtomicBool>,
    delay_ms: Arc<AtomicU64>,
}

impl Target {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let target = Self {
            address: listener.local_addr().expect("an address"),
            status: Arc::new(AtomicU16::new(200)),
            hits: Arc::default(),
            by_path: Arc::default(),
            closed: Arc::default(),
            delay_ms: Arc::default(),
        };
        let (status, hits, by_path, closed) =
            (target.status.clone(), target.hits.clone(), target.by_path.clone(), target.closed.clone());
        let delay_ms = target.delay_ms.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if closed.load(Ordering::Relaxed) {
                    return; // the listener goes with the thread: from now on connections are refused
                }
                let (status, hits, by_path) = (status.clone(), hits.clone(), by_path.clone());
                let delay = Duration::from_millis(delay_ms.load(Ordering::Relaxed));
                std::thread::spawn(move || answer(stream, status.load(Ordering::Relaxed), delay, &hits, &by_path));
            }
        });
        target
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub fn hits_of(&self, path: &str) -> u64 {
        self.by_path.lock().expect("no panic in the target").get(path).copied().unwrap_or(0)
    }

    /// Answers come this much later.
    pub fn delay_by(&self, ms: u64) {
        self.delay_ms.store(ms, Ordering::Relaxed);
    }

    #[allow(dead_code, reason = "for verdict tests")]
    pub fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// Stops listening.
    pub fn stop(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn answer(
    mut stream: TcpStream,
    status: u16,
    delay: Duration,
    hits: &AtomicU64,
    by_path: &Mutex<HashMap<String, u64>>,
) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let Ok(clone) = stream.try_clone() else { return };
    let mut lines = BufReader::new(clone.take(16_384)).lines();
    let Some(Ok(first)) = lines.next() else { return };
    for line in lines {
        if line.map_or(true, |l| l.is_empty()) {
            break;
        }
    }
    hits.fetch_add(1, Ordering::Relaxed);
    let path = first.split_whitespace().nth(1).unwrap_or_default().to_owned();
    if let Ok(mut map) = by_path.lock() {
        *map.entry(path).or_default() += 1;
    }
    std::thread::sleep(delay);
    let _ = write!(stream, "HTTP/1.1 {status} Because\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}
