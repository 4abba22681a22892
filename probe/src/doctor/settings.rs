//! The settings themselves.

use super::Finding;
use crate::config::{ALL_SETTINGS, Config};

const AREA: &str = "settings";

/// Something is wrong with them. The line names the variable, what was found and what would work.
pub(super) fn problem(line: &str) -> Finding {
    Finding::fail(AREA, line, format!("set it in the environment or in the file of --config. {ALL_SETTINGS}"))
}

/// They can be used.
pub(super) fn usable(config: &Config) -> Finding {
    let networks = match config.allow_private.len() {
        0 => "public addresses only".to_owned(),
        1 => "public addresses and 1 network of its own".to_owned(),
        count => format!("public addresses and {count} networks of its own"),
    };
    let (region, worker, concurrency) = (&config.region, &config.worker, config.concurrency);
    Finding::ok(AREA, format!("Region {region}, worker {worker}, {concurrency} checks at once, {networks}."))
}
