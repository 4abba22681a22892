//! TLS: that it can be set up at all, and whom it trusts.

use super::Finding;
use crate::engine::{Engine, EngineConfig};

const AREA: &str = "trust";

pub(super) fn roots() -> Finding {
    let count = webpki_roots::TLS_SERVER_ROOTS.len();
    match Engine::new(EngineConfig::default()) {
        Ok(_) => Finding::ok(AREA, format!("TLS works; websites are judged by {count} built-in root certificates.")),
        Err(error) => Finding::fail(AREA, format!("No check can be run: {error}."), "install this program anew"),
    }
}
