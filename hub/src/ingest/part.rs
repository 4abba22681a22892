//! What one keeper is given of what was read.

use std::collections::BTreeSet;

use probe::wire::{Heartbeat, RegionId, Report, UtcMs, WebsiteId, WorkerId, tick_key};

use crate::model::StoredTick;
use crate::queue::{Delivery, Receipt, Reports};
use crate::store::Letter;

/// A sign of life, and when it was received.
pub(super) type Beat = (RegionId, WorkerId, Heartbeat, UtcMs);

/// Reports by kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub ticks: Vec<StoredTick>,
    /// One for each tick, in their order.
    tick_receipts: Vec<Receipt>,
    pub beats: Vec<Beat>,
    pub letters: Vec<Letter>,
    /// Of what is no tick.
    receipts: Vec<Receipt>,
    /// With it all is read that was received up to then; `None`: all there is.
    pub read_until_at: Option<UtcMs>,
    /// No tick received before this is read later, whatever else is: how old others are is judged as of then at most.
    pub judged_until_at: UtcMs,
}

impl Part {
    pub(super) fn len(&self) -> usize {
        self.ticks.len() + self.beats.len() + self.letters.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push_tick(&mut self, tick: StoredTick, receipt: Receipt) {
        self.ticks.push(tick);
        self.tick_receipts.push(receipt);
    }

    pub(super) fn append(&mut self, mut more: Self) {
        self.ticks.append(&mut more.ticks);
        self.tick_receipts.append(&mut more.tick_receipts);
        self.beats.append(&mut more.beats);
        self.letters.append(&mut more.letters);
        self.receipts.append(&mut more.receipts);
        self.read_until_at = more.read_until_at;
        self.judged_until_at = self.judged_until_at.max(more.judged_until_at);
    }

    /// Each report by itself.
    pub(super) fn singles(&self) -> Vec<Self> {
        let judged_until_at = self.judged_until_at;
        let ticks =
            self.ticks.iter().map(move |tick| Self { ticks: vec![tick.clone()], judged_until_at, ..Self::default() });
        let beats = self.beats.iter().map(|beat| Self { beats: vec![beat.clone()], ..Self::default() });
        let letters = self.letters.iter().map(|letter| Self { letters: vec![letter.clone()], ..Self::default() });
        ticks.chain(beats).chain(letters).collect()
    }

    /// What to acknowledge, and what is to be tried again since its website is at work elsewhere.
    pub(super) fn settle(self, busy: &BTreeSet<WebsiteId>) -> (Vec<Receipt>, Self) {
        let (mut receipts, mut left) = (self.receipts, Self::default());
        left.judged_until_at = self.judged_until_at;
        if busy.is_empty() {
            receipts.extend(self.tick_receipts);
            return (receipts, left);
        }
        for (tick, receipt) in self.ticks.into_iter().zip(self.tick_receipts) {
            if busy.contains(&tick.tick.website_id) {
                left.push_tick(tick, receipt);
            } else {
                receipts.push(receipt);
            }
        }
        (receipts, left)
    }

    /// What a report that made the hub fail is kept as.
    pub(super) fn as_letter(&self) -> Option<Letter> {
        const REASON: &str = "hub_failed: the hub panicked on it";
        fn letter(region: &RegionId, worker: &WorkerId, raw: &impl serde::Serialize) -> Letter {
            let raw = serde_json::to_vec(raw).unwrap_or_default();
            Letter { stream: tick_key(region, worker), reason: REASON.to_owned(), raw }
        }
        let tick = self.ticks.first().map(|t| letter(&t.region_id, &t.worker_id, &t.tick));
        let beat = self.beats.first().map(|(region, worker, beat, _)| letter(region, worker, beat));
        tick.or(beat)
            .or_else(|| self.letters.first().map(|l| Letter { reason: format!("{REASON}: {}", l.reason), ..l.clone() }))
    }
}

/// Ticks to the keeper of their website, all else to the first.
pub(super) fn share(reports: Reports, keepers: usize) -> Vec<Part> {
    let read_until_at = reports.read_until_at;
    let mut parts: Vec<Part> = (0..keepers.max(1))
        .map(|_| Part { read_until_at, judged_until_at: read_until_at.unwrap_or(UtcMs::MAX), ..Part::default() })
        .collect();
    for delivery in reports.deliveries {
        let Delivery { region, worker, received_at, report, raw, receipt } = delivery;
        let keeper = match &report {
            // The random end of the id.
            Ok(Report::Tick(tick)) => usize::from(tick.website_id.0.as_bytes()[15]) % parts.len(),
            Ok(Report::Heartbeat(_) | Report::DeadLetter(_)) | Err(_) => 0,
        };
        let Some(part) = parts.get_mut(keeper) else { continue };
        match report {
            Ok(Report::Tick(tick)) => {
                part.push_tick(StoredTick::received(region, worker, received_at, *tick), receipt);
                continue;
            }
            Ok(Report::Heartbeat(beat)) => part.beats.push((region, worker, beat, received_at)),
            Ok(Report::DeadLetter(letter)) => {
                let stream = tick_key(&region, &worker);
                let reason = format!("{}: {}", letter.reason, letter.detail);
                tracing::debug!(stream, %reason, entry = letter.entry_id, "A worker put a check away unrun.");
                // The letter, not only what it quotes of the check, which is nothing where that may be secret: its entry
                // tells it from other letters, and makes it one row however often it comes.
                part.letters.push(Letter { stream, reason, raw: serde_json::to_vec(&letter).unwrap_or_default() });
            }
            Err(reason) => {
                let (stream, reason) = (tick_key(&region, &worker), reason.to_string());
                tracing::debug!(stream, reason, "A report is not understood.");
                part.letters.push(Letter { stream, reason, raw });
            }
        }
        part.receipts.push(receipt);
    }
    parts
}
