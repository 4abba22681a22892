//! `betteruptime-probe check <url>`: one check by hand, drawn as a waterfall.

mod order;
mod picture;

use std::io::IsTerminal;
use std::process::ExitCode;

pub use picture::waterfall;

use crate::engine::{AddressPolicy, Engine, EngineConfig, read_roots};
use crate::wire::{Check, Outcome};

/// Checks a website once and prints what came of it, for people or as the tick's JSON; `parser` stands after the word
/// `check`. Private and loopback addresses are allowed: the operator sits at this machine. 0: up or degraded, 1:
/// anything else.
///
/// # Errors
/// Arguments that are not understood.
pub fn run(parser: lexopt::Parser) -> Result<ExitCode, lexopt::Error> {
    let Some(order) = order::parse(parser)? else {
        print!("{}", order::HELP);
        return Ok(ExitCode::SUCCESS);
    };
    let extra_roots = match order.ca_file.as_deref().map(read_roots) {
        Some(roots) => roots.map_err(|e| e.to_string())?,
        None => Vec::new(),
    };
    let policy = if order.public_only { AddressPolicy::public_only() } else { AddressPolicy::owner() };
    let engine = Engine::new(EngineConfig { policy, extra_roots, ..EngineConfig::default() });
    let engine = engine.map_err(|e| e.to_string())?;
    let tick = engine.run(&Check::by_hand(order.target));
    if order.json {
        let text = serde_json::to_string_pretty(&tick).map_err(|e| e.to_string())?;
        println!("{text}");
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        print!("{}", waterfall(&tick, colour));
    }
    Ok(match tick.outcome {
        Outcome::Up | Outcome::Degraded => ExitCode::SUCCESS,
        Outcome::Down | Outcome::Unknown => ExitCode::FAILURE,
    })
}
