//! A Postgres of one's own, which may be killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use testbed::measure::wait_for;

use crate::process::Process;

/// The database of the suite.
pub const DATABASE: &str = "chaos";

/// A cluster, as a process.
#[derive(Debug)]
pub struct Postgres {
    /// The postmaster.
    pub process: Process,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

/// A connection that blocks.
#[derive(Debug)]
pub struct Session {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
}

impl Postgres {
    /// Makes a cluster in `directory`, which must be reachable for other users, and starts it. The tables go to
    /// `tables`, when given: a directory for them.
    ///
    /// # Panics
    /// When there is no Postgres on this machine.
    #[must_use]
    pub fn start(directory: &Path, port: u16, tables: Option<&Path>) -> Self {
        let bin = bin();
        let user = user();
        let data = directory.join("postgres");
        std::fs::create_dir(&data).unwrap();
        for path in std::iter::once(data.as_path()).chain(tables) {
            if let Some((user, group)) = user {
                std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let mut initdb = Process::new("initdb", &bin.join("initdb"), directory).user(user).arguments(&[
            "-D",
            data.to_str().unwrap(),
            "-U",
            "test",
            "-A",
            "trust",
            "--encoding=UTF8",
            "--no-sync",
        ]);
        initdb.start();
        let made = wait_for("initdb to end", Duration::from_secs(60), || initdb.ended());
        assert!(made.success(), "initdb: {}", initdb.log());
        let process = Process::new("postgres", &bin.join("postgres"), directory).user(user).arguments(&[
            "-D",
            data.to_str().unwrap(),
            "-p",
            &port.to_string(),
            "-k",
            "",
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-c",
            "max_connections=100",
            "-c",
            "shared_buffers=32MB",
        ]);
        let mut postgres = Self { process, port };
        postgres.begin();
        let mut session = postgres.session_to("postgres");
        let place = tables.map(|path| {
            session.execute(&format!("create tablespace small location '{}'", path.display()));
            " tablespace small"
        });
        session.execute(&format!("create database {DATABASE}{}", place.unwrap_or_default()));
        postgres
    }

    /// Starts the postmaster and waits until it answers. One that refuses because the old one's processes are still
    /// about is started again.
    pub fn begin(&mut self) {
        self.process.start();
        wait_for("Postgres to answer", Duration::from_secs(60), || {
            if self.process.ended().is_some() {
                std::thread::sleep(Duration::from_millis(200));
                self.process.start();
            }
            open(self.port, "postgres")
        });
    }

    /// A connection to the suite's database.
    ///
    /// # Panics
    /// When it does not answer.
    #[must_use]
    pub fn session(&self) -> Session {
        self.session_to(DATABASE)
    }

    fn session_to(&self, database: &str) -> Session {
        wait_for("a connection to Postgres", Duration::from_secs(20), || open(self.port, database))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An immediate stop takes the other processes of the cluster along.
        if self.process.id().is_some() {
            self.process.signal("QUIT");
            let until = std::time::Instant::now() + Duration::from_secs(10);
            while self.process.ended().is_none() && std::time::Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// A connection to a database on a port of this machine, within 2 s.
#[must_use]
pub fn open(port: u16, database: &str) -> Option<Session> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Ours may write whatever a fault made the default.
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("test")
        .database(database)
        .options([("default_transaction_read_only", "off")]);
    let connection = runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(2), PgConnection::connect_with(&options)).await })
        .ok()?
        .ok()?;
    Some(Session { runtime, connection })
}

impl Session {
    /// Runs statements; their values are ours.
    ///
    /// # Panics
    /// When one fails.
    pub fn execute(&mut self, sql: &str) {
        let done = self.runtime.block_on(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut self.connection));
        done.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Reads rows, at most for 5 s.
    ///
    /// # Errors
    /// The database went away, or is slow.
    pub fn try_rows<T>(&mut self, sql: &str) -> Result<Vec<T>, String>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let Self { runtime, connection } = self;
        let read = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(connection);
        let done = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), read).await });
        done.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }

    /// Reads rows.
    ///
    /// # Panics
    /// When that fails.
    pub fn rows<T>(&mut self, sql: &str) -> Vec<T>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        self.try_rows(sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }
}

/// Where Debian, or the path, has Postgres' programs: the newest.
fn bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, path)| path.join("initdb").exists())
        .max();
    newest.map_or_else(PathBuf::new, |(_, path)| path)
}

/// Postgres refuses to run as root: then it runs as its own user.
fn user() -> Option<(u32, u32)> {
    let id = Command::new("id").arg("-u").stdin(Stdio::null()).output().unwrap();
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("a user postgres");
    let number = |at: usize| line.split(':').nth(at).and_then(|n| n.parse().ok());
    Some((number(2).expect("its number"), number(3).expect("its group")))
}
