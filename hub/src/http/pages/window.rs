//! The windows that a website's page draws, one at a time, chosen by a link.

use crate::http::Request;
use crate::model::roll_up::Grain;
use crate::model::{Span, UtcMs};
use crate::store::SeriesAsked;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Window {
    /// The last 24 hours that have ended, hour by hour.
    #[default]
    Day,
    /// Today and the six days before, in pieces of three hours.
    Week,
    /// Today and the 29 days before, day by day.
    Month,
    /// Today and the 89 days before.
    Quarter,
}

impl Window {
    /// All, the shortest first: as the figures are, too.
    pub(super) const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Quarter];

    /// What an address asks for; what is none of them is the shortest.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let asked = request.query("window").unwrap_or_default();
        Self::ALL.into_iter().find(|window| window.as_str() == asked).unwrap_or_default()
    }

    /// As it stands in an address.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    fn days(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
            Self::Quarter => 90,
        }
    }

    /// Begins of days under the axis, or of hours, so many pieces apart.
    pub(super) fn labelled_every(self) -> usize {
        match self {
            Self::Day => 4,
            Self::Week => 8,
            Self::Month => 5,
            Self::Quarter => 15,
        }
    }

    /// What is read for it.
    #[must_use]
    pub fn series(self, now: UtcMs) -> SeriesAsked {
        let (grain, piece_ms, to_at) = match self {
            // The hour that goes on is counted when it is over.
            Self::Day => (Grain::Hour, HOUR_MS, Grain::Hour.start_of(now)),
            Self::Week => (Grain::Hour, 3 * HOUR_MS, Grain::Day.end_of(now)),
            Self::Month | Self::Quarter => (Grain::Day, DAY_MS, Grain::Day.end_of(now)),
        };
        SeriesAsked { span: Span { from_at: to_at - self.days() * DAY_MS, to_at }, grain, piece_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_whole_pieces_and_ends_now() {
        let now = 1_795_487_400_000; // 02:30
        for window in Window::ALL {
            let SeriesAsked { span, piece_ms, grain } = window.series(now);
            let length = span.to_at - span.from_at;
            assert_eq!((length % piece_ms, piece_ms % grain.ms(), span.from_at % piece_ms), (0, 0, 0), "{window:?}");
            assert_eq!(length / DAY_MS, window.days());
            assert!(span.to_at > now - HOUR_MS && span.to_at <= now + DAY_MS);
            let pieces = usize::try_from(length / piece_ms).unwrap();
            assert_eq!(pieces % window.labelled_every(), 0, "labels stand in columns of equal width");
        }
    }
}
