//! Ticks on disk, for as long as Redis cannot be written to and memory is full, and over a restart.
//!
//! SD cards wear out: a file is written once, whole, and synced once; it is never added to, and deleted when all of it
//! was sent. The oldest file goes when there is no room. Each worker has a directory of its own in the one that is
//! given, because the origin of a tick is told by who sends it.

mod files;
mod segment;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use files::{create, files, open, path, write};
use segment::Record;

use crate::complaint::Complaint;
use crate::wire::{RegionId, WorkerId};

/// A file gets no more than this, or one tick: it is held in memory while it is written, and while it is sent.
pub(crate) const MAX_SEGMENT: usize = 1024 * 1024;
/// Largest file that is read: what is larger is none of ours.
const MAX_READ: u64 = 4 * 1024 * 1024;
/// Most files there are: many small ones, each from a stop, must not fill the directory.
const MAX_SEGMENTS: usize = 1_000;
/// After trouble with the disk it is left alone for this long.
pub(crate) const RETRY: Duration = Duration::from_secs(60);

/// The files of one worker.
pub(crate) struct Spool {
    directory: PathBuf,
    limit: u64,
    open: Option<Open>,
    sending: Option<Sending>,
    retry_at: Instant,
    /// Nothing is read before this.
    read_at: Instant,
    complaint: Complaint,
    loss: Loss,
}

struct Open {
    /// Held for as long as the value lives, and by no other process meanwhile.
    _lock: File,
    /// By number: a higher one is younger.
    segments: BTreeMap<u64, Segment>,
}

#[derive(Clone, Copy)]
struct Segment {
    ticks: u32,
    bytes: u64,
}

/// The file that is being sent, in memory.
struct Sending {
    number: u64,
    bytes: Vec<u8>,
    records: Vec<Record>,
    sent: usize,
}

/// Ticks that will not be sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// For lack of room.
    pub dropped: u64,
    /// They could not be read any more.
    pub damaged: u64,
}

impl Spool {
    /// The spool of a worker below `directory`, of at most `limit` bytes. Nothing is touched before [`Spool::open`].
    pub(crate) fn new(directory: &Path, region: &RegionId, worker: &WorkerId, limit: u64, now: Instant) -> Self {
        Self {
            // A region's name has no such line in it: no two workers share a directory.
            directory: directory.join(format!("{region}_{worker}")),
            limit,
            open: None,
            sending: None,
            retry_at: now,
            read_at: now,
            complaint: Complaint::default(),
            loss: Loss::default(),
        }
    }

    /// Opens it, unless it is open or was in trouble a minute ago: true when it can be used.
    pub(crate) fn open(&mut self, now: Instant) -> bool {
        if self.open.is_none() && now >= self.retry_at {
            match open(&self.directory) {
                Ok(open) => {
                    let ticks: u64 = open.segments.values().map(|s| u64::from(s.ticks)).sum();
                    if ticks > 0 {
                        log::info!("{ticks} ticks of an earlier time wait in {}.", self.directory.display());
                    }
                    self.open = Some(open);
                }
                Err(error) => self.trouble("used", &error, now),
            }
        }
        self.open.is_some()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether something can be kept now.
    pub(crate) fn takes(&mut self, now: Instant) -> bool {
        self.open(now) && now >= self.retry_at
    }

    /// Ticks that wait.
    pub(crate) fn ticks(&self) -> u64 {
        let all: u64 = self.open.iter().flat_map(|o| o.segments.values()).map(|s| u64::from(s.ticks)).sum();
        all - self.sending.as_ref().map_or(0, |s| s.sent as u64).min(all)
    }

    /// What was lost since the last call.
    pub(crate) fn take_loss(&mut self) -> Loss {
        std::mem::take(&mut self.loss)
    }

    /// Entries of the youngest ticks, at most `count`: an earlier process may not have acknowledged them.
    pub(crate) fn youngest_entries(&mut self, count: usize) -> Vec<String> {
        let mut entries = Vec::new();
        let numbers: Vec<u64> = self.open.iter().flat_map(|o| o.segments.keys().rev().copied()).collect();
        for number in numbers {
            let Ok((bytes, records, _)) = self.read(number) else { continue };
            entries.extend(records.iter().map(|r| text(&bytes, &r.entry_id)));
            if entries.len() >= count {
                break;
            }
        }
        // The youngest file comes first, and is the one that matters.
        entries.truncate(count);
        entries
    }

    /// Keeps ticks, with their entries, the oldest first: when this is true they are on the disk for good. It takes what
    /// [`MAX_SEGMENT`] allows; making room may cost the oldest file.
    pub(crate) fn keep(&mut self, ticks: &[(String, String)], now: Instant) -> bool {
        let mut bytes = Vec::with_capacity(ticks.iter().map(|(id, body)| id.len() + body.len() + 16).sum());
        ticks.iter().for_each(|(id, body)| segment::append(&mut bytes, id, body));
        let Some(open) = &self.open else { return false };
        let number = open.segments.last_key_value().map_or(1, |(last, _)| last.saturating_add(1));
        let segment = Segment { ticks: u32::try_from(ticks.len()).unwrap_or(u32::MAX), bytes: bytes.len() as u64 };
        let path = path(&self.directory, number, segment.ticks);
        // The file is made before room is: where nothing can be written, nothing is dropped for it.
        let written = create(&path).and_then(|file| {
            self.make_room(segment.bytes);
            write(&self.directory, file, &bytes)
        });
        let Some(open) = &mut self.open else { return false };
        match written {
            Ok(()) => {
                open.segments.insert(number, segment);
                self.complaint.over();
                true
            }
            Err(error) => {
                // What is left there keeps its number: a second file of that number would be deleted with it.
                if fs::remove_file(&path).is_err() && fs::symlink_metadata(&path).is_ok() {
                    open.segments.insert(number, segment);
                }
                self.trouble("written", &error, now);
                false
            }
        }
    }

    fn make_room(&mut self, bytes: u64) {
        loop {
            let Some(open) = &self.open else { return };
            let used: u64 = open.segments.values().map(|s| s.bytes).sum();
            if used + bytes <= self.limit && open.segments.len() < MAX_SEGMENTS {
                return;
            }
            let Some((&oldest, segment)) = open.segments.first_key_value() else { return };
            let mut ticks = u64::from(segment.ticks);
            if let Some(sending) = self.sending.take_if(|s| s.number == oldest) {
                ticks = ticks.saturating_sub(sending.sent as u64);
            }
            self.loss.dropped += ticks;
            log::warn!("The spool is full: its {ticks} oldest ticks are dropped.");
            self.forget(oldest);
        }
    }

    /// The next ticks to send, of the youngest file, with their entries: at most `count`, and `most` bytes or one.
    pub(crate) fn next(&mut self, count: usize, most: usize) -> Vec<(String, String)> {
        if self.sending.is_none() && Instant::now() < self.read_at {
            return Vec::new();
        }
        while self.sending.is_none() {
            let Some((&number, segment)) = self.open.as_ref().and_then(|o| o.segments.last_key_value()) else { break };
            let ticks = segment.ticks;
            match self.read(number) {
                Ok((bytes, records, damaged)) => {
                    if damaged > 0 || records.len() != ticks as usize {
                        let lost = u64::from(ticks).saturating_sub(records.len() as u64).max(u64::from(damaged));
                        log::warn!("{lost} ticks of the spool are damaged and cannot be sent.");
                        self.loss.damaged += lost;
                    }
                    if records.is_empty() {
                        self.forget(number);
                        continue;
                    }
                    if let Some(segment) = self.open.as_mut().and_then(|o| o.segments.get_mut(&number)) {
                        segment.ticks = u32::try_from(records.len()).unwrap_or(u32::MAX);
                    }
                    self.sending = Some(Sending { number, bytes, records, sent: 0 });
                }
                Err(error) if is_passing(&error) => {
                    let now = Instant::now();
                    self.read_at = now + RETRY;
                    if let Some(more) = self.complaint.due(now) {
                        log::error!("Ticks of the spool cannot be read now ({error}): they wait.{more}");
                    }
                    break;
                }
                Err(error) => {
                    log::error!("{ticks} ticks of the spool cannot be read: {error}.");
                    self.loss.damaged += u64::from(ticks);
                    self.forget(number);
                }
            }
        }
        let Some(sending) = &self.sending else { return Vec::new() };
        let mut size = 0;
        let fits = |record: &&Record| {
            size += record.body.len();
            size <= most || size == record.body.len()
        };
        let next = sending.records[sending.sent..].iter().take(count).take_while(fits);
        next.map(|r| (text(&sending.bytes, &r.entry_id), text(&sending.bytes, &r.body))).collect()
    }

    /// The first `count` of them are in Redis.
    pub(crate) fn sent(&mut self, count: usize) {
        let Some(sending) = &mut self.sending else { return };
        sending.sent += count;
        if sending.sent >= sending.records.len() {
            let number = sending.number;
            self.sending = None;
            self.forget(number);
        }
    }

    fn read(&self, number: u64) -> io::Result<(Vec<u8>, Vec<Record>, u32)> {
        let segment = self.open.as_ref().and_then(|o| o.segments.get(&number));
        let segment = segment.ok_or(io::ErrorKind::NotFound)?;
        let path = path(&self.directory, number, segment.ticks);
        let file = fs::symlink_metadata(&path)?;
        if !file.is_file() || file.len() > MAX_READ {
            return Err(io::Error::other("it is no file, or far too large"));
        }
        let bytes = fs::read(&path)?;
        let (records, damaged) = segment::records(&bytes);
        Ok((bytes, records, damaged))
    }

    fn forget(&mut self, number: u64) {
        let Some(open) = &mut self.open else { return };
        open.segments.remove(&number);
        // By its number: that of its ticks may have been corrected.
        let files = files(&self.directory).unwrap_or_default();
        for (_, _, path) in files.into_iter().filter(|(n, ..)| *n == number) {
            if let Err(error) = fs::remove_file(&path) {
                log::warn!("{} cannot be deleted: {error}.", path.display());
            }
        }
    }

    fn trouble(&mut self, what: &str, error: &io::Error, now: Instant) {
        self.retry_at = now + RETRY;
        if let Some(more) = self.complaint.due(now) {
            let directory = self.directory.display();
            log::error!("The spool in {directory} cannot be {what} ({error}): ticks are kept in memory only.{more}");
        }
    }
}

/// Whether that is no fault of the file: there is no memory, no descriptor, or no right now.
fn is_passing(error: &io::Error) -> bool {
    // ENOMEM, EACCES, ENFILE, EMFILE.
    matches!(error.raw_os_error(), Some(12 | 13 | 23 | 24))
}

fn text(bytes: &[u8], range: &std::ops::Range<usize>) -> String {
    String::from_utf8_lossy(bytes.get(range.clone()).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests;
