//! The loop that counts hours and days that have ended ([`crate::model::roll_up`]). Any number of hubs may run it: what one
//! has written the others find done.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock;
use crate::model::{UtcMs, WebsiteId};
use crate::store::{RolledUp, Store, StoreError};

/// Between two looks when there is nothing to do. An hour is counted within ten minutes and this after its end.
const EVERY: Duration = Duration::from_secs(20);
/// Between two batches at least; otherwise as long as the one before took: half of the time at least is for others.
const BETWEEN: Duration = Duration::from_millis(20);
/// A turn was lost to another hub, which goes on with what there is.
const OVERTAKEN: Duration = Duration::from_secs(3);

/// Websites of one batch: as many as have ticks for some tens of milliseconds, whatever their intervals and regions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(usize);

impl Pace {
    const MOST: usize = 1_000;
    /// As many without having seen what they have.
    const UNSEEN: usize = 256;
    /// Ticks that a batch is to have.
    const FEW: usize = 4_000;
    const MANY: usize = 16_000;

    /// As many as there are ticks for after a batch of so many.
    #[must_use]
    fn after(self, ticks: usize) -> Self {
        match ticks {
            // Nothing says little of the next hour.
            0 => Self((self.0 * 2).min(Self::UNSEEN).max(self.0)),
            1..Self::FEW => Self((self.0 * 2).min(Self::MOST)),
            Self::FEW..Self::MANY => self,
            Self::MANY.. => self.fewer(),
        }
    }

    /// After one that took the database too long.
    #[must_use]
    fn fewer(self) -> Self {
        Self((self.0 / 2).max(1))
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self(16)
    }
}

/// One batch.
///
/// # Errors
/// The database is away, or took too long: nothing was written, and the next batch is smaller.
pub async fn step(store: &Store, pace: &mut Pace, now: i64) -> Result<RolledUp, StoreError> {
    let done = store.roll_up_some(now, pace.0).await;
    *pace = match &done {
        Ok(RolledUp::Counted { ticks }) => pace.after(*ticks),
        Ok(RolledUp::Nothing | RolledUp::Overtaken) => *pace,
        Err(_) => pace.fewer(),
    };
    done
}

/// How far hours that are not kept any more were taken away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgetting {
    /// Websites up to this one have none of them.
    after: Option<WebsiteId>,
    /// All websites had none when days were counted up to here.
    done_at: Option<UtcMs>,
}

/// Takes away some of the hours that are not kept any more, where there may be any since all were last looked through; whether
/// there may be more.
///
/// # Errors
/// The database is away: nothing was taken away.
pub async fn forget(store: &Store, forgetting: &mut Forgetting) -> Result<bool, StoreError> {
    let Some(progress) = store.roll_up_progress().await? else { return Ok(false) };
    let kept_since = progress.hours_kept_since();
    if forgetting.after.is_none() && forgetting.done_at == Some(kept_since) {
        return Ok(false);
    }
    let done = store.forget_hours(forgetting.after.unwrap_or(WebsiteId(uuid::Uuid::nil()))).await?;
    forgetting.after = done.after;
    if done.after.is_none() {
        forgetting.done_at = Some(kept_since);
    }
    Ok(done.after.is_some())
}

/// Counts until told to stop.
///
/// # Errors
/// Never by itself: trouble is logged and tried again.
pub async fn run(store: Store, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    let (mut pace, mut forgetting, mut is_failing) = (Pace::default(), Forgetting::default(), false);
    while !*stopping.borrow() {
        let began = Instant::now();
        // Its own task, awaited to the end: a transaction must not be cancelled half-way (D18).
        let turn = tokio::spawn({
            let store = store.clone();
            async move {
                let mut done = step(&store, &mut pace, clock::now()).await;
                // When there is nothing else to do.
                if matches!(done, Ok(RolledUp::Nothing)) {
                    done = forget(&store, &mut forgetting)
                        .await
                        .map(|more| if more { RolledUp::Counted { ticks: 0 } } else { RolledUp::Nothing });
                }
                (done, pace, forgetting)
            }
        });
        let wait = match turn.await {
            Ok((done, next, forgot)) => {
                (pace, forgetting) = (next, forgot);
                let is_first_failure = done.is_err() && !is_failing;
                is_failing = done.is_err();
                match done {
                    Ok(RolledUp::Counted { .. }) => began.elapsed().max(BETWEEN),
                    Ok(RolledUp::Overtaken) => OVERTAKEN,
                    Ok(RolledUp::Nothing) => EVERY,
                    // Said once: others tell of a database that is away, every few seconds.
                    Err(error) => {
                        if is_first_failure {
                            tracing::warn!(%error, "History could not be rolled up; trying again.");
                        }
                        EVERY
                    }
                }
            }
            Err(panic) => {
                tracing::error!(%panic, "Rolling up history failed.");
                EVERY
            }
        };
        let _ = tokio::time::timeout(wait, stopping.changed()).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_grow_and_shrink_with_what_is_in_them_within_bounds() {
        let mut pace = Pace::default();
        for _ in 0..20 {
            pace = pace.after(1);
        }
        assert_eq!(pace, Pace(Pace::MOST));
        assert_eq!((pace.after(10_000), pace.after(0)), (pace, pace));
        for _ in 0..20 {
            pace = pace.after(1_000_000);
        }
        assert_eq!((0..20).fold(pace, |pace, _| pace.after(0)), Pace(Pace::UNSEEN));
        assert_eq!((pace, pace.after(0), pace.after(1)), (Pace(1), Pace(2), Pace(2)));
    }
}
