//! A process that is started, killed, stopped and looked at, and ends with its value.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use testbed::measure::wait_for;

/// How to start it, and the running child if there is one.
#[derive(Debug)]
pub struct Process {
    /// For people, and the name of its log.
    pub name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: PathBuf,
    user: Option<(u32, u32)>,
    child: Option<Child>,
}

/// What a process costs, by `/proc`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Resident memory in KiB.
    pub resident_kib: u64,
    /// Threads.
    pub threads: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Processor time since its start, in seconds, to a hundredth.
    pub cpu_s: f64,
}

impl Process {
    /// A process that does not run yet. It logs to `<directory>/<name>.log` and gets nothing of our environment.
    #[must_use]
    pub fn new(name: &str, program: &Path, directory: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: vec![("PATH".into(), std::env::var("PATH").unwrap_or_default())],
            directory: directory.to_owned(),
            user: None,
            child: None,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments(mut self, more: &[&str]) -> Self {
        self.arguments.extend(more.iter().map(|a| (*a).to_owned()));
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.set(name, Some(value));
        self
    }

    /// Sets or removes a variable for the next start.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        self.environment.retain(|(n, _)| n != name);
        self.environment.extend(value.map(|v| (name.to_owned(), v.to_owned())));
    }

    /// Runs it as another user, by number of user and group.
    #[must_use]
    pub fn user(mut self, user: Option<(u32, u32)>) -> Self {
        self.user = user;
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it runs already, or the program cannot be started.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().envs(self.environment.iter().map(|(n, v)| (n, v)));
        command.current_dir(&self.directory).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        let child = command.spawn();
        self.child = Some(child.unwrap_or_else(|e| panic!("{} does not start: {e}", self.program.display())));
    }

    /// Its id while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        if let Some(id) = self.id() {
            signal(id, name);
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().unwrap()?;
        self.child = None;
        Some(status)
    }

    /// Whether it has ended; how is kept for [`Process::ended`].
    #[must_use]
    pub fn is_over(&self) -> bool {
        let state = self.id().map(|id| std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default());
        // A zombie, until it is waited for.
        state.is_none_or(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
    }

    /// Sends a signal and waits for the end.
    pub fn end(&mut self, name: &str, within: Duration) -> ExitStatus {
        self.signal(name);
        wait_for(&format!("{} to end after SIG{name}", self.name), within, || self.ended())
    }

    /// Waits until it ended by itself at a fail point.
    ///
    /// # Panics
    /// When it did not, or ended otherwise.
    pub fn aborted(&mut self, within: Duration) {
        let status = wait_for(&format!("{} to come by its fail point", self.name), within, || self.ended());
        assert_eq!(status.signal(), Some(6), "{} ended otherwise: {status}\n{}", self.name, self.log_end());
    }

    /// What it costs now; `None` when it does not run.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.id().and_then(usage)
    }

    /// Where it logs.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.name))
    }

    /// Everything it logged.
    #[must_use]
    pub fn log(&self) -> String {
        let mut bytes = Vec::new();
        let _ = File::open(self.log_path()).and_then(|mut file| file.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last forty lines it logged.
    #[must_use]
    pub fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal by its name.
pub fn signal(id: u32, name: &str) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(id.to_string()).stderr(Stdio::null()).status();
}

/// What a process costs now; `None` when there is none.
#[must_use]
pub fn usage(id: u32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is a name in brackets that may hold anything; from the state on they are counted from 0.
    let fields: Vec<u64> =
        stat.rsplit(')').next()?.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    let field = |index: usize| fields.get(index).copied().unwrap_or(0);
    let descriptors = std::fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count) as u64;
    Some(Usage {
        resident_kib: field(21) * 4, // pages
        threads: field(17),
        descriptors,
        // In units of 10 ms on every Linux that Rust runs on.
        cpu_s: (field(11) + field(12)) as f64 / 100.0,
    })
}
