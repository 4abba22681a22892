//! How far counting has come, and what is next. Hours and days that end are counted in order; those from before the first
//! start are counted when there is nothing else to do, newest first, since they are asked for first.

use super::Grain;
use crate::model::{Span, UtcMs, WebsiteId};

/// Hours are kept for so many days, then only their days: longer than a week, the longest window that is read by hours at its begin
/// and asked for all the time. An hour of a website that is looked at every minute takes more room than its ticks once they
/// are packed.
pub const HOURS_KEPT_DAYS: u16 = 10;
const HOURS_KEPT_MS: i64 = HOURS_KEPT_DAYS as i64 * Grain::Day.ms();

/// What is counted, one batch of websites after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// Ticks of hours that end.
    Hours,
    /// Verdicts of days that end.
    Days,
    /// Ticks of hours before the first start.
    HoursBack,
    /// Verdicts of days before the first start.
    DaysBack,
}

impl Task {
    const IN_ORDER: [Self; 4] = [Self::Hours, Self::Days, Self::HoursBack, Self::DaysBack];

    /// What it counts.
    #[must_use]
    pub fn grain(self) -> Grain {
        match self {
            Self::Hours | Self::HoursBack => Grain::Hour,
            Self::Days | Self::DaysBack => Grain::Day,
        }
    }
}

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Counted up to here; backwards: from here on.
    pub at: UtcMs,
    /// Of the next hour or day, websites up to this one.
    pub after: WebsiteId,
}

/// Where all tasks are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Grows with whatever is written: who counts writes only if nobody has written since he read.
    pub turn: i64,
    /// [`Task::Hours`].
    pub hours: Place,
    /// [`Task::Days`].
    pub days: Place,
    /// [`Task::HoursBack`].
    pub hours_back: Place,
    /// [`Task::DaysBack`].
    pub days_back: Place,
    /// Begin of the day on which the first website was added.
    pub back_until_at: UtcMs,
}

/// An hour or a day to be counted, of websites that follow one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Which task.
    pub task: Task,
    /// Begin of the hour or day.
    pub starts_at: UtcMs,
    /// Websites after this one.
    pub after: WebsiteId,
}

impl Work {
    /// Whether an hour is the last of its day that this task counts: then the day can be.
    #[must_use]
    pub fn completes_day(&self) -> bool {
        match self.task {
            Task::Hours => Grain::Hour.end_of(self.starts_at) == Grain::Day.end_of(self.starts_at),
            Task::HoursBack => self.starts_at == Grain::Day.start_of(self.starts_at),
            Task::Days | Task::DaysBack => false,
        }
    }

    /// Websites that were added before this are counted. Backwards a day is merged with its first hour, also of those that
    /// were added later in it.
    #[must_use]
    pub fn ends_at(&self) -> UtcMs {
        let grain = if self.completes_day() { Grain::Day } else { self.task.grain() };
        grain.end_of(self.starts_at)
    }
}

impl Place {
    fn begin(at: UtcMs) -> Self {
        Self { at, after: WebsiteId(uuid::Uuid::nil()) }
    }
}

impl Progress {
    /// At the first start, where the first of the websites was added at `first_at`.
    #[must_use]
    pub fn begin(first_at: Option<UtcMs>, now: UtcMs) -> Self {
        let [hour, day] = [Grain::Hour, Grain::Day].map(|grain| Place::begin(grain.settled_until(now)));
        // To the begin of that day: it is merged with its first hour.
        let back_until_at = first_at.map_or(now, |at| Grain::Day.start_of(at)).min(now);
        Self { turn: 0, hours: hour, days: day, hours_back: hour, days_back: day, back_until_at }
    }

    /// After a clock was wrong: what was counted before it was over is counted again. What comes for hours that ended longer
    /// ago is noted, whoever counted them.
    #[must_use]
    pub fn by_clock(mut self, now: UtcMs) -> Self {
        for (place, grain) in [(&mut self.hours, Grain::Hour), (&mut self.days, Grain::Day)] {
            if place.at > now.saturating_sub(Grain::NOTED_AFTER_MS) {
                *place = Place::begin(grain.settled_until(now));
            }
        }
        self
    }

    /// From when on hours are counted: all there are, once those from before the first start are.
    #[must_use]
    pub fn hours_counted_since(&self) -> UtcMs {
        if self.hours_back.at > self.back_until_at { self.hours_back.at } else { UtcMs::MIN }
    }

    /// What is next; `None`: all that is over is counted.
    #[must_use]
    pub fn next(&self, now: UtcMs) -> Option<Work> {
        Task::IN_ORDER.into_iter().find_map(|task| {
            let (place, grain) = (self.place(task), task.grain());
            let starts_at = match task {
                Task::Hours | Task::Days => (place.at < grain.settled_until(now)).then_some(place.at),
                Task::HoursBack | Task::DaysBack => {
                    (place.at > self.back_until_at).then(|| place.at.saturating_sub(grain.ms()))
                }
            };
            starts_at.map(|starts_at| Work { task, starts_at, after: place.after })
        })
    }

    /// With a batch of it done: up to `last`, or (`None`) of all websites.
    #[must_use]
    pub fn done(mut self, work: &Work, last: Option<WebsiteId>) -> Self {
        let place = self.place_mut(work.task);
        *place = match (last, work.task) {
            (Some(last), _) => Place { after: last, ..*place },
            (None, Task::Hours | Task::Days) => Place::begin(work.starts_at.saturating_add(work.task.grain().ms())),
            (None, Task::HoursBack | Task::DaysBack) => Place::begin(work.starts_at),
        };
        self
    }

    /// Begin of the first day of which the hours are kept.
    #[must_use]
    pub fn hours_kept_since(&self) -> UtcMs {
        Grain::Day.start_of(self.hours.at).saturating_sub(HOURS_KEPT_MS)
    }

    /// The day whose hours are forgotten with this batch: one that was old when it was counted backwards, with its last hour.
    /// What grows old while days go by is forgotten by and by ([`Self::forgettable_hours`]).
    #[must_use]
    pub fn forgets_hours_of(&self, work: &Work) -> Option<Span> {
        match work.task {
            Task::HoursBack if work.completes_day() && work.starts_at < self.hours_kept_since() => {
                Some(Span { from_at: work.starts_at, to_at: Grain::Day.end_of(work.starts_at) })
            }
            Task::Hours | Task::Days | Task::HoursBack | Task::DaysBack => None,
        }
    }

    /// The hours of a website that are not kept any more, whose last day that was counted begins at `newest_day_at`; `None`:
    /// there are none. A clock that is ahead by years for a moment counts hours without ticks, of which no day comes: it must
    /// not cost all hours there are. Days that are being counted backwards need their hours still.
    #[must_use]
    pub fn forgettable_hours(&self, newest_day_at: UtcMs) -> Option<Span> {
        let from_at = if self.hours_back.at > self.back_until_at {
            Grain::Day.end_of(self.hours_back.at.saturating_sub(1))
        } else {
            UtcMs::MIN
        };
        let kept_since = Grain::Day.end_of(newest_day_at).saturating_sub(HOURS_KEPT_MS);
        let to_at = Grain::Day.start_of(kept_since).min(self.hours_kept_since());
        (from_at < to_at).then_some(Span { from_at, to_at })
    }

    fn place(&self, task: Task) -> Place {
        match task {
            Task::Hours => self.hours,
            Task::Days => self.days,
            Task::HoursBack => self.hours_back,
            Task::DaysBack => self.days_back,
        }
    }

    fn place_mut(&mut self, task: Task) -> &mut Place {
        match task {
            Task::Hours => &mut self.hours,
            Task::Days => &mut self.days,
            Task::HoursBack => &mut self.hours_back,
            Task::DaysBack => &mut self.days_back,
        }
    }

    /// Until when the hours or days of a website are counted. Of the one that is being counted now, those of some websites are
    /// and those of others are not yet: what comes to be known of it meanwhile is counted again for the former.
    #[must_use]
    pub fn counted_until(&self, id: WebsiteId, grain: Grain) -> UtcMs {
        let place = match grain {
            Grain::Hour => self.hours,
            Grain::Day => self.days,
        };
        if id <= place.after { place.at.saturating_add(grain.ms()) } else { place.at }
    }
}
