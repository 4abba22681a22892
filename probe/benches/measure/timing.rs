//! Times of phases against delays that are known: 200 checks/s of a server that takes its time, while other threads
//! check a fast one. A bare client that looks at its own clock does the same at a quarter of that rate: what it is
//! wrong by is the machine's doing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use probe::canary::Keeper;
use probe::engine::{Engine, EngineConfig, ResolverConfig};
use probe::pool::{Pool, Ran};
use probe::wire::{IpFamily, Phases, RequestOptions, Target, Tick};
use rustls::pki_types::ServerName;
use serde::Serialize;

use crate::authority::{Authority, client};
use crate::engine::{check, config};
use crate::known::{Known, Took, host};
use crate::nginx::Nginx;
use crate::{Failed, Options, bare, table};

/// Between two checks: 200 per second.
const PACE: Duration = Duration::from_millis(5);
/// Between two checks of the fast server: another 200 per second.
const FILL: Duration = Duration::from_millis(5);
/// A bare exchange beside every so many checks.
const BARE_EVERY: u64 = 4;
/// Bare exchanges have numbers of their own.
const BARE: u64 = 1 << 40;

/// Errors of one phase, in microseconds.
#[derive(Serialize)]
struct Row {
    phase: &'static str,
    who: &'static str,
    count: usize,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

pub(crate) fn run(options: &Options) -> Result<(), Failed> {
    let authority = Authority::new(&["127.0.0.1", "*.known.test"])?;
    let nginx = Nginx::start(&authority)?;
    let known = Known::start(&authority)?;
    let resolver = ResolverConfig::Fixed { servers: vec![known.name_server], hosts: Vec::new() };
    let engine = Arc::new(Engine::new(EngineConfig { resolver, ..config(&authority.root) })?);
    let over = Arc::new(AtomicBool::new(false));
    let filling = fill(&engine, nginx.https, &over)?;
    let asking = ask_barely(&authority, &known, &over)?;
    let pool = Pool::start(Arc::clone(&engine), Arc::new(Keeper::off()), 64);
    let (tell, told) = mpsc::channel();
    let request = RequestOptions { ip_family: IpFamily::V4, ..RequestOptions::default() };
    let (started, mut refused) = (Instant::now(), 0u64);
    // The first second is not counted: threads start, caches fill.
    let count = (options.seconds + 1) * 200;
    for number in 0..count {
        thread::sleep((started + PACE * u32::try_from(number)?).saturating_duration_since(Instant::now()));
        if pool.free() == 0 {
            refused += 1;
            continue;
        }
        let url = format!("https://{}:{}/{number}", host(number), known.website.port());
        let target = Target { request: request.clone(), ..Target::get(url) };
        let (tell, begun) = (tell.clone(), Instant::now());
        let order = check(i64::try_from(number)?, target);
        pool.submit(order, Duration::from_secs(5), move |ran| {
            if let Ran::Tick(tick) = ran {
                let _ = tell.send((number, tick, begun.elapsed()));
            }
        });
    }
    drop(tell);
    let ticks: Vec<(u64, Box<Tick>, Duration)> = told.iter().filter(|(number, ..)| *number >= 200).collect();
    over.store(true, Ordering::Relaxed);
    let bare: Vec<[f64; 6]> = asking.join().map_err(|_| "the bare client failed")?;
    let filled = filling.into_iter().filter_map(|thread| thread.join().ok()).sum::<u64>();
    let (mut ours, mut sums, mut outside, mut down) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (number, tick, wall) in &ticks {
        if tick.failure.is_some() {
            down += 1;
            continue;
        }
        ours.push(errors(&tick.phases, &known.ledger.take(*number)));
        sums.push(f64::from(tick.total_us) - f64::from(tick.phases.sum_us()));
        outside.push(wall.as_secs_f64() * 1e6 - f64::from(tick.total_us));
    }
    let mut rows = Vec::new();
    for (index, phase) in ["dns", "connect", "tls", "send", "wait", "receive"].into_iter().enumerate() {
        rows.push(row(phase, "engine", ours.iter().map(|errors| errors[index])));
        rows.push(row(phase, "bare", bare.iter().map(|errors| errors[index])));
    }
    rows.push(row("total - sum of phases", "engine", sums));
    rows.push(row("hand-over to tick - total", "engine", outside));
    if options.json {
        println!("{}", serde_json::to_string(&rows)?);
    } else {
        print(&rows);
        println!(
            "{} checks at 200/s, {down} failed, {refused} not begun; {filled} checks of the fast server beside them",
            ticks.len()
        );
    }
    Ok(())
}

/// What the clock said beyond what was done. Connecting and sending have no delay of their own.
fn errors(phases: &Phases, took: &Took) -> [f64; 6] {
    let of = |us: Option<u32>, took: Duration| us.map_or(f64::NAN, f64::from) - took.as_secs_f64() * 1e6;
    [
        of(phases.dns_us, took.dns),
        of(phases.connect_us, Duration::ZERO),
        of(phases.tls_us, took.tls),
        of(phases.send_us, Duration::ZERO),
        of(phases.wait_us, took.wait),
        of(phases.receive_us, took.receive),
    ]
}

fn row(phase: &'static str, who: &'static str, errors: impl IntoIterator<Item = f64>) -> Row {
    let errors = table::sorted(errors.into_iter().filter(|error| !error.is_nan()));
    let far = table::sorted(errors.iter().map(|error| error.abs()));
    Row {
        phase,
        who,
        count: errors.len(),
        p50_us: table::quantile(&errors, 0.5),
        p99_us: table::quantile(&far, 0.99),
        max_us: table::quantile(&far, 1.0),
    }
}

fn print(rows: &[Row]) {
    let mut cells = vec![["error of", "", "count", "p50 ms", "p99 ms", "max ms"].map(str::to_owned).to_vec()];
    let ms = |us: f64| if us.is_nan() { String::from("-") } else { format!("{:.3}", us / 1e3) };
    for row in rows {
        let (phase, who) = (row.phase.to_owned(), row.who.to_owned());
        cells.push(vec![phase, who, row.count.to_string(), ms(row.p50_us), ms(row.p99_us), ms(row.max_us)]);
    }
    table::print(&cells);
}

/// Four threads that check the fast server, together at the pace of [`FILL`].
fn fill(
    engine: &Arc<Engine>,
    address: SocketAddr,
    over: &Arc<AtomicBool>,
) -> Result<Vec<thread::JoinHandle<u64>>, Failed> {
    let mut threads = Vec::new();
    for _ in 0..4 {
        let (engine, over) = (Arc::clone(engine), Arc::clone(over));
        let order = check(0, Target::get(format!("https://{address}/")));
        threads.push(thread::Builder::new().stack_size(256 * 1024).spawn(move || {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                let next = Instant::now() + FILL * 4;
                let _ = engine.run(&order);
                count += 1;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            count
        })?);
    }
    Ok(threads)
}

/// Bare exchanges with the slow server, each on a thread of its own as it comes due.
fn ask_barely(
    authority: &Authority,
    known: &Known,
    over: &Arc<AtomicBool>,
) -> Result<thread::JoinHandle<Vec<[f64; 6]>>, Failed> {
    let (config, website) = (client(&authority.root)?, known.website);
    let (ledger, over) = (Arc::clone(&known.ledger), Arc::clone(over));
    Ok(thread::spawn(move || {
        let mut threads = Vec::new();
        let (started, mut number) = (Instant::now(), BARE);
        while !over.load(Ordering::Relaxed) {
            number += 1;
            let due = started + PACE * u32::try_from((number - BARE) * BARE_EVERY).unwrap_or(u32::MAX);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let config = Arc::clone(&config);
            let ask = move || {
                let name = ServerName::try_from(host(number)).ok()?;
                let request = format!("GET /{number} HTTP/1.1\r\nHost: known.test\r\nConnection: close\r\n\r\n");
                bare::exchange(website, Some((&config, name)), request.as_bytes()).ok()
            };
            if let Ok(thread) = thread::Builder::new().stack_size(256 * 1024).spawn(ask) {
                threads.push((number, thread));
            }
        }
        let done = threads.into_iter().filter_map(|(number, thread)| Some((number, thread.join().ok()??)));
        let us = |duration: Duration| u32::try_from(duration.as_micros()).ok();
        done.skip(50)
            .map(|(number, times)| {
                let phases = Phases {
                    dns_us: None,
                    connect_us: us(times.connect),
                    tls_us: us(times.tls),
                    send_us: us(times.send),
                    wait_us: us(times.wait),
                    receive_us: us(times.receive),
                };
                errors(&phases, &ledger.take(number))
            })
            .collect()
    }))
}
