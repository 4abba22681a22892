//! What the service manager is told (sd_notify(3)): that the hub starts, runs, moves and stops. Where it is told no more that the
//! hub moves, it ends the process and starts another: what hangs cannot restart itself.

use std::time::{Duration, Instant};

use probe::notify::Notifier;
use tokio::sync::watch;

use crate::vital::{Part, Vitals};

/// A part that stands still for longer than this hangs. Before that it may have much to do: another start would not have
/// less, and operators are told of it already.
const HANGS_AFTER: Duration = Duration::from_secs(300);
/// A start says in time that it needs more, since a schema may take long to be brought up to date.
const STARTS_EVERY: Duration = Duration::from_secs(10);
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Where nobody asks whether it is alive.
const LONG: Duration = Duration::from_secs(3_600);

/// Since when a part stands still.
#[derive(Debug, Default)]
struct Hang(Option<Instant>);

impl Hang {
    /// Whether nothing hangs. `late`: parts that stand still by themselves ([`Vitals::late`]).
    fn is_none(&mut self, late: Option<&[Part]>, now: Instant) -> bool {
        match late {
            // While the database is away all may wait for it.
            None | Some([]) => {
                self.0 = None;
                true
            }
            Some(_) => now.saturating_duration_since(*self.0.get_or_insert(now)) < HANGS_AFTER,
        }
    }
}

/// Says that a start needs more time, for as long as a part of it takes.
pub async fn while_starting<T>(notifier: &Notifier, part: impl Future<Output = T>) -> T {
    let mut part = std::pin::pin!(part);
    loop {
        notifier.starting(STARTS_WITHIN);
        if let Ok(done) = tokio::time::timeout(STARTS_EVERY, part.as_mut()).await {
            return done;
        }
    }
}

/// Says that the hub runs, and then that it moves, until it stops.
///
/// # Errors
/// Never by itself.
pub async fn run(
    notifier: Notifier,
    vitals: Vitals,
    status: String,
    mut stopping: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    notifier.ready(&status);
    let mut hang = Hang::default();
    while !*stopping.borrow() {
        let wait = match notifier.alive_every() {
            Some(every) if hang.is_none(vitals.late().as_deref(), Instant::now()) => {
                notifier.alive();
                every
            }
            Some(every) => {
                tracing::error!(parts = ?vitals.late(), "The service manager is not told any more that this hub moves.");
                every
            }
            None => LONG,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopping.changed() => break,
        }
    }
    notifier.stopping();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_stands_still_for_long_hangs_and_one_that_waits_for_the_database_does_not() {
        let (mut hang, start) = (Hang::default(), Instant::now());
        let after = |s| start + Duration::from_secs(s);
        assert!(hang.is_none(Some(&[]), after(0)));
        assert!(hang.is_none(Some(&[Part::Alert]), after(10)), "much to do");
        assert!(hang.is_none(Some(&[Part::Alert]), after(309)));
        assert!(!hang.is_none(Some(&[Part::Alert]), after(310)));
        assert!(hang.is_none(None, after(320)), "the database is away");
        assert!(hang.is_none(Some(&[Part::Schedule]), after(330)), "counted anew");
        assert!(hang.is_none(Some(&[]), after(340)));
        assert!(hang.is_none(Some(&[Part::Schedule]), after(639)));
    }
}
