//! What comes of "check now", region by region, while it comes in.

use super::waterfall::{Waterfall, of_tick, scale_us};
use super::words::{self, Instant, instant, lasted, took};
use crate::http::looks::{Looks, RegionLook};
use crate::model::look::Looked;
use crate::model::{Phases, UtcMs};

/// The part of the page.
#[derive(Debug)]
pub(super) struct LooksPart {
    pub(super) asked: Instant,
    pub(super) asked_at: UtcMs,
    pub(super) is_done: bool,
    /// How far it is, in a sentence.
    pub(super) progress: String,
    pub(super) scale: String,
    pub(super) phases: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// A region.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) region: String,
    pub(super) fall: Option<Waterfall>,
    /// What else came with what it saw.
    pub(super) detail: String,
    pub(super) status: String,
    /// How long after it was asked for it was here.
    pub(super) after: String,
    /// Of one that has not looked: shape, class, word, and why.
    pub(super) letter: &'static str,
    pub(super) class: &'static str,
    pub(super) word: &'static str,
    pub(super) why: String,
}

impl LooksPart {
    /// As of `now`.
    pub(super) fn new(looks: &Looks, now: UtcMs) -> Self {
        let ticks = looks.regions.iter().filter_map(|region| region.tick.as_ref());
        let scale = scale_us(ticks.map(|stored| &stored.tick.phases));
        let count = |which: Looked| looks.regions.iter().filter(|region| region.looked == which).count();
        let (all, answered, waiting) = (looks.regions.len(), count(Looked::Answered), count(Looked::Waiting));
        let of = |n: usize| if n == 1 { "1 region".to_owned() } else { format!("{n} regions") };
        let progress = match (all, answered, waiting) {
            (0, ..) => "No region looks at it: no probe has reported for a day.".to_owned(),
            (1, 1, _) => "The one region that looks at it has answered.".to_owned(),
            (all, answered, _) if all == answered => format!("All {} have answered.", of(all)),
            (all, answered, 0) => format!("{answered} of {} answered; nobody else is waited for.", of(all)),
            (all, answered, _) => format!("{answered} of {} answered so far.", of(all)),
        };
        Self {
            asked: instant(looks.asked_at),
            asked_at: looks.asked_at,
            is_done: looks.is_done(),
            progress,
            scale: took(scale),
            phases: Phases::default().named().map(|(phase, _)| phase).to_vec(),
            rows: looks.regions.iter().map(|region| Row::new(region, looks.asked_at, scale, now)).collect(),
        }
    }
}

impl Row {
    fn new(look: &RegionLook, asked_at: UtcMs, scale: u32, now: UtcMs) -> Self {
        let region = look.region.to_string();
        let (letter, class, word, why) = match look.looked {
            Looked::Waiting => ("w", "pending", "waiting", "Its answer may come any moment.".to_owned()),
            Looked::Answered => ("u", "up", "answered", String::new()),
            Looked::Late => ("n", "unknown", "late", format!("No answer from {region} yet: its probe may be away.")),
            Looked::Away => {
                let since = match look.seen_at {
                    0 => "was never heard of".to_owned(),
                    at => format!("has been silent for {}", lasted(now - at)),
                };
                ("n", "unknown", "not asked", format!("No answer from {region}: its probe {since}."))
            }
        };
        let tick = look.tick.as_ref();
        Self {
            fall: tick.map(|stored| of_tick(stored, scale)),
            detail: tick.and_then(|s| s.tick.failure.as_ref()).map(|f| f.detail.clone()).unwrap_or_default(),
            status: tick.and_then(|s| s.tick.status).map_or_else(|| "–".to_owned(), |status| status.to_string()),
            after: tick.map_or_else(|| "–".to_owned(), |stored| words::seconds(stored.received_at - asked_at)),
            region,
            letter,
            class,
            word,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(region: &str, looked: Looked, seen_at: UtcMs) -> RegionLook {
        RegionLook { region: region.parse().expect("a slug"), looked, tick: None, seen_at }
    }

    #[test]
    fn a_region_that_gave_nothing_is_said_in_words() {
        let now = 1_795_521_600_000;
        let regions = vec![
            look("INDIA", Looked::Late, now),
            look("JAPAN", Looked::Away, now - 180_000),
            look("USA", Looked::Waiting, now),
        ];
        let part = LooksPart::new(&Looks { asked_at: now - 30_000, regions }, now);
        assert!(!part.is_done);
        assert_eq!(part.progress, "0 of 3 regions answered so far.");
        assert_eq!(part.rows[0].why, "No answer from INDIA yet: its probe may be away.");
        assert_eq!(part.rows[1].why, "No answer from JAPAN: its probe has been silent for 3 min.");
        assert_eq!((part.rows[2].word, part.rows[2].class), ("waiting", "pending"));
        let done = LooksPart::new(&Looks { asked_at: now, regions: vec![look("INDIA", Looked::Late, now)] }, now);
        assert!(done.is_done && done.progress.ends_with("nobody else is waited for."), "{done:?}");
    }
}
