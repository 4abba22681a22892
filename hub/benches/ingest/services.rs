//! A Redis and a Postgres of the run's own; both end with the value.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::Connection as _;

use crate::cpu::Cpu;

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port()
}

fn wait_to_listen(port: u16) {
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(30), "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A redis-server without persistence.
pub struct Redis {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Redis {
    pub fn start() -> Self {
        let (directory, port) = (tempfile::tempdir().expect("a directory"), free_port());
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server");
        wait_to_listen(port);
        Self { child, port, _directory: directory }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn connect(&self) -> redis::Connection {
        redis::Client::open(self.url()).and_then(|c| c.get_connection()).expect("Redis")
    }

    pub fn cpu(&self) -> Cpu {
        Cpu::of(self.child.id())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Postgres started for the run, or one that is running (`BENCH_DATABASE_URL`).
pub struct Postgres {
    admin: String,
    postmaster: u32,
    _own: Option<Own>,
}

struct Own {
    child: Child,
    directory: PathBuf,
}

impl Postgres {
    pub fn start() -> Self {
        if let Ok(admin) = std::env::var("BENCH_DATABASE_URL") {
            let postmaster = std::env::var("BENCH_POSTMASTER").ok().and_then(|p| p.parse().ok()).unwrap_or(0);
            return Self { admin, postmaster, _own: None };
        }
        let bin = std::fs::read_dir("/usr/lib/postgresql").expect("Postgres").filter_map(|e| Some(e.ok()?.path()));
        let bin = bin.max().expect("a version of Postgres").join("bin");
        let (directory, port) = (std::env::temp_dir().join(format!("bench-pg-{}", std::process::id())), free_port());
        let _ = std::fs::remove_dir_all(&directory);
        // Postgres does not run as root.
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.starts_with(b"0\n"));
        let run = |program: &str| {
            let program = bin.join(program);
            if is_root {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
                command
            } else {
                Command::new(program)
            }
        };
        std::fs::create_dir(&directory).expect("a directory");
        if is_root {
            let chowned = Command::new("chown").arg("postgres").arg(&directory).status();
            assert!(chowned.is_ok_and(|s| s.success()), "chown");
        }
        let made =
            run("initdb").arg("-D").arg(&directory).args(["-U", "test", "-A", "trust"]).current_dir("/").output();
        assert!(made.is_ok_and(|o| o.status.success()), "initdb");
        let child = run("postgres")
            .arg("-D")
            .arg(&directory)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "shared_buffers=512MB", "-c", "max_wal_size=4GB"])
            .current_dir("/")
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres");
        wait_to_listen(port);
        std::thread::sleep(Duration::from_millis(500));
        let postmaster = child.id();
        Self {
            admin: format!("postgres://test@127.0.0.1:{port}/postgres"),
            postmaster,
            _own: Some(Own { child, directory }),
        }
    }

    pub fn cpu(&self) -> Cpu {
        Cpu::of_family(self.postmaster)
    }

    /// What its durability is.
    pub async fn settings(&self) -> String {
        let mut connection = sqlx::PgConnection::connect(&self.admin).await.expect("Postgres");
        sqlx::query_scalar(
            "select 'version ' || current_setting('server_version') || ', fsync ' || current_setting('fsync') \
             || ', synchronous_commit ' || current_setting('synchronous_commit') || ', full_page_writes ' \
             || current_setting('full_page_writes') || ', shared_buffers ' || current_setting('shared_buffers')",
        )
        .fetch_one(&mut connection)
        .await
        .expect("settings")
    }

    /// An empty database; returns its URL.
    pub async fn database(&self) -> String {
        let name = format!("b_{}", uuid::Uuid::new_v4().simple());
        let mut connection = sqlx::PgConnection::connect(&self.admin).await.expect("Postgres");
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}")))
            .execute(&mut connection)
            .await
            .expect("create");
        let (server, _) = self.admin.rsplit_once('/').expect("a database in the URL");
        format!("{server}/{name}")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // SIGINT: a fast shutdown.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
