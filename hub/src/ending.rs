//! What is left of accounts that were deleted goes in small steps, on whichever hub comes first; where one dies, another goes
//! on. Whoever deletes an account waits for the first of them; this takes the rest.

use std::time::Duration;

use tokio::sync::watch;

use crate::store::Store;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);
/// Between two steps, so that they hold up nobody else.
const REST: Duration = Duration::from_millis(20);

/// Deletes, until the hub stops.
///
/// # Errors
/// Never: what fails is tried again.
pub async fn run(store: Store, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    while !*stopping.borrow() {
        let pause = match store.delete_ended().await {
            Ok(true) => REST,
            Ok(false) => EVERY,
            Err(error) if error.is_collision() || error.is_lock_timeout() => EVERY,
            Err(error) => {
                tracing::warn!(%error, "What is left of a deleted account could not be deleted; it is tried again.");
                EVERY
            }
        };
        let _ = tokio::time::timeout(pause, stopping.changed()).await;
    }
    Ok(())
}
