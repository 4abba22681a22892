//! Reads what there is to count.

use std::collections::{HashMap, HashSet};

use crate::judge::{About, Change, Evidence, Letter, Row};
use crate::world::{REGIONS, World};

/// What was in the database at an instant, by its keys. The clock that stamped it may be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Row(uuid::Uuid, String, i64, i64),
    Change(uuid::Uuid, i64, i64),
    Letter(uuid::Uuid),
}

/// A tick's key, its kind, when it began, when Redis got it, and what it found.
type TickRow = (uuid::Uuid, String, i64, i64, String, i64, i64, String);

/// The names of what is counted.
#[derive(Debug)]
pub(super) struct Names {
    websites: HashMap<uuid::Uuid, usize>,
    places: HashMap<(usize, usize), usize>,
}

impl Names {
    pub(super) fn of(world: &World) -> Self {
        let places = world.places.iter().enumerate().map(|(n, p)| ((p.website, p.region), n));
        Self {
            websites: world.websites.iter().enumerate().map(|(n, w)| (w.id.0, n)).collect(),
            places: places.collect(),
        }
    }

    fn website(&self, id: uuid::Uuid) -> Option<usize> {
        self.websites.get(&id).copied()
    }

    fn place(&self, id: uuid::Uuid, region: &str) -> Option<usize> {
        let region = REGIONS.iter().position(|r| *r == region)?;
        self.places.get(&(self.website(id)?, region)).copied()
    }

    fn letter(&self, stream: &str, raw: &[u8]) -> (Option<usize>, About) {
        let letter: serde_json::Value = serde_json::from_slice(raw).unwrap_or_default();
        let id: Option<uuid::Uuid> = letter["website_id"].as_str().and_then(|id| id.parse().ok());
        let entry_at = || letter["entry_id"].as_str()?.split('-').next()?.parse().ok();
        let about = match letter["slot_at"].as_i64() {
            Some(slot_at) => About::Tick(slot_at),
            None => entry_at().map_or(About::Unknown, About::Check),
        };
        (id.zip(stream.split(':').nth(2)).and_then(|(id, region)| self.place(id, region)), about)
    }

    /// Everything there is, with its keys; of the requests those from an instant on. What `news` has is new.
    pub(super) fn gather(&self, world: &World, requests_from: i64, news: &HashSet<Key>) -> (Evidence, HashSet<Key>) {
        let mut keys = HashSet::new();
        let mut is_new = |key: Key| {
            let is_new = news.contains(&key);
            keys.insert(key);
            is_new
        };
        let mut session = world.postgres.session();
        let rows: Vec<TickRow> = session
            .rows("select website_id, region_id, slot_at, attempt, kind, started_at, received_at, outcome from tick");
        let rows =
            rows.into_iter().filter_map(|(id, region, slot_at, attempt, kind, started_at, received_at, outcome)| {
                let place = self.place(id, &region)?;
                let is_new = is_new(Key::Row(id, region, slot_at, attempt));
                let is_scheduled = kind == "scheduled";
                Some(Row { place, slot_at, is_scheduled, started_at, received_at, is_up: outcome == "up", is_new })
            });
        let rows = rows.collect();
        let letters: Vec<(uuid::Uuid, String, String, Vec<u8>)> =
            session.rows("select dead_letter_id, stream, kind, raw from dead_letter");
        let letters = letters.into_iter().map(|(id, stream, kind, raw)| {
            let (place, about) = self.letter(&stream, &raw);
            Letter { kind, place, about, is_new: is_new(Key::Letter(id)) }
        });
        let letters = letters.collect();
        let changes: Vec<(uuid::Uuid, i64, i64, String)> = session.rows(
            "select website_id, decided_at, number, to_verdict from transition order by website_id, decided_at, number",
        );
        let changes = changes.into_iter().filter_map(|(id, decided_at, number, to)| {
            let is_new = is_new(Key::Change(id, decided_at, number));
            Some(Change { website: self.website(id)?, decided_at, to, is_new })
        });
        let changes = changes.collect();
        let (shift_ms,) = session.rows::<(i64,)>("select coalesce(max(shift_ms), 0) from schedule_shift")[0];
        (Evidence { rows, requests: world.targets.since(requests_from), letters, changes, shift_ms }, keys)
    }
}
