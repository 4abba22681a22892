//! Reports stored, in batches of what has come meanwhile; what they make of the websites told to the scheduler.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::{mpsc, watch};

use super::part::Part;
use crate::clock;
use crate::model::{UtcMs, WebsiteId};
use crate::queue::{Queue, Receipt};
use crate::schedule::Scheduler;
use crate::store::{Ingested, Letter, Store, StoreError};
use crate::vital::Vitals;

/// Ticks stored in one transaction: a backlog of many workers must not hold the locks of all its websites for seconds.
const AT_ONCE: usize = 2_000;
/// How soon websites that were at work elsewhere are tried again, when nothing else comes.
const LEFT_AGAIN: Duration = Duration::from_millis(200);

/// Stores what concerns its share of the websites.
pub(super) struct Keeper {
    works: Works,
    queue: Queue,
    vitals: Vitals,
    stored: mpsc::Sender<Vec<Receipt>>,
    pause: Pause,
}

/// What storing takes.
#[derive(Clone)]
struct Works {
    store: Store,
    scheduler: Scheduler,
}

/// What came of a part.
enum Done {
    Stored {
        busy: BTreeSet<WebsiteId>,
    },
    /// The hub is stopping, and the queue will hand it out again.
    GivenUp,
}

impl Keeper {
    pub(super) fn new(
        store: &Store,
        queue: &Queue,
        scheduler: &Scheduler,
        vitals: &Vitals,
        stored: mpsc::Sender<Vec<Receipt>>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let works = Works { store: store.clone(), scheduler: scheduler.clone() };
        Self { works, queue: queue.clone(), vitals: vitals.clone(), stored, pause: Pause::new(stopping) }
    }

    /// Until the reader has ended and all it gave is stored, or will be handed out again.
    pub(super) async fn run(mut self, mut parts: mpsc::Receiver<Part>, reached: impl Fn(Option<UtcMs>)) {
        // Of websites that another transaction holds. They are tried again with whatever comes next, before it.
        let mut left = Part::default();
        loop {
            let next = if left.is_empty() {
                Ok(parts.recv().await)
            } else {
                tokio::time::timeout(LEFT_AGAIN, parts.recv()).await
            };
            let (is_last, may_wait) = (matches!(next, Ok(None)), left.is_empty());
            let mut batch = std::mem::take(&mut left);
            // Nothing that came in time says nothing of how far the reader is.
            let mut has_come = false;
            if let Ok(Some(part)) = next {
                has_come = true;
                batch.append(part);
            }
            while batch.len() < AT_ONCE
                && let Ok(more) = parts.try_recv()
            {
                has_come = true;
                batch.append(more);
            }
            let until_at = batch.read_until_at;
            if !batch.is_empty() {
                let batch = Arc::new(batch);
                match self.keep(&batch, may_wait).await {
                    Done::Stored { busy } => {
                        probe::fail_point!("ingest.committed");
                        let (receipts, again) = Arc::unwrap_or_clone(batch).settle(&busy);
                        left = again;
                        // Only after shutdown began could the acknowledger be gone.
                        let _ = self.stored.send(receipts).await;
                    }
                    Done::GivenUp => {}
                }
            }
            if has_come {
                reached(until_at);
            }
            if self.queue.hands_out_again() && (is_last || left.len() > AT_ONCE) {
                left = Part::default(); // not acknowledged: another hub, or this one, will be given them
            }
            if is_last && left.is_empty() {
                return;
            }
        }
    }

    /// Stores a part, however long the database is away.
    async fn keep(&mut self, part: &Arc<Part>, may_wait: bool) -> Done {
        loop {
            match self.works.in_task(part, may_wait).await {
                Ok(Ok(busy)) => {
                    self.pause.reset();
                    return Done::Stored { busy };
                }
                Ok(Err(error)) => {
                    if error.downcast_ref().is_some_and(StoreError::is_full) {
                        self.vitals.full();
                    }
                    tracing::warn!(error = format!("{error:#}"), "Reports could not be stored; trying again.");
                }
                Err(panic) => {
                    tracing::error!(%panic, "A batch of reports failed; now one by one.");
                    return self.keep_one_by_one(part).await;
                }
            }
            if self.pause.is_stopping() && self.queue.hands_out_again() {
                return Done::GivenUp;
            }
            self.pause.wait(Duration::from_secs(5)).await;
        }
    }

    /// After a panic: the report that causes it is found and kept as a dead letter, and blocks no others (D29).
    async fn keep_one_by_one(&mut self, part: &Part) -> Done {
        let mut all_busy = BTreeSet::new();
        for single in part.singles() {
            let single = Arc::new(single);
            loop {
                let error = match self.works.in_task(&single, true).await {
                    Ok(Ok(busy)) => {
                        all_busy.extend(busy);
                        break;
                    }
                    Ok(Err(error)) => error,
                    Err(panic) => {
                        let letter = single.as_letter();
                        tracing::error!(stream = letter.as_ref().map(|l| l.stream.as_str()), %panic,
                            "A report made the hub fail; it is kept as a dead letter.");
                        match self.works.store.keep_dead_letters(letter.as_slice(), clock::now()).await {
                            Ok(()) => break,
                            Err(error) => error.into(),
                        }
                    }
                };
                tracing::warn!(error = format!("{error:#}"), "A report could not be stored; trying again.");
                if self.pause.is_stopping() && self.queue.hands_out_again() {
                    return Done::GivenUp;
                }
                self.pause.wait(Duration::from_secs(5)).await;
            }
        }
        Done::Stored { busy: all_busy }
    }
}

impl Works {
    /// Its own task, awaited to the end: a transaction must not be cancelled half-way (D18), and a panic costs a batch.
    async fn in_task(
        &self,
        part: &Arc<Part>,
        may_wait: bool,
    ) -> Result<anyhow::Result<BTreeSet<WebsiteId>>, tokio::task::JoinError> {
        let (works, part) = (self.clone(), part.clone());
        tokio::spawn(async move { works.take(&part, may_wait, clock::now()).await }).await
    }

    /// The effect of reports, stored. Returns the websites that are at work elsewhere.
    async fn take(&self, part: &Part, may_wait: bool, now: UtcMs) -> anyhow::Result<BTreeSet<WebsiteId>> {
        if !part.letters.is_empty() {
            tell(&part.letters);
            self.store.keep_dead_letters(&part.letters, now).await.context("dead letters")?;
            self.store.counts().letters.add(part.letters.len());
        }
        if !part.beats.is_empty() {
            match self.store.record_heartbeats(&part.beats, now).await {
                Ok(()) => {}
                // A sign of life that cannot be stored is worth a line, not a standstill: the next one comes in 10 s.
                Err(error) if error.is_fault_of_the_data() => {
                    tracing::error!(%error, "A heartbeat could not be stored.");
                }
                Err(error) => return Err(error).context("heartbeats"),
            }
        }
        for (region, _, beat, received_at) in &part.beats {
            if !beat.stopping {
                // When it was written, not when it was read: an old one revives nobody.
                self.scheduler.region_alive(region.clone(), *received_at);
            }
        }
        let mut busy = BTreeSet::new();
        // A part is rarely larger than one transaction; the reader bounds it.
        for some in part.ticks.chunks(AT_ONCE) {
            let began = Instant::now();
            let done = self.store.ingest_read(some, now, part.judged_until_at, may_wait).await?;
            self.store.counts().ingest_batch.record(began.elapsed());
            self.tell_of(done, &mut busy);
        }
        Ok(busy)
    }

    fn tell_of(&self, done: Ingested, busy: &mut BTreeSet<WebsiteId>) {
        let counts = self.store.counts();
        counts.ticks_new.add(done.new);
        counts.ticks_known.add(done.known);
        counts.ticks_late.add(done.late);
        counts.ticks_orphaned.add(done.orphaned);
        for confirm in done.confirm {
            self.scheduler.confirm(confirm);
        }
        for change in &done.transitions {
            tracing::info!(website.id = %change.website_id, from = %change.from, to = %change.to, reason = change.reason, "The verdict changed.");
        }
        if !done.busy.is_empty() {
            tracing::warn!(
                websites = done.busy.len(),
                "Websites are locked by another transaction; their ticks wait, others do not."
            );
        }
        tracing::debug!(
            new = done.new,
            known = done.known,
            late = done.late,
            orphaned = done.orphaned,
            "Ticks were stored."
        );
        busy.extend(done.busy);
    }
}

/// Thousands of dead letters that tell of the same are one line.
fn tell(letters: &[Letter]) {
    let Some(first) = letters.first() else { return };
    tracing::warn!(
        letters = letters.len(),
        stream = first.stream,
        reason = first.reason,
        "Checks were put away unrun, or reports not understood: they are kept as dead letters; the first is named here."
    );
}

/// The wait after trouble: longer each time.
pub(super) struct Pause {
    next: Duration,
    stopping: watch::Receiver<bool>,
}

impl Pause {
    const FIRST: Duration = Duration::from_millis(100);

    pub(super) fn new(stopping: watch::Receiver<bool>) -> Self {
        Self { next: Self::FIRST, stopping }
    }

    pub(super) fn reset(&mut self) {
        self.next = Self::FIRST;
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Ends early when the hub is told to stop.
    pub(super) async fn wait(&mut self, at_most: Duration) {
        let pause = self.next.min(at_most);
        if self.is_stopping() {
            tokio::time::sleep(pause).await;
        } else {
            let _ = tokio::time::timeout(pause, self.stopping.changed()).await;
        }
        self.next = (pause * 2).min(at_most);
    }
}
