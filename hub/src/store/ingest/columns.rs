//! What is written of ticks and region states, column by column: one list of names, and one of values that each database
//! binds in its own way.

use crate::model::{RegionState, WebsiteId};

/// Columns of a tick, in the order of [`bind_tick`].
pub(super) const TICK: [&str; 36] = [
    "website_id",
    "slot_at",
    "region_id",
    "attempt",
    "worker_id",
    "received_at",
    "kind",
    "started_at",
    "outcome",
    "class",
    "phase",
    "blame",
    "detail",
    "dns_us",
    "connect_us",
    "tls_us",
    "send_us",
    "wait_us",
    "receive_us",
    "total_us",
    "status",
    "remote",
    "body_bytes",
    "truncated",
    "certificate_not_after_at",
    "certificate_issuer",
    "certificate_subject",
    "tls_version",
    "answer",
    "notes",
    "publish_ms",
    "queue_ms",
    "thread_us",
    "report_us",
    "late",
    "clamped",
];

/// Calls `$column!(e => value)` for each column of a tick, `e` being an [`super::Entry`].
macro_rules! bind_tick {
    ($column:ident) => {
        $column!(e => e.tick.tick.website_id.0);
        $column!(e => e.tick.tick.slot_at);
        $column!(e => e.tick.region_id.as_str());
        $column!(e => i64::from(e.tick.tick.attempt));
        $column!(e => e.tick.worker_id.as_str());
        $column!(e => e.tick.received_at);
        $column!(e => e.tick.tick.kind.as_str());
        $column!(e => if e.marks.clamped { e.tick.received_at } else { e.tick.tick.started_at });
        $column!(e => e.tick.tick.outcome.as_str());
        $column!(e => e.tick.tick.failure.as_ref().map(|f| f.class.as_str()));
        $column!(e => e.tick.tick.failure.as_ref().map(|f| f.phase.as_str()));
        $column!(e => e.tick.tick.failure.as_ref().map(|f| f.blame.as_str()));
        $column!(e => e.tick.tick.failure.as_ref().map(|f| storable(&f.detail)));
        $column!(e => e.tick.tick.phases.dns_us.map(i64::from));
        $column!(e => e.tick.tick.phases.connect_us.map(i64::from));
        $column!(e => e.tick.tick.phases.tls_us.map(i64::from));
        $column!(e => e.tick.tick.phases.send_us.map(i64::from));
        $column!(e => e.tick.tick.phases.wait_us.map(i64::from));
        $column!(e => e.tick.tick.phases.receive_us.map(i64::from));
        $column!(e => i64::from(e.tick.tick.total_us));
        $column!(e => e.tick.tick.status.map(i64::from));
        $column!(e => e.tick.tick.remote.map(|r| r.to_string()));
        $column!(e => i64::from(e.tick.tick.body_bytes));
        $column!(e => e.tick.tick.truncated);
        $column!(e => e.tick.tick.certificate.as_ref().map(|c| c.not_after_at));
        $column!(e => e.tick.tick.certificate.as_ref().map(|c| storable(&c.issuer)));
        $column!(e => e.tick.tick.certificate.as_ref().map(|c| storable(&c.subject)));
        $column!(e => e.tick.tick.certificate.as_ref().and_then(|c| c.tls_version.as_deref()).map(storable));
        $column!(e => e.tick.tick.answer.as_deref().map(storable));
        $column!(e => notes_text(&e.tick.tick.notes));
        $column!(e => e.tick.tick.delays.publish_ms.map(i64::from));
        $column!(e => e.tick.tick.delays.queue_ms.map(i64::from));
        $column!(e => e.tick.tick.delays.thread_us.map(i64::from));
        $column!(e => e.tick.tick.delays.report_us.map(i64::from));
        $column!(e => e.marks.late);
        $column!(e => e.marks.clamped);
    };
}

/// Columns of a region's state, in the order of [`bind_region`]. The first two are the key.
pub(super) const REGION: [&str; 24] = [
    "website_id",
    "region_id",
    "worker_id",
    "slot_at",
    "attempt",
    "received_at",
    "outcome",
    "class",
    "phase",
    "blame",
    "detail",
    "dns_us",
    "connect_us",
    "tls_us",
    "send_us",
    "wait_us",
    "receive_us",
    "total_us",
    "status",
    "failing_streak",
    "failing_since_at",
    "good_streak",
    "certificate_not_after_at",
    "recent",
];

/// A region's state and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub website_id: WebsiteId,
    pub state: &'a RegionState,
}

/// Calls `$column!(r => value)` for each column of a region's state, `r` being a [`Row`].
macro_rules! bind_region {
    ($column:ident) => {
        $column!(r => r.website_id.0);
        $column!(r => r.state.region_id.as_str());
        $column!(r => r.state.worker_id.as_str());
        $column!(r => r.state.slot_at);
        $column!(r => i64::from(r.state.attempt));
        $column!(r => r.state.received_at);
        $column!(r => r.state.outcome.as_str());
        $column!(r => r.state.failure.as_ref().map(|f| f.class.as_str()));
        $column!(r => r.state.failure.as_ref().map(|f| f.phase.as_str()));
        $column!(r => r.state.failure.as_ref().map(|f| f.blame.as_str()));
        $column!(r => r.state.failure.as_ref().map(|f| storable(&f.detail)));
        $column!(r => r.state.phases.dns_us.map(i64::from));
        $column!(r => r.state.phases.connect_us.map(i64::from));
        $column!(r => r.state.phases.tls_us.map(i64::from));
        $column!(r => r.state.phases.send_us.map(i64::from));
        $column!(r => r.state.phases.wait_us.map(i64::from));
        $column!(r => r.state.phases.receive_us.map(i64::from));
        $column!(r => i64::from(r.state.total_us));
        $column!(r => r.state.status.map(i64::from));
        $column!(r => i64::from(r.state.failing_streak));
        $column!(r => r.state.failing_since_at);
        $column!(r => i64::from(r.state.good_streak));
        $column!(r => r.state.certificate_not_after_at);
        $column!(r => recent::pack(&r.state.recent));
    };
}

pub(super) use {bind_region, bind_tick};

/// `$1, $2, ...` up to the number of columns.
pub(super) fn parameters(columns: &[&str]) -> String {
    (1..=columns.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// A region's state takes the place of the one before. `source` is `values (...)` or a select.
pub(super) fn upsert_region(source: &str) -> String {
    let set: Vec<_> = REGION[2..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
    format!(
        "insert into region_state ({}) {source} on conflict (website_id, region_id) do update set {}",
        REGION.join(", "),
        set.join(", ")
    )
}
