//! Reports by mail: which window is sent when.

use jiff::civil::Weekday;
use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::window::{Window, Zone};
use crate::model::id::id;
use crate::model::uptime::DAY_MS;
use crate::model::{AccountId, ChannelId, Scope, UtcMs};

id! {
    /// Names a report that is sent. It follows from what it is, so that whoever adds the same adds nothing.
    ReportScheduleId
}

/// After the end of a window, in UTC: its last day is counted by then, and what came late.
const SENT_AFTER_MS: i64 = 6 * 3_600_000;

probe::named! {
    /// How often a report is sent.
    Rhythm {
        /// On the first of a month, about the month before.
        Monthly = "monthly",
        /// On Mondays, about the week before.
        Weekly = "weekly",
    }
}

/// A report that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Which.
    pub schedule_id: ReportScheduleId,
    /// Whose.
    pub account_id: AccountId,
    /// About which websites.
    pub scope: Scope,
    /// Through which channel, of mail.
    pub channel_id: ChannelId,
    /// How often.
    pub rhythm: Rhythm,
    /// Since when.
    pub made_at: UtcMs,
    /// Where the last window ends that was given to the channel.
    pub sent_until_at: Option<UtcMs>,
}

impl Schedule {
    /// Reports that an account may have.
    pub const MOST: i64 = 50;
}

/// A window that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The window.
    pub window: Window,
    /// When it was to be sent.
    pub at: UtcMs,
}

impl ReportScheduleId {
    /// Of what it is about.
    #[must_use]
    pub fn of(account: AccountId, channel: ChannelId, scope: &Scope, rhythm: Rhythm) -> Self {
        let about = match scope {
            Scope::All => "all".to_owned(),
            Scope::Tag(tag) => format!("tag {tag}"),
            Scope::Website(id) => format!("website {id}"),
        };
        let name = format!("report {account} {channel} {rhythm} {about}");
        Self(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()))
    }
}

impl Rhythm {
    /// The latest window that was to be sent by `now`. One that was to be sent earlier, while no hub was there, is not: its
    /// figures are on the page.
    #[must_use]
    pub fn latest(self, now: UtcMs) -> Option<Due> {
        let today = Timestamp::from_millisecond(now.saturating_sub(SENT_AFTER_MS))
            .ok()?
            .to_zoned_datetime(TimeZone::UTC)
            .date();
        let (window, ends_at) = match self {
            Self::Monthly => {
                let ended = today.first_of_month();
                let window = Window::month(ended.checked_sub(1.month()).ok()?, Zone::utc(), now)?;
                let ends_at = window.ends_at;
                (window, ends_at)
            }
            Self::Weekly => {
                let days = i64::from(today.weekday().since(Weekday::Monday));
                let monday = today.checked_sub(days.days()).ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
                let ends_at = monday.timestamp().as_millisecond();
                (Window::days(ends_at - 7 * DAY_MS, 7), ends_at)
            }
        };
        Some(Due { window, at: ends_at.saturating_add(SENT_AFTER_MS) })
    }

    /// When the next one is to be sent after `now`.
    #[must_use]
    pub fn next_at(self, now: UtcMs) -> Option<UtcMs> {
        let latest = self.latest(now)?;
        match self {
            Self::Monthly => {
                let first = Zone::utc().date(latest.window.ends_at);
                let next = first.checked_add(1.month()).ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
                Some(next.timestamp().as_millisecond().saturating_add(SENT_AFTER_MS))
            }
            Self::Weekly => Some(latest.at.saturating_add(7 * DAY_MS)),
        }
    }
}

impl Schedule {
    /// What is to be sent now; `None`: nothing is. The first one is of the window during which it was made. A window that is
    /// still to come was sent while the clock was ahead, and keeps none back.
    #[must_use]
    pub fn due(&self, now: UtcMs) -> Option<Due> {
        let due = self.rhythm.latest(now)?;
        let is_new = self.sent_until_at.is_none_or(|sent| due.window.ends_at > sent || sent > now);
        (is_new && due.window.ends_at > self.made_at).then_some(due)
    }
}
