//! A network of one's own without a way out, for tests that need fake public, private and metadata services.
//!
//! [`run`] starts the test binary again, for this one test, in a fresh network and mount namespace, and runs the body
//! there. Outside it only waits. Nothing in the namespace can reach another machine.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{IpAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::wait_for;

/// Name of the test that is run inside; set for the inner process only.
const INSIDE: &str = "TESTBED_INSIDE";
/// With `1`, a test passes without being run where namespaces are not allowed, and says so.
pub const ALLOW_NONE: &str = "TESTBED_ALLOW_NO_NAMESPACE";
/// File that gets the name of every test that was not run.
pub const NOT_RUN: &str = "TESTBED_NOT_RUN";
/// Longest run of one test inside; test runners give up after five minutes.
const BOUND: Duration = Duration::from_secs(240);
/// The address from which this machine talks to the fake ones, so that they do not look like its own.
const SELF_V4: &str = "198.18.0.1";
const SELF_V6: &str = "2001:2::1";

/// The full name of the test it stands in, as the test runner knows it.
#[macro_export]
macro_rules! test_name {
    () => {{
        fn here() {}
        fn name_of<T>(_: T) -> &'static str {
            std::any::type_name::<T>()
        }
        let name = name_of(here).trim_end_matches("::here");
        name.split_once("::").map_or(name, |(_, path)| path)
    }};
}

/// Runs `body` in a network of its own. `test` is [`test_name!`](crate::test_name).
///
/// # Panics
/// When the body does, or when no namespace can be made and [`ALLOW_NONE`] is not set.
pub fn run(test: &str, body: impl FnOnce(&Network)) {
    if std::env::var(INSIDE).as_deref() == Ok(test) {
        body(&Network::new());
        return;
    }
    if let Err(reason) = possible() {
        not_run(test, &reason);
        return;
    }
    let mut child = unshare()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads", "1"])
        .env(INSIDE, test)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (out, err) = (gather(child.stdout.take().unwrap()), gather(child.stderr.take().unwrap()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if started.elapsed() > BOUND {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let text = format!("{}{}", out.join().unwrap(), err.join().unwrap());
    match status {
        None => panic!("in its namespace the test did not end in {BOUND:?}:\n{text}"),
        Some(status) if !status.success() => panic!("in its namespace the test failed ({status}):\n{text}"),
        // A name that fits no test would be a test that is never run.
        Some(_) => assert!(text.contains("test result: ok. 1 passed"), "nothing was run for {test}:\n{text}"),
    }
}

fn gather(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn unshare() -> Command {
    let mut command = tool("unshare");
    command.args(["--net", "--mount"]);
    if !is_root() {
        command.arg("--map-root-user");
    }
    command
}

/// A program; those for networks are in directories that are not on everyone's path.
fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("Uid:")).and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

/// Whether a namespace can be made here, with `lo` up and a table of nft.
fn possible() -> Result<(), String> {
    let script = "ip link set lo up && nft add table inet testbed && mount --make-rprivate /";
    let done = unshare().args(["sh", "-c", script]).stdin(Stdio::null()).output();
    match done {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

fn not_run(test: &str, reason: &str) {
    let line = format!("NOT RUN: {test}: no network namespace ({reason})");
    eprintln!("{line}");
    assert!(
        std::env::var(ALLOW_NONE).as_deref() == Ok("1"),
        "{line}; needs util-linux, iproute2, nftables and root or user namespaces; {ALLOW_NONE}=1 lets it pass unrun"
    );
    if let Ok(file) = std::env::var(NOT_RUN) {
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        writeln!(file, "{test}").unwrap();
    }
}

/// Waits until no IPv6 address is tentative: also those that are not probed for duplicates are so for a moment, in which
/// they take nothing in.
fn settled() {
    wait_for("IPv6 addresses to be usable", Duration::from_secs(5), || {
        let addresses = std::fs::read_to_string("/proc/self/net/if_inet6").unwrap();
        // Address, interface, prefix, scope, flags, name.
        let flags = |line: &str| line.split_whitespace().nth(4).map(|f| u32::from_str_radix(f, 16).unwrap());
        let tentative = addresses.lines().any(|line| flags(line).is_some_and(|flags| flags & 0x40 != 0));
        (!tentative).then_some(())
    });
}

/// The network inside: `lo`, and what is added to it.
#[derive(Debug)]
pub struct Network(());

impl Network {
    fn new() -> Self {
        let network = Self(());
        // What is written there must stay in here, whatever the distribution shares.
        command("mount", &["--make-rprivate", "/"]);
        network.ip(&["link", "set", "lo", "up"]);
        network.ip(&["address", "add", &format!("{SELF_V4}/32"), "dev", "lo"]);
        network.ip(&["-6", "address", "add", &format!("{SELF_V6}/128"), "dev", "lo", "nodad"]);
        settled();
        // Servers may listen on the fake IPv6 addresses, which are no interface's.
        network.sysctl("net/ipv6/ip_nonlocal_bind", "1");
        network.nft("add table inet testbed");
        network.nft("add chain inet testbed out { type filter hook output priority 0; }");
        network.nft("add chain inet testbed in { type filter hook input priority 0; }");
        network
    }

    /// Makes a fake machine's address: one may listen there and connect to it, but no interface here has it.
    pub fn elsewhere(&self, address: impl Into<IpAddr>) {
        let address = address.into();
        match address {
            IpAddr::V4(address) => {
                self.ip(&["route", "add", "local", &format!("{address}/32"), "dev", "lo", "src", SELF_V4]);
            }
            IpAddr::V6(address) => {
                self.ip(&["-6", "route", "add", "local", &format!("{address}/128"), "dev", "lo", "src", SELF_V6]);
            }
        }
        await_packets(address);
    }

    /// Gives this machine another address.
    pub fn here(&self, address: impl Into<IpAddr>) {
        let address = address.into();
        match address {
            IpAddr::V4(address) => self.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]),
            IpAddr::V6(address) => {
                self.ip(&["-6", "address", "add", &format!("{address}/128"), "dev", "lo", "nodad"]);
                settled();
            }
        }
        await_packets(address);
    }

    /// Runs `ip`.
    pub fn ip(&self, arguments: &[&str]) {
        command("ip", arguments);
    }

    /// Runs `nft` with one command. The table `inet testbed` has chains `out` for what leaves and `in` for what
    /// arrives; here both see everything.
    pub fn nft(&self, rule: &str) {
        command("nft", &[rule]);
    }

    /// Drops what arrives at `address`.
    pub fn drop_to(&self, address: IpAddr) {
        self.nft(&format!("add rule inet testbed in {} {address} drop", family(address)));
    }

    /// Answers what arrives at `address` with "host unreachable".
    pub fn reject_to(&self, address: IpAddr) {
        let code = if address.is_ipv4() { "icmp type host-unreachable" } else { "icmpv6 type addr-unreachable" };
        self.nft(&format!("add rule inet testbed in {} {address} reject with {code}", family(address)));
    }

    /// Counts what leaves and matches an expression of nft from now on.
    pub fn count(&self, name: &str, matching: &str) {
        self.nft(&format!("add counter inet testbed {name}"));
        self.nft(&format!("add rule inet testbed out {matching} counter name {name}"));
    }

    /// Counts SYNs that leave.
    pub fn count_syns(&self) {
        self.count("syns", "tcp flags & (syn|ack) == syn");
    }

    /// SYNs that have left since [`Network::count_syns`].
    #[must_use]
    pub fn syns(&self) -> u64 {
        self.counted("syns")
    }

    /// Packets counted since [`Network::count`].
    #[must_use]
    pub fn counted(&self, name: &str) -> u64 {
        let text = command("nft", &["list", "counter", "inet", "testbed", name]);
        let mut words = text.split_whitespace();
        words.find(|word| *word == "packets").unwrap();
        words.next().unwrap().parse().unwrap()
    }

    /// Sets `/proc/sys/<key>`.
    pub fn sysctl(&self, key: &str, value: &str) {
        std::fs::write(format!("/proc/sys/{key}"), value).unwrap_or_else(|e| panic!("{key}: {e}"));
    }

    /// Puts another text over a file of the system, for this process only.
    pub fn replace_file(&self, path: &str, text: &str) {
        let file = std::env::temp_dir().join(format!("testbed-{}", std::process::id()));
        std::fs::write(&file, text).unwrap();
        command("mount", &["--bind", file.to_str().unwrap(), path]);
        // The mount keeps it.
        let _ = std::fs::remove_file(&file);
    }
}

/// Waits until a packet to `address` arrives: the first ones to a new address may be lost, and a lost SYN costs a second.
fn await_packets(address: IpAddr) {
    wait_for("packets to a new address", Duration::from_secs(5), || {
        let socket = UdpSocket::bind((address, 0)).ok()?;
        socket.set_read_timeout(Some(Duration::from_millis(50))).ok()?;
        socket.send_to(b"x", socket.local_addr().ok()?).ok()?;
        socket.recv(&mut [0u8; 1]).ok()
    });
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip daddr" } else { "ip6 daddr" }
}

fn command(program: &str, arguments: &[&str]) -> String {
    let output = tool(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(
        output.status.success(),
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
