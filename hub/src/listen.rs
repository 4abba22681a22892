//! Jobs that do not report: looked for every second, on every hub. Whoever looks also notes that he lives: of a time in which
//! no hub did, nobody knows what was sent.

use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::store::{Heard, Missed, Store};
use crate::vital::{Part, Vitals};

const EVERY: Duration = Duration::from_secs(1);
/// Turns between two words on trouble that goes on: a minute.
const TOLD_EVERY: u32 = 60;

/// Until told to stop. To be started when the hub can be reached.
///
/// # Errors
/// Never yet; it ends with the hub.
pub async fn run(store: Store, vitals: Vitals, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let mut failed = 0_u32;
    while !*stopping.borrow() {
        let looked = look(&store).await;
        if looked.is_ok() {
            vitals.moved(Part::Listen);
        }
        match looked {
            Ok(Missed { down: 0, excused: 0 }) => failed = 0,
            Ok(Missed { down, excused }) => {
                failed = 0;
                tracing::info!(down, excused, "Jobs did not report in time.");
            }
            // Nobody can report either; when it is back, that time counts as one in which nobody listened.
            Err(error) => {
                if failed.is_multiple_of(TOLD_EVERY) {
                    tracing::warn!(%error, "Jobs that do not report could not be looked for.");
                }
                failed = failed.wrapping_add(1);
            }
        }
        let _ = tokio::time::timeout(EVERY, stopping.changed()).await;
    }
    Ok(())
}

async fn look(store: &Store) -> Result<Missed, crate::store::StoreError> {
    // As of one instant, before the database is asked: what it was away for after that is only noted at the next look, and
    // nothing that became missing meanwhile may be called so before.
    let now = clock::now();
    // First: who calls what he could not hear missing tells of his own fault.
    if let Heard::Not(deaf) = store.note_listening(now).await? {
        let seconds = (deaf.to_at - deaf.from_at) / 1_000;
        tracing::warn!(seconds, "No hub was there to hear jobs report; those that may have are not called missing.");
    }
    store.miss_pings(now).await
}
