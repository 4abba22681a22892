//! What a check costs and how true its times are, beside a bare blocking loop of std and rustls that does the same.
//! Rounds are interleaved, so that ratios within a run count even on a busy machine.
//!
//! ```text
//! cargo bench -p probe --bench measure -- engine [--rounds 15] [--json]    CPU per check, checks/s, peak RSS; needs nginx
//! cargo bench -p probe --bench measure -- timing [--seconds 20] [--json]  error of each phase against known delays; needs nginx
//! cargo bench -p probe --bench measure -- memory [--json]                 RSS of the binary, idle and loaded; needs redis-server
//! ```
//! `--profile dist` measures what is shipped.

mod authority;
mod bare;
mod engine;
mod known;
mod memory;
mod nginx;
mod process;
mod table;
mod timing;

use std::process::ExitCode;

/// What was asked for on the command line.
struct Options {
    words: Vec<String>,
    rounds: usize,
    seconds: u64,
    json: bool,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let done = options().and_then(|options| {
        let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["child", rest @ ..] => engine::child(rest),
            ["engine"] => engine::run(&options),
            ["timing"] => timing::run(&options),
            ["memory"] => memory::run(&options),
            _ => Err("say what to measure: engine, timing or memory".into()),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, Failed> {
    let mut options = Options { words: Vec::new(), rounds: 15, seconds: 20, json: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).ok_or("give a number after the option");
        match argument.as_str() {
            // What cargo adds.
            "--bench" => {}
            "--json" => options.json = true,
            "--rounds" => options.rounds = usize::try_from(number()?)?.max(1),
            "--seconds" => options.seconds = u64::max(number()?, 1),
            word if !word.starts_with('-') => options.words.push(argument),
            other => return Err(format!("{other} is no option; there are --rounds, --seconds and --json").into()),
        }
    }
    Ok(options)
}
