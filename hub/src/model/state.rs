//! What is known now about a website, and how it came to be known.

use super::certificate::NearEnd;
use super::issuer::{Certificates, IssuerChange};
use super::late::Marks;
use super::{Failure, Outcome, Phases, RegionId, Tick, Ties, UtcMs, Website, WebsiteId, WorkerId};

/// A tick as stored: what the worker saw, and who it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTick {
    /// From the stream's key.
    pub region_id: RegionId,
    /// From the stream's key.
    pub worker_id: WorkerId,
    /// When the hub received it, by the queue's clock.
    pub received_at: UtcMs,
    /// What was seen. `hops` is not kept in the table.
    pub tick: Tick,
    /// What is wrong with its instants; found when it is stored.
    pub marks: Marks,
}

impl StoredTick {
    /// As received at `received_at`, not marked yet.
    #[must_use]
    pub fn received(region_id: RegionId, worker_id: WorkerId, received_at: UtcMs, tick: Tick) -> Self {
        Self { region_id, worker_id, received_at, tick, marks: Marks::default() }
    }
}

/// The least of a tick that a spark line and the ancestor's list need; ten per website and region live in the state
/// row, so that lists never read history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentTick {
    /// The check's slot.
    pub slot_at: UtcMs,
    /// The check's attempt.
    pub attempt: u16,
    /// What came of it.
    pub outcome: Outcome,
    /// Status code, when it got that far.
    pub status: Option<u16>,
    /// Whole duration.
    pub total_us: u32,
}

/// The newest tick of a website from one region, and the run it is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionState {
    /// Which region.
    pub region_id: RegionId,
    /// Which worker looked last.
    pub worker_id: WorkerId,
    /// Slot of the newest tick.
    pub slot_at: UtcMs,
    /// Attempt of the newest tick.
    pub attempt: u16,
    /// When that tick was received, by the queue's clock: freshness is judged by it.
    pub received_at: UtcMs,
    /// Its outcome.
    pub outcome: Outcome,
    /// Why, when not up.
    pub failure: Option<Failure>,
    /// Its phases.
    pub phases: Phases,
    /// Its whole duration.
    pub total_us: u32,
    /// Its status code.
    pub status: Option<u16>,
    /// Down ticks in a row, blame target, newest first.
    pub failing_streak: u16,
    /// Slot of the first of them.
    pub failing_since_at: Option<UtcMs>,
    /// Good ticks (up or degraded) in a row, newest first.
    pub good_streak: u16,
    /// End of the website's certificate, as last seen.
    pub certificate_not_after_at: Option<UtcMs>,
    /// At most [`RegionState::RECENT`], newest first.
    pub recent: Vec<RecentTick>,
}

impl RegionState {
    /// Ticks kept beside the state.
    pub const RECENT: usize = 10;
}

/// What the rounds say about a website now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebsiteState {
    /// Which website.
    pub website_id: WebsiteId,
    /// What holds now; `Unknown` until the first round (T252).
    pub verdict: Outcome,
    /// Since when: the slot of the first tick that says so.
    pub since_at: UtcMs,
    /// Why, in words: regions, phases, classes, rule.
    pub reason: String,
    /// When the verdict turns to `Unknown` unless a fresh tick comes (P5). `None`: it is unknown already, or paused.
    pub fresh_until_at: Option<UtcMs>,
    /// When it last changed between up and down: instants of the decisions, newest first, at most
    /// [`WebsiteState::CHANGES`].
    pub recent_changes: Vec<UtcMs>,
    /// Since when it flaps.
    pub flapping_since_at: Option<UtcMs>,
    /// Regions that have failed for long while the verdict is not down, by name.
    pub failing_regions: Vec<RegionId>,
    /// The certificate that people are warned of.
    pub near_end: Option<NearEnd>,
    /// What is remembered of the others.
    pub certificates: Certificates,
}

impl WebsiteState {
    /// Changes kept beside the verdict.
    pub const CHANGES: usize = 20;

    /// Of a verdict that has just begun, with nothing before it.
    #[must_use]
    pub fn new(website_id: WebsiteId, verdict: Outcome, since_at: UtcMs, reason: String) -> Self {
        Self {
            website_id,
            verdict,
            since_at,
            reason,
            fresh_until_at: None,
            recent_changes: Vec::new(),
            flapping_since_at: None,
            failing_regions: Vec::new(),
            near_end: None,
            certificates: Certificates::default(),
        }
    }
}

/// Something that changed besides the verdict, and that people may want to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The regions that have failed for long, too few to make it down, are these now; none: all is well again.
    Regional {
        /// Which website.
        website_id: WebsiteId,
        /// Since when, backdated.
        at: UtcMs,
        /// By name.
        regions: Vec<RegionId>,
        /// Why, in words.
        reason: String,
    },
    /// It began or ceased to flap.
    Flapping {
        /// Which website.
        website_id: WebsiteId,
        /// When.
        at: UtcMs,
        /// Whether it does now.
        is_flapping: bool,
        /// What was counted, in words.
        reason: String,
    },
    /// A certificate is near its end, or nearer than it was.
    CertificateNears {
        /// Which website.
        website_id: WebsiteId,
        /// When it came so near; not before it was watched.
        at: UtcMs,
        /// Its end.
        ends_at: UtcMs,
        /// The time left with which this step begins.
        step_ms: i64,
        /// Who sees it, in words.
        reason: String,
    },
    /// The certificate that was near its end is seen no more.
    CertificateRenewed {
        /// Which website.
        website_id: WebsiteId,
        /// Since when.
        at: UtcMs,
        /// End of the one that ends first now; `None`: there is none any more.
        until: Option<UtcMs>,
    },
    /// Somebody else issues its certificates.
    IssuerChanged {
        /// Which website.
        website_id: WebsiteId,
        /// When, and who.
        change: IssuerChange,
    },
}

/// A change of verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Which website.
    pub website_id: WebsiteId,
    /// Since when the new verdict holds, backdated to the first tick that said so.
    pub at: UtcMs,
    /// When the hub decided.
    pub decided_at: UtcMs,
    /// Before.
    pub from: Outcome,
    /// After.
    pub to: Outcome,
    /// Why, in words.
    pub reason: String,
}

/// How a window of time was spent. The parts add up to the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uptime {
    /// Verdict up.
    pub up_ms: i64,
    /// Verdict degraded; counts as available.
    pub degraded_ms: i64,
    /// Verdict down.
    pub down_ms: i64,
    /// Verdict unknown, paused, or before the website was added.
    pub unknown_ms: i64,
    /// Maintenance as announced, whatever the verdict was.
    pub maintenance_ms: i64,
}

/// A line of the dashboard, read from current-state tables only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRow {
    /// The website.
    pub website: Website,
    /// Its verdict.
    pub state: WebsiteState,
    /// One per region that has reported, by name.
    pub regions: Vec<RegionState>,
    /// The last 24 hours.
    pub uptime_24h: Uptime,
    /// Its tags, and what it depends on.
    pub ties: Ties,
    /// Maintenance is going on, until then.
    pub maintenance_until: Option<UtcMs>,
    /// When it last reported, where it is a job.
    pub pinged_at: Option<UtcMs>,
}
