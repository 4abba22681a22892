//! The last 90 days as bars, one a day: what is known of a day tells its height, its colour and its words.

use std::collections::BTreeMap;

use super::website_words as say;
use super::words::Mark;
use crate::model::roll_up::Grain;
use crate::model::uptime::DAY_MS;
use crate::model::{Uptime, UtcMs};

/// Days that are shown, today among them.
pub(super) const DAYS: i64 = 90;
/// Units from one bar to the next.
const STEP: i64 = 4;
const HEIGHT: u32 = 30;

/// The bars.
#[derive(Debug, Default)]
pub(super) struct Strip {
    pub(super) bars: Vec<Bar>,
    /// What they say together.
    pub(super) text: String,
    /// The days that were not wholly well, the newest first.
    pub(super) odd: Vec<String>,
    pub(super) since: String,
}

/// A day.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) x: i64,
    pub(super) y: u32,
    pub(super) height: u32,
    /// Its colour, by name.
    pub(super) letter: &'static str,
    pub(super) text: String,
}

/// What a day was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It was watched, or not, before there was anything to watch.
    Before,
    Of(Mark),
    /// All of it was announced.
    Quiet,
}

impl Kind {
    fn of(day: Option<&Uptime>, is_before: bool) -> Self {
        match day {
            None if is_before => Self::Before,
            None => Self::Of(Mark::Unknown),
            Some(day) if day.down_ms > 0 => Self::Of(Mark::Down),
            Some(day) if day.degraded_ms > 0 => Self::Of(Mark::Degraded),
            Some(day) if day.up_ms > 0 => Self::Of(Mark::Up),
            Some(day) if day.unknown_ms == 0 && day.maintenance_ms > 0 => Self::Quiet,
            Some(_) => Self::Of(Mark::Unknown),
        }
    }

    /// Trouble is higher, what is not known is low: the colour is not alone.
    fn height(self) -> u32 {
        match self {
            Self::Of(Mark::Down) => HEIGHT,
            Self::Of(Mark::Degraded) => HEIGHT - 4,
            Self::Of(Mark::Up) => HEIGHT - 8,
            Self::Quiet => HEIGHT / 2,
            Self::Of(Mark::Unknown | Mark::Pending | Mark::Paused) => HEIGHT / 4,
            Self::Before => 2,
        }
    }

    fn letter(self) -> &'static str {
        match self {
            Self::Of(mark) => mark.letter(),
            Self::Quiet => "w",
            Self::Before => "e",
        }
    }
}

impl Strip {
    /// Of the days by their begin; the last of them goes on.
    pub(super) fn new(days: &BTreeMap<UtcMs, Uptime>, created_at: UtcMs, now: UtcMs) -> Self {
        let today = Grain::Day.start_of(now);
        let (mut bars, mut odd) = (Vec::new(), Vec::new());
        let mut troubled = 0;
        for n in 0..DAYS {
            let at = today - (DAYS - 1 - n) * DAY_MS;
            let day = days.get(&at);
            let kind = Kind::of(day, at + DAY_MS <= created_at);
            let text = match kind {
                Kind::Before => say::day_before(at),
                Kind::Of(_) | Kind::Quiet => say::day(at, day, at == today),
            };
            match kind {
                Kind::Of(Mark::Down | Mark::Degraded | Mark::Unknown) => odd.push(text.clone()),
                Kind::Of(Mark::Up | Mark::Pending | Mark::Paused) | Kind::Quiet | Kind::Before => {}
            }
            troubled += i64::from(kind == Kind::Of(Mark::Down));
            let height = kind.height();
            bars.push(Bar { x: n * STEP, y: HEIGHT - height, height, letter: kind.letter(), text });
        }
        odd.reverse();
        let known = bars.iter().filter(|bar| !matches!(bar.letter, "e" | "n")).count();
        Self { text: say::strip(known, troubled), since: say::short_day(today - (DAYS - 1) * DAY_MS), bars, odd }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_which_nothing_is_known_is_no_good_day() {
        let now = 200 * DAY_MS + DAY_MS / 2;
        let up = Uptime { up_ms: DAY_MS, ..Uptime::default() };
        let days: BTreeMap<UtcMs, Uptime> = [
            (195 * DAY_MS, Uptime { down_ms: 60_000, up_ms: DAY_MS - 60_000, ..Uptime::default() }),
            (196 * DAY_MS, Uptime { degraded_ms: 60_000, ..up }),
            (197 * DAY_MS, Uptime { maintenance_ms: DAY_MS, ..Uptime::default() }),
            (198 * DAY_MS, Uptime { unknown_ms: DAY_MS, ..Uptime::default() }),
            (200 * DAY_MS, up),
        ]
        .into();
        let strip = Strip::new(&days, 194 * DAY_MS, now);
        let letters: String = strip.bars.iter().map(|bar| bar.letter).collect();
        assert_eq!(letters, format!("{}ndgwnnu", "e".repeat(83)));
        assert_eq!((strip.odd.len(), strip.bars.len()), (5, 90));
        assert!(strip.bars.iter().all(|bar| bar.y + bar.height == HEIGHT));
        assert!(strip.odd[3].contains("down for 1 min"), "{:?}", strip.odd);
    }
}
