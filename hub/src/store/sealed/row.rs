//! A row of `tick` and a tick of a block: column by column the same.

use std::sync::Arc;

use uuid::Uuid;

use crate::model::sealed::{Number, RawTick, Text};
use crate::model::{RegionId, StoredTick};
use crate::store::StoreError;
use crate::store::row::{ResultRow, TickRow};

/// Region, and the rest.
pub(super) fn packed(row: TickRow) -> (String, RawTick) {
    let mut tick = RawTick::new(row.slot_at, row.attempt);
    let result = row.result;
    for (column, value) in [
        (Number::ReceivedAt, Some(row.received_at)),
        (Number::StartedAt, Some(row.started_at)),
        (Number::Dns, result.dns_us),
        (Number::Connect, result.connect_us),
        (Number::Tls, result.tls_us),
        (Number::Send, result.send_us),
        (Number::Wait, result.wait_us),
        (Number::Receive, result.receive_us),
        (Number::Total, Some(result.total_us)),
        (Number::Status, result.status),
        (Number::BodyBytes, Some(row.body_bytes)),
        (Number::Truncated, Some(row.truncated.into())),
        (Number::NotAfter, row.certificate_not_after_at),
        (Number::Publish, row.publish_ms),
        (Number::Queue, row.queue_ms),
        (Number::Thread, row.thread_us),
        (Number::Report, row.report_us),
        (Number::Late, Some(row.late.into())),
        (Number::Clamped, Some(row.clamped.into())),
    ] {
        tick.set_number(column, value);
    }
    for (column, value) in [
        (Text::Worker, Some(row.worker_id)),
        (Text::Kind, Some(row.kind)),
        (Text::Outcome, Some(result.outcome)),
        (Text::Class, result.class),
        (Text::Phase, result.phase),
        (Text::Blame, result.blame),
        (Text::Detail, result.detail),
        (Text::Remote, row.remote),
        (Text::Issuer, row.certificate_issuer),
        (Text::Subject, row.certificate_subject),
        (Text::TlsVersion, row.tls_version),
        (Text::Answer, row.answer),
        (Text::Notes, Some(row.notes)),
    ] {
        tick.set_text(column, value.map(Arc::from));
    }
    (row.region_id, tick)
}

/// The row it was.
pub(super) fn unpacked(website_id: Uuid, region: &RegionId, tick: &RawTick) -> Result<TickRow, StoreError> {
    let number = |column| tick.number(column);
    let text = |column| tick.text(column).map(|text| text.to_string());
    let some_number = |column: Number| {
        tick.number(column).ok_or_else(|| StoreError::Corrupt(format!("a sealed tick has no {column}")))
    };
    let some_text =
        |column: Text| text(column).ok_or_else(|| StoreError::Corrupt(format!("a sealed tick has no {column}")));
    Ok(TickRow {
        website_id,
        slot_at: tick.slot_at,
        region_id: region.as_str().to_owned(),
        attempt: tick.attempt,
        worker_id: some_text(Text::Worker)?,
        received_at: some_number(Number::ReceivedAt)?,
        kind: some_text(Text::Kind)?,
        started_at: some_number(Number::StartedAt)?,
        result: ResultRow {
            outcome: some_text(Text::Outcome)?,
            class: text(Text::Class),
            phase: text(Text::Phase),
            blame: text(Text::Blame),
            detail: text(Text::Detail),
            dns_us: number(Number::Dns),
            connect_us: number(Number::Connect),
            tls_us: number(Number::Tls),
            send_us: number(Number::Send),
            wait_us: number(Number::Wait),
            receive_us: number(Number::Receive),
            total_us: some_number(Number::Total)?,
            status: number(Number::Status),
        },
        remote: text(Text::Remote),
        body_bytes: some_number(Number::BodyBytes)?,
        truncated: some_number(Number::Truncated)? != 0,
        certificate_not_after_at: number(Number::NotAfter),
        certificate_issuer: text(Text::Issuer),
        certificate_subject: text(Text::Subject),
        tls_version: text(Text::TlsVersion),
        answer: text(Text::Answer),
        notes: some_text(Text::Notes)?,
        publish_ms: number(Number::Publish),
        queue_ms: number(Number::Queue),
        thread_us: number(Number::Thread),
        report_us: number(Number::Report),
        late: some_number(Number::Late)? != 0,
        clamped: some_number(Number::Clamped)? != 0,
    })
}

/// A tick of a block as everybody reads it.
pub(super) fn stored(website_id: Uuid, region: &RegionId, tick: &RawTick) -> Result<StoredTick, StoreError> {
    unpacked(website_id, region, tick)?.try_into()
}
