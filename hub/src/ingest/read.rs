//! Reports out of the queue, to the keepers.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::keep::Pause;
use super::part::{self, Part};
use crate::queue::Queue;
use crate::vital::Vitals;

/// Reads until told to stop, and then until nothing is left that only this process holds. What the keepers cannot take
/// waits in the queue.
pub(super) async fn run(
    queue: Queue,
    keepers: Vec<mpsc::Sender<Part>>,
    vitals: Vitals,
    stopping: watch::Receiver<bool>,
) {
    let mut pause = Pause::new(stopping.clone());
    loop {
        if *stopping.borrow() && !queue.holds_reports().await {
            return;
        }
        // Its own task: one bad report costs a turn, not the reader (D29).
        let reading = queue.clone();
        match tokio::spawn(async move { reading.next_reports().await }).await {
            Ok(Ok(reports)) => {
                pause.reset();
                vitals.queue(true);
                for (part, keeper) in part::share(reports, keepers.len()).into_iter().zip(&keepers) {
                    // Also an empty one: it says how far the reader is.
                    if keeper.send(part).await.is_err() {
                        return; // it panicked, which `run` tells
                    }
                }
                continue;
            }
            Ok(Err(error)) => tracing::warn!(%error, "Reports could not be read; trying again."),
            Err(panic) => tracing::error!(%panic, "Reports could not be read; trying again."),
        }
        vitals.queue(false);
        queue.again().await;
        pause.wait(Duration::from_secs(5)).await;
    }
}
