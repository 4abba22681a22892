//! Processor time, speed and memory of fresh-connection checks: the probe (the engine on its pool, fed as the worker
//! feeds it), the engine alone on plain threads, and the bare loop. Each has a process of its own: this binary again.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};
use std::{fs, thread};

use probe::canary::Keeper;
use probe::engine::{AddressPolicy, Engine, EngineConfig, ResolverConfig};
use probe::pool::{Pool, Ran};
use probe::wire::{Check, CheckKind, Outcome, Target, WebsiteId};
use rustls::pki_types::{CertificateDer, ServerName};
use serde::{Deserialize, Serialize};

use crate::authority::{Authority, client};
use crate::nginx::Nginx;
use crate::{Failed, Options, bare, process, table};

/// As the pool's.
const STACK_BYTES: usize = 256 * 1024;
const VARIANTS: [&str; 3] = ["probe", "engine", "bare"];

/// What one process did.
#[derive(Serialize, Deserialize)]
struct Outcomes {
    checks: usize,
    failures: usize,
    wall_us: u64,
    cpu_us: u64,
    idle_kib: u64,
    peak_kib: u64,
}

/// One scheme with one number of checks in flight.
#[derive(Serialize)]
struct Row {
    scheme: &'static str,
    in_flight: usize,
    /// In the order of [`VARIANTS`].
    outcomes: [Vec<Outcomes>; 3],
}

pub(crate) fn config(root: &CertificateDer<'static>) -> EngineConfig {
    EngineConfig {
        policy: AddressPolicy::owner(),
        extra_roots: vec![root.clone()],
        resolver: ResolverConfig::Fixed { servers: Vec::new(), hosts: Vec::new() },
        ..EngineConfig::default()
    }
}

pub(crate) fn check(slot_at: i64, target: Target) -> Check {
    Check {
        website_id: WebsiteId(uuid::Uuid::nil()),
        slot_at,
        attempt: 0,
        kind: CheckKind::Scheduled,
        deadline_at: 60_000,
        published_at: 0,
        target,
    }
}

pub(crate) fn run(options: &Options) -> Result<(), Failed> {
    let authority = Authority::new(&["127.0.0.1"])?;
    let nginx = Nginx::start(&authority)?;
    let directory = tempfile::tempdir()?;
    fs::write(directory.path().join("root"), &authority.root)?;
    fs::write(directory.path().join("request"), request(&authority)?)?;
    let mut rows = Vec::new();
    for (scheme, address) in [("http", nginx.http), ("https", nginx.https)] {
        for in_flight in [16, 256] {
            rows.push((address, Row { scheme, in_flight, outcomes: [const { Vec::new() }; 3] }));
        }
    }
    for round in 0..options.rounds {
        for (address, row) in &mut rows {
            for turn in 0..VARIANTS.len() {
                let number = (round + turn) % VARIANTS.len();
                let variant = VARIANTS[number];
                let count = if row.scheme == "http" { 2_048 } else { 1_024 };
                let output = Command::new(std::env::current_exe()?)
                    .args(["child", variant, row.scheme])
                    .args([address.to_string(), row.in_flight.to_string(), count.to_string()])
                    .arg(directory.path())
                    .output()?;
                if !output.status.success() {
                    return Err(format!("{variant}: {}", String::from_utf8_lossy(&output.stderr)).into());
                }
                row.outcomes[number].push(serde_json::from_slice(&output.stdout)?);
            }
        }
    }
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    if options.json {
        println!("{}", serde_json::to_string(&rows)?)
    } else {
        print(&rows)
    }
    Ok(())
}

fn print(rows: &[Row]) {
    let mut cells =
        vec![["", "CPU ms/check", "/ bare", "checks/s", "idle MB", "peak MB", "failed"].map(str::to_owned).to_vec()];
    for row in rows {
        let [_, _, bare] = &row.outcomes;
        for (variant, all) in VARIANTS.iter().zip(&row.outcomes) {
            let of = |f: &dyn Fn(&Outcomes) -> f64| all.iter().map(f).collect::<Vec<f64>>();
            let ratios: Vec<f64> = all.iter().zip(bare).map(|(ours, bare)| cpu_ms(ours) / cpu_ms(bare)).collect();
            cells.push(vec![
                format!("{} x {} {variant}", row.scheme, row.in_flight),
                table::spread(&of(&cpu_ms), 4),
                format!("{:.3}, {}", mean(all) / mean(bare), table::spread(&ratios, 3)),
                table::spread(&of(&|o| o.checks as f64 * 1e6 / o.wall_us as f64), 0),
                table::spread(&of(&|o| o.idle_kib as f64 / 1024.0), 1),
                table::spread(&of(&|o| o.peak_kib as f64 / 1024.0), 1),
                all.iter().map(|o| o.failures).sum::<usize>().to_string(),
            ]);
        }
    }
    table::print(&cells);
}

/// Over all rounds: steadier than the median of their ratios.
fn mean(all: &[Outcomes]) -> f64 {
    all.iter().map(cpu_ms).sum::<f64>() / all.len() as f64
}

fn cpu_ms(outcomes: &Outcomes) -> f64 {
    outcomes.cpu_us as f64 / 1e3 / outcomes.checks as f64
}

/// The bytes the engine sends, so that both send the same; the host is as long as the real one.
fn request(authority: &Authority) -> Result<Vec<u8>, Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/", listener.local_addr()?);
    let engine = Engine::new(config(&authority.root))?;
    let asking = thread::spawn(move || engine.run(&check(0, Target { timeout_ms: 1_000, ..Target::get(url) })));
    let (mut stream, _) = listener.accept()?;
    let (mut bytes, mut byte) = (Vec::new(), [0u8; 1]);
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        bytes.extend(byte);
    }
    drop(stream);
    drop(listener);
    let _ = asking.join();
    Ok(bytes)
}

/// `variant scheme address in_flight count directory`.
pub(crate) fn child(words: &[&str]) -> Result<(), Failed> {
    let [variant, scheme, address, in_flight, count, directory] = words else { return Err("six words".into()) };
    let root = CertificateDer::from(fs::read(format!("{directory}/root"))?);
    let (in_flight, count): (usize, usize) = (in_flight.parse()?, count.parse()?);
    let tls = *scheme == "https";
    let url = format!("{scheme}://{address}/");
    let outcomes = match *variant {
        "probe" => pooled(&url, &root, in_flight, count)?,
        "engine" => {
            let engine = Engine::new(config(&root))?;
            let check = check(0, Target { timeout_ms: 30_000, ..Target::get(url) });
            looping("engine", in_flight, count, move || engine.run(&check).outcome == Outcome::Up)?
        }
        _ => {
            let request = fs::read(format!("{directory}/request"))?;
            let address: SocketAddr = address.parse()?;
            let (config, name) = (client(&root)?, ServerName::from(address.ip()));
            let ask = move || bare::exchange(address, tls.then(|| (&config, name.clone())), &request);
            looping("bare", in_flight, count, move || ask().is_ok())?
        }
    };
    println!("{}", serde_json::to_string(&outcomes)?);
    Ok(())
}

fn pooled(url: &str, root: &CertificateDer<'static>, in_flight: usize, count: usize) -> Result<Outcomes, Failed> {
    let engine = Engine::new(config(root))?;
    let canaries = Arc::new(Keeper::off());
    let pool = Pool::start(Arc::new(engine), canaries, u16::try_from(in_flight)?);
    let check = check(0, Target { timeout_ms: 30_000, ..Target::get(url) });
    let idle_kib = process::kib(std::process::id(), "VmRSS")?;
    let feed = |count: usize| {
        let (tell, told) = mpsc::channel();
        let mut left = count;
        // As the worker's reader does it.
        while left > 0 {
            let free = pool.wait_free(Duration::from_secs(60)).min(left);
            for _ in 0..free {
                let tell = tell.clone();
                pool.submit(check.clone(), Duration::from_secs(60), move |ran| {
                    let _ = tell.send(matches!(ran, Ran::Tick(tick) if tick.outcome == Outcome::Up));
                });
            }
            left -= free;
        }
        drop(tell);
        told.iter().filter(|up| !up).count()
    };
    // Every thread has been there once.
    feed(in_flight * 2);
    let (cpu, started) = (process::cpu()?, Instant::now());
    let failures = feed(count);
    outcomes(count, failures, started, cpu, idle_kib)
}

fn looping(
    name: &str,
    in_flight: usize,
    count: usize,
    ask: impl Fn() -> bool + Send + Sync + 'static,
) -> Result<Outcomes, Failed> {
    let idle_kib = process::kib(std::process::id(), "VmRSS")?;
    let ask = Arc::new(ask);
    // Before the count, after it, and after it was read what it took.
    let barrier = Arc::new(Barrier::new(in_flight + 1));
    let failures = Arc::new(AtomicUsize::new(0));
    for _ in 0..in_flight {
        let (ask, barrier, failures) = (Arc::clone(&ask), Arc::clone(&barrier), Arc::clone(&failures));
        thread::Builder::new().stack_size(STACK_BYTES).name(name.to_owned()).spawn(move || {
            for _ in 0..2 {
                ask();
            }
            barrier.wait();
            let failed = (0..count / in_flight).filter(|_| !ask()).count();
            failures.fetch_add(failed, Ordering::Relaxed);
            barrier.wait();
            barrier.wait();
        })?;
    }
    barrier.wait();
    let (cpu, started) = (process::cpu()?, Instant::now());
    barrier.wait();
    let done = outcomes(count, failures.load(Ordering::Relaxed), started, cpu, idle_kib);
    barrier.wait();
    done
}

fn outcomes(
    checks: usize,
    failures: usize,
    started: Instant,
    cpu: Duration,
    idle_kib: u64,
) -> Result<Outcomes, Failed> {
    let wall_us = u64::try_from(started.elapsed().as_micros())?;
    let cpu_us = u64::try_from((process::cpu()? - cpu).as_micros())?;
    let peak_kib = process::kib(std::process::id(), "VmHWM")?;
    Ok(Outcomes { checks, failures, wall_us, cpu_us, idle_kib, peak_kib })
}
