//! What lists are asked for, and places in them.

use std::fmt;
use std::str::FromStr;

use super::{AlertCursor, AlertEvent, AlertState, ChannelId, IncidentId, Outcome, Tag, UtcMs, WebsiteKind};

/// Which websites: all that fit what is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebsiteFilter {
    /// Of this kind.
    pub kind: Option<WebsiteKind>,
    /// With this verdict.
    pub verdict: Option<Outcome>,
    /// With this tag.
    pub tag: Option<Tag>,
    /// With this in the address or name; in lower case.
    pub text: Option<String>,
    /// Paused, or not.
    pub paused: Option<bool>,
}

/// Which alerts: all that fit what is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// In this state.
    pub state: Option<AlertState>,
    /// That tell this.
    pub event: Option<AlertEvent>,
    /// To this channel.
    pub channel_id: Option<ChannelId>,
    /// About this incident.
    pub incident_id: Option<IncidentId>,
}

/// A place in a website's changes of verdict, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransitionCursor {
    /// When the last one seen was decided.
    pub decided_at: UtcMs,
    /// Which of that instant it was.
    pub number: i64,
}

/// A place in a website's ticks, newest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TickCursor {
    /// Slot of the last one seen.
    pub slot_at: UtcMs,
    /// Its region.
    pub region: String,
    /// Its attempt.
    pub attempt: u16,
}

/// A place in a website's rounds, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundCursor {
    /// Where the last one seen begins.
    pub from_at: UtcMs,
    /// When the first result of it came.
    pub received_at: UtcMs,
}

impl fmt::Display for TransitionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.decided_at, self.number)
    }
}

impl FromStr for TransitionCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (decided_at, number) = two(text)?;
        Ok(Self { decided_at, number })
    }
}

impl fmt::Display for RoundCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.from_at, self.received_at)
    }
}

impl FromStr for RoundCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (from_at, received_at) = two(text)?;
        Ok(Self { from_at, received_at })
    }
}

impl fmt::Display for TickCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.slot_at, self.attempt, self.region)
    }
}

impl FromStr for TickCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (slot_at, rest) = text.split_once('_').ok_or(())?;
        let (attempt, region) = rest.split_once('_').ok_or(())?;
        let slot_at = slot_at.parse().map_err(|_| ())?;
        Ok(Self { slot_at, region: region.to_owned(), attempt: attempt.parse().map_err(|_| ())? })
    }
}

impl fmt::Display for AlertCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.created_at, self.alert_id.0.simple())
    }
}

impl FromStr for AlertCursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, id) = text.split_once('_').ok_or(())?;
        Ok(Self { created_at: at.parse().map_err(|_| ())?, alert_id: id.parse().map_err(|_| ())? })
    }
}

fn two(text: &str) -> Result<(i64, i64), ()> {
    let (one, other) = text.split_once('_').ok_or(())?;
    Ok((one.parse().map_err(|_| ())?, other.parse().map_err(|_| ())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_and_read_back() {
        let tick = TickCursor { slot_at: -7, region: "eu_west-1".to_owned(), attempt: 2 };
        assert_eq!(tick.to_string().parse(), Ok(tick));
        let change = TransitionCursor { decided_at: 5, number: 1 };
        assert_eq!(change.to_string().parse(), Ok(change));
        let alert = AlertCursor { created_at: 3, alert_id: crate::model::AlertId(uuid::Uuid::from_u128(4)) };
        assert_eq!(alert.to_string().parse(), Ok(alert));
        assert_eq!("7".parse::<TickCursor>(), Err(()));
    }
}
