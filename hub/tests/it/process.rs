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
        Self::start_with(program, &[], directory, name, environment)
    }

    fn start_with(
        program: &Path,
        arguments: &[&str],
        directory: &Path,
        name: &str,
        environment: &[(&str, &str)],
    ) -> Self {
        let log = directory.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log file");
        let child = Command::new(program)
            .args(arguments)
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

    /// Sends a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -s {name}");
    }

    /// SIGTERM, then waits for the end and returns the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal("TERM");
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

/// Starts a hub that is to end by itself, and waits for that. Returns its log.
pub fn run_to_its_end(directory: &Path, environment: &[(&str, &str)]) -> String {
    run_to_its_end_within(Duration::from_secs(30), directory, environment)
}

/// The same, of one that has much to do before.
pub fn run_to_its_end_within(bound: Duration, directory: &Path, environment: &[(&str, &str)]) -> String {
    let all = [&[("LISTEN", "127.0.0.1:0"), ("RUST_LOG", "info"), ("CANARIES", "off")][..], environment].concat();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_betteruptime-hub"));
    let mut process = Process::start(&program, directory, &format!("hub-{}", uuid::Uuid::new_v4().simple()), &all);
    wait_until("the hub to end; is it built with fail points?", bound, || {
        process.child.try_wait().expect("the hub").is_some()
    });
    process.log()
}

/// Starts a demo that is to end by itself, and waits for that. Returns what it said.
pub fn run_demo_to_its_end(directory: &Path, arguments: &[&str]) -> String {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_betteruptime-hub"));
    let name = format!("demo-{}", uuid::Uuid::new_v4().simple());
    let mut process = Process::start_with(&program, arguments, directory, &name, &[("LISTEN", "127.0.0.1:0")]);
    wait_until("the demo to end", Duration::from_secs(30), || process.child.try_wait().expect("the demo").is_some());
    process.log()
}

impl Hub {
    /// Starts the hub on a free port with its state in `directory` and waits until it says where it is.
    pub fn start(directory: &Path, environment: &[(&str, &str)]) -> Self {
        Self::start_within(Duration::from_secs(30), directory, &[], environment)
    }

    /// The same of a command that makes its data first.
    pub fn start_within(bound: Duration, directory: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut all = vec![("LISTEN", "127.0.0.1:0"), ("RUST_LOG", "info"), ("CANARIES", "off")];
        all.extend_from_slice(environment);
        let program = PathBuf::from(env!("CARGO_BIN_EXE_betteruptime-hub"));
        let name = format!("hub-{}", uuid::Uuid::new_v4().simple());
        let mut process = Process::start_with(&program, arguments, directory, &name, &all);
        let mut address = None;
        wait_until("the hub to print its address", bound, || {
            assert!(process.child.try_wait().expect("the hub").is_none(), "the hub ended:\n{}", process.log());
            let log = process.log();
            let said = log.split(" is running at ").nth(1).and_then(|text| text.split_whitespace().next());
            address = said.and_then(|url| url.split_once("://")?.1.parse().ok());
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
    probe_with(directory, redis_url, region, worker, &[])
}

/// The same with something more in its environment.
pub fn probe_with(
    directory: &Path,
    redis_url: &str,
    region: &str,
    worker: &str,
    environment: &[(&str, &str)],
) -> Process {
    let program = Path::new(env!("CARGO_BIN_EXE_betteruptime-hub")).with_file_name("betteruptime-probe");
    let mut all = vec![
        ("REDIS_URL", redis_url),
        ("CONSUMER_GROUP_REGION_ID", region),
        ("WORKER_ID", worker),
        ("CONCURRENCY", "20"),
        ("ALLOW_PRIVATE", "127.0.0.0/8"),
        ("CANARIES", "off"),
    ];
    all.extend_from_slice(environment);
    Process::start(&program, directory, &format!("probe-{region}-{worker}"), &all)
}

/// A website on loopback that counts its visitors per path, remembers what they asked, and can be taken down.
pub struct Target {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    status: AtomicU16,
    hits: AtomicU64,
    by_path: Mutex<HashMap<String, u64>>,
    closed: AtomicBool,
    delay_ms: AtomicU64,
    body: Mutex<String>,
    last: Mutex<String>,
}

impl Target {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            status: AtomicU16::new(200),
            hits: AtomicU64::default(),
            by_path: Mutex::default(),
            closed: AtomicBool::default(),
            delay_ms: AtomicU64::default(),
            body: Mutex::new("ok".to_owned()),
            last: Mutex::default(),
        });
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.closed.load(Ordering::Relaxed) {
                    return; // the listener goes with the thread: from now on connections are refused
                }
                let state = shared.clone();
                std::thread::spawn(move || answer(stream, &state));
            }
        });
        Self { address, state }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn hits(&self) -> u64 {
        self.state.hits.load(Ordering::Acquire)
    }

    pub fn hits_of(&self, path: &str) -> u64 {
        self.state.by_path.lock().expect("no panic in the target").get(path).copied().unwrap_or(0)
    }

    /// The newest request, head and body.
    pub fn last(&self) -> String {
        self.state.last.lock().expect("no panic in the target").clone()
    }

    /// Answers come this much later.
    pub fn delay_by(&self, ms: u64) {
        self.state.delay_ms.store(ms, Ordering::Relaxed);
    }

    #[allow(dead_code, reason = "for verdict tests")]
    pub fn answer_with(&self, status: u16) {
        self.state.status.store(status, Ordering::Relaxed);
    }

    /// Answers have this body.
    pub fn say(&self, body: &str) {
        body.clone_into(&mut self.state.body.lock().expect("no panic in the target"));
    }

    /// Stops listening.
    pub fn stop(&self) {
        self.state.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

fn answer(mut stream: TcpStream, state: &State) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let Ok(clone) = stream.try_clone() else { return };
    let mut reader = BufReader::new(clone.take(32_768));
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if !reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            return;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    // Counted last: who waits for the count looks at the rest then.
    if let Ok(mut last) = state.last.lock() {
        *last = format!("{head}\r\n{}", String::from_utf8_lossy(&body));
    }
    let path = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    if let Ok(mut map) = state.by_path.lock() {
        *map.entry(path).or_default() += 1;
    }
    state.hits.fetch_add(1, Ordering::Release);
    std::thread::sleep(Duration::from_millis(state.delay_ms.load(Ordering::Relaxed)));
    let status = state.status.load(Ordering::Relaxed);
    let said = state.body.lock().map(|body| body.clone()).unwrap_or_default();
    let length = said.len();
    let _ = write!(stream, "HTTP/1.1 {status} Because\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{said}");
}
