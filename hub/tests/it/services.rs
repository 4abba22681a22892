//! Real services for tests: a Redis of one's own (tests kill, flush and restart it), a database of one's own on the
//! Postgres that `./test.sh` started.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::Connection as _;

/// Waits until `ready` holds, at most `bound`; fails with what was awaited.
pub fn wait_until(what: &str, bound: Duration, mut ready: impl FnMut() -> bool) {
    let started = Instant::now();
    while !ready() {
        assert!(started.elapsed() < bound, "waited {bound:?} for: {what}");
        // What is asked meanwhile is a process of Postgres' own each time: it is to leave something to what is awaited.
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A port that is free, and stays it.
pub fn free_port() -> u16 {
    testbed::port::free()
}

/// A redis-server on a free port, without persistence; ends with the value.
pub struct Redis {
    child: Child,
    port: u16,
    directory: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more arguments for the server.
    pub fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let child = Self::spawn(port, &directory, &arguments);
        Self { child, port, directory, arguments }
    }

    fn spawn(port: u16, directory: &tempfile::TempDir, arguments: &[String]) -> Child {
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(directory.path())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server; install it, or run ./test.sh, which does");
        wait_until("redis-server to listen", Duration::from_secs(10), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        child
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("redis-server")
    }

    /// Sends it a signal, such as `-STOP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(name).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
    }

    /// kill -9, then a new server on the same port: empty, unless it was started with persistence.
    #[allow(dead_code, reason = "for fault tests")]
    pub fn crash_and_restart(&mut self) {
        self.stop();
        self.child = Self::spawn(self.port, &self.directory, &self.arguments);
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Address of the Postgres that tests make their databases on.
pub fn postgres_url() -> String {
    std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL is not set; ./test.sh starts a Postgres and sets it")
}

/// An empty database with a name of its own; returns its URL. The server is thrown away after the run, so nothing is
/// dropped here.
pub async fn database() -> String {
    let admin = postgres_url();
    let name = format!("t_{}", uuid::Uuid::new_v4().simple());
    let mut connection = sqlx::PgConnection::connect(&admin).await.expect("the test Postgres");
    sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.expect("create");
    let (server, _) = admin.rsplit_once('/').expect("a database in TEST_DATABASE_URL");
    format!("{server}/{name}")
}
