//! Messages that were given up and are kept (dead letters): what they are about, and what can still be done about them.

use std::fmt;
use std::str::FromStr;

use probe::wire::{self, Tick};
use serde::Deserialize;

use super::id::id;
use super::{DeadLetter, RegionId, Report, UtcMs, WebsiteId, WorkerId};

/// Where checks that no worker finished come from.
const CHECKS: &str = "betteruptime:website:";

id! {
    /// Names a dead letter.
    LetterId
}

/// A message that was given up, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLetter {
    /// Its key.
    pub letter_id: LetterId,
    /// Key of the stream it came through.
    pub stream: String,
    /// The word before the colon of `reason`: what it is grouped by.
    pub kind: String,
    /// Why it was given up, as it was recorded. It may quote what a worker sent.
    pub reason: String,
    /// The message, at most 64 KiB. It may hold secrets: to be shown through [`super::masked::payload`] only.
    pub raw: Vec<u8>,
    /// When it was given up.
    pub created_at: UtcMs,
    /// When somebody asked for its replay, which a hub has not got to yet.
    pub replay_asked_at: Option<UtcMs>,
    /// Why the last replay left it here; empty before the first.
    pub replay_note: String,
}

/// Where in the list one is: newest first, the id decides within a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterCursor {
    /// When the last letter seen was given up.
    pub at: UtcMs,
    /// Which it was.
    pub id: LetterId,
}

impl fmt::Display for LetterCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.at, self.id.0.simple())
    }
}

impl FromStr for LetterCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('_').ok_or(())?;
        Ok(Self { at: at.parse().map_err(|_| ())?, id: id.parse().map_err(|_| ())? })
    }
}

/// Which letters: all that fit what is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Kind of reason.
    pub kind: Option<String>,
    /// Key of a stream.
    pub stream: Option<String>,
}

impl LetterFilter {
    /// From texts that somebody typed; empty ones stand for all.
    #[must_use]
    pub fn new(kind: &str, stream: &str) -> Self {
        // No stream's key is longer; a database cannot compare with a NUL.
        let given = |text: &str| (!text.is_empty()).then(|| text.replace('\0', "").chars().take(200).collect());
        Self { kind: given(kind), stream: given(stream) }
    }
}

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// From a worker to the hub.
    Report,
    /// A check that was not run.
    Check,
}

/// What a replay of a letter would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Take the result in as if it came now.
    Tick {
        /// From the stream's key.
        region: RegionId,
        /// From the stream's key.
        worker: WorkerId,
        /// What is understood now.
        tick: Box<Tick>,
    },
    /// Keep the worker's word about a check, which is understood now, in the place of this letter.
    Letter(DeadLetter),
    /// Check the website now: the check itself is of the past.
    Check(WebsiteId),
    /// It is still not understood: the new reason.
    StillNot(String),
    /// Nothing: why. It can only be discarded.
    Nothing(&'static str),
}

impl KeptLetter {
    /// Region and worker whose stream it came through; a check has no worker.
    #[must_use]
    pub fn origin(&self) -> Option<(RegionId, Option<WorkerId>)> {
        if let Some((region, worker)) = wire::parse_tick_key(&self.stream) {
            return Some((region, Some(worker)));
        }
        Some((self.stream.strip_prefix(CHECKS)?.parse().ok()?, None))
    }

    /// What a replay would do.
    #[must_use]
    pub fn replay(&self) -> Replay {
        let content = Content::read(&self.raw);
        if self.stream.starts_with(CHECKS) {
            return content.website_id().map_or(Replay::Nothing(NO_WEBSITE), Replay::Check);
        }
        let Some((region, worker)) = wire::parse_tick_key(&self.stream) else { return Replay::Nothing(NOTHING_KNOWN) };
        let as_tick = |tick| Replay::Tick { region, worker, tick };
        match content {
            Content::Entry { version, kind, body } => {
                let fields = [("v", version), ("kind", kind), ("body", Some(body))];
                let fields = fields.iter().filter_map(|(name, value)| Some((name.as_bytes(), (*value)?)));
                match wire::decode_report(fields) {
                    Ok(Report::Tick(tick)) => as_tick(tick),
                    Ok(Report::DeadLetter(letter)) => Replay::Letter(letter),
                    Ok(Report::Heartbeat(_)) => Replay::Nothing("It is an old sign of life, which nobody misses."),
                    Err(error) => Replay::StillNot(error.to_string()),
                }
            }
            Content::Letter(letter) => letter.website_id.map_or(Replay::Nothing(NO_WEBSITE), Replay::Check),
            Content::Tick(tick) => as_tick(tick),
            Content::Nothing => Replay::Nothing("Nothing was kept of it."),
            Content::Other(_) => Replay::Nothing(NOTHING_KNOWN),
        }
    }

    /// What the message was.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match Content::read(&self.raw) {
            Content::Letter(_) => Subject::Check,
            Content::Entry { .. } | Content::Tick(_) | Content::Nothing | Content::Other(_) => {
                if self.stream.starts_with(CHECKS) { Subject::Check } else { Subject::Report }
            }
        }
    }

    /// The website it is about, as far as that can be told.
    #[must_use]
    pub fn website_id(&self) -> Option<WebsiteId> {
        Content::read(&self.raw).website_id()
    }

    /// Why it was given up, in words for people.
    #[must_use]
    pub fn explained(&self) -> &'static str {
        explain(&self.kind, self.subject())
    }

    /// Where the list goes on after it.
    #[must_use]
    pub fn cursor(&self) -> LetterCursor {
        LetterCursor { at: self.created_at, id: self.letter_id }
    }
}

const NO_WEBSITE: &str = "It does not say which website it was about.";
const NOTHING_KNOWN: &str = "It is not in a form that can be read again.";

/// A kind of reason in words for people.
#[must_use]
pub fn explain(kind: &str, subject: Subject) -> &'static str {
    match (kind, subject) {
        ("not_understood", Subject::Report) => "A worker's report could not be understood.",
        ("not_understood", Subject::Check) => "A worker could not understand a check, and did not run it.",
        ("refused", _) => "A check asks for something that its worker does not know or may not do.",
        ("expired", _) => "A check waited longer than it may, and was not run.",
        ("max_deliveries", _) => "A check was given out several times, and no worker finished it.",
        ("not_storable", _) => "The database refused a result for what is in it.",
        ("not_assigned", _) => "A result came from a region that its website is not watched from.",
        ("slot_in_future", _) => "A result is about a slot that had not come yet.",
        ("hub_failed", _) => "The hub failed on a report.",
        _ => "It was tried and given up.",
    }
}

/// A kind as a heading: it may cover reports and checks.
#[must_use]
pub fn kind_words(kind: &str) -> String {
    match kind {
        "not_understood" => "Not understood".to_owned(),
        "refused" => "Refused by a worker".to_owned(),
        "expired" => "Checks too old to run".to_owned(),
        "max_deliveries" => "Checks nobody finished".to_owned(),
        "not_storable" => "Refused by the database".to_owned(),
        "not_assigned" => "From a region not asked".to_owned(),
        "slot_in_future" => "From the future".to_owned(),
        "hub_failed" => "The hub failed on them".to_owned(),
        other => other.replace('_', " "),
    }
}

/// What the kept bytes are.
pub(super) enum Content<'a> {
    /// Fields of a stream's entry as the queue writes them down: `name=value` and a line's end each.
    Entry {
        version: Option<&'a [u8]>,
        kind: Option<&'a [u8]>,
        body: &'a [u8],
    },
    /// A worker's word about a check.
    Letter(DeadLetter),
    /// A result.
    Tick(Box<Tick>),
    Nothing,
    Other(&'a [u8]),
}

#[derive(Deserialize)]
struct AboutWebsite {
    website_id: WebsiteId,
}

impl<'a> Content<'a> {
    pub(super) fn read(raw: &'a [u8]) -> Self {
        if raw.is_empty() {
            return Self::Nothing;
        }
        if let Some(entry) = Self::entry(raw) {
            return entry;
        }
        // A tick has no such field, a letter cannot be without it.
        if let Ok(letter) = serde_json::from_slice(raw) {
            return Self::Letter(letter);
        }
        serde_json::from_slice(raw).map_or(Self::Other(raw), Self::Tick)
    }

    fn entry(raw: &'a [u8]) -> Option<Self> {
        let (mut version, mut kind, mut rest) = (None, None, raw);
        loop {
            let line_end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            let line = rest.get(..line_end)?;
            if let Some(first) = line.strip_prefix(b"body=") {
                // Our workers write one line of JSON, and nothing after it. Others' may have lines, or be cut.
                let whole = rest.strip_prefix(b"body=")?;
                let whole = whole.strip_suffix(b"\n").unwrap_or(whole);
                let is_whole = serde_json::from_slice::<serde::de::IgnoredAny>(whole).is_ok();
                return Some(Self::Entry { version, kind, body: if is_whole { whole } else { first } });
            }
            match line.iter().position(|b| *b == b'=').map(|at| line.split_at(at)) {
                Some((b"v", value)) => version = version.or(value.get(1..)),
                Some((b"kind", value)) => kind = kind.or(value.get(1..)),
                Some((name, _)) if version.is_some() || kind.is_some() || !name.starts_with(b"{") => {}
                Some(_) | None => return None,
            }
            rest = rest.get(line_end + 1..).filter(|rest| !rest.is_empty())?;
        }
    }

    fn website_id(&self) -> Option<WebsiteId> {
        let lenient = |json: &[u8]| serde_json::from_slice::<AboutWebsite>(json).ok().map(|about| about.website_id);
        match self {
            Self::Entry { body, .. } => lenient(body),
            Self::Letter(letter) => letter.website_id,
            Self::Tick(tick) => Some(tick.website_id),
            Self::Nothing => None,
            Self::Other(raw) => lenient(raw),
        }
    }
}

#[cfg(test)]
mod tests;
