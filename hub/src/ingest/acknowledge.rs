//! What is stored is acknowledged, while the next is being stored.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::queue::{Queue, Receipt};

/// Receipts in one transaction of Redis, which does nothing else meanwhile.
const AT_ONCE: usize = 4_000;

/// Until all keepers have ended.
pub(super) async fn run(queue: Queue, mut stored: mpsc::Receiver<Vec<Receipt>>) {
    while let Some(mut receipts) = stored.recv().await {
        while receipts.len() < AT_ONCE
            && let Ok(more) = stored.try_recv()
        {
            receipts.extend(more);
        }
        if let Err(error) = queue.acknowledge(&receipts).await {
            // They come again, are known then, and are acknowledged then.
            tracing::warn!(%error, reports = receipts.len(), "Stored reports could not be acknowledged; they will come again.");
            queue.again().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
