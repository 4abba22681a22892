//! One message to one channel about one event: a row before it is a message.

use uuid::Uuid;

use super::id::id;
use super::{ChannelId, IncidentId, UtcMs};

id! {
    /// Names an alert. It follows from incident, event, number and channel, so that whoever writes it writes the same (I4).
    AlertId
}

impl AlertId {
    /// Of what must be told once: `number` tells the updates and reminders of one incident apart, else 0.
    #[must_use]
    pub fn of(incident: IncidentId, event: AlertEvent, number: i64, channel: ChannelId) -> Self {
        let name = format!("{incident} {event} {number} {channel}");
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }
}

probe::named! {
    /// What people are told of.
    AlertEvent {
        /// An incident began.
        Opened = "opened",
        /// It has grown, its cause is another, or a certificate has come nearer to its end.
        Updated = "updated",
        /// Somebody took it on.
        Acknowledged = "acknowledged",
        /// It is over.
        Resolved = "resolved",
        /// It goes on, and nobody has taken it on.
        Reminder = "reminder",
        /// Somebody tries the channel.
        Test = "test",
        /// Another channel of the account was given up. About no incident.
        ChannelBroken = "channel_broken",
        /// What was held back while the channel had reached its cap. About no incident of its own.
        Summary = "summary",
        /// How websites did over a month or a week. About no incident.
        Report = "report",
    }
}

probe::named! {
    /// What has become of an alert.
    AlertState {
        /// To be sent, at once or later.
        Waiting = "waiting",
        /// The receiver took it.
        Delivered = "delivered",
        /// Given up; can be sent again by hand.
        Dead = "dead",
        /// No longer of use: acknowledged or over before its time came, or the channel is gone.
        Cancelled = "cancelled",
        /// Told within another alert, since the channel had reached its cap.
        Folded = "folded",
    }
}

probe::named! {
    /// What came of one try.
    TryResult {
        /// The receiver took it.
        Delivered = "delivered",
        /// It may work later.
        Again = "again",
        /// It cannot work.
        GivenUp = "given_up",
    }
}

/// A place in a list of alerts, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertCursor {
    /// When the last one seen was written.
    pub created_at: UtcMs,
    /// Which it was.
    pub alert_id: AlertId,
}

/// What became of the wish to send a dead alert again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertReplay {
    /// It is tried again, now.
    Asked,
    /// Its channel is switched off, or was deleted: nothing would come of it.
    ChannelOff,
    /// It is not dead, or is none of the account's.
    NotDead,
    /// The other channel, through which it was to be sent, has an alert of it already.
    HasIt,
    /// It is about no incident, so that it cannot be said in the form of another channel.
    OwnForm,
}

/// An alert as stored, without what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Which.
    pub alert_id: AlertId,
    /// To which channel.
    pub channel_id: ChannelId,
    /// The channel's name as it was.
    pub channel_name: String,
    /// About which incident; `None`: a test.
    pub incident_id: Option<IncidentId>,
    /// What it tells.
    pub event: AlertEvent,
    /// Of the updates and reminders of one incident.
    pub number: i64,
    /// What has become of it.
    pub state: AlertState,
    /// When it was written.
    pub created_at: UtcMs,
    /// When it is tried next.
    pub due_at: UtcMs,
    /// Tries so far.
    pub tries: u32,
    /// When it was delivered, given up or cancelled.
    pub ended_at: Option<UtcMs>,
    /// The last answer, or why it ended.
    pub said: String,
}

/// One try of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertTry {
    /// When.
    pub at: UtcMs,
    /// For how long.
    pub took_ms: i64,
    /// With what result.
    pub result: TryResult,
    /// The answer, at most 512 printable characters.
    pub said: String,
}
