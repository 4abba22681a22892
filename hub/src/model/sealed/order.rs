//! In which order columns are written, and what each is expected to have by those before it. Part of the format.

use super::tick::{NUMBERS, Number, RawTick};

/// Columns in the order they are written: what others are foretold by comes first.
pub(super) const ORDER: [Number; NUMBERS] = [
    Number::Dns,
    Number::Connect,
    Number::Tls,
    Number::Send,
    Number::Wait,
    Number::Receive,
    Number::Total,
    Number::Publish,
    Number::Queue,
    Number::Thread,
    Number::Report,
    Number::StartedAt,
    Number::ReceivedAt,
    Number::Status,
    Number::BodyBytes,
    Number::NotAfter,
    Number::Truncated,
    Number::Late,
    Number::Clamped,
];

/// What a column is expected to have, by the columns before it.
pub(super) fn expected(column: Number, tick: &RawTick) -> i64 {
    let of = |column| tick.number(column).unwrap_or(0);
    let sum = |columns: &[Number]| columns.iter().fold(0, |sum: i64, column| sum.wrapping_add(of(*column)));
    match column {
        Number::Total => sum(&[Number::Dns, Number::Connect, Number::Tls, Number::Send, Number::Wait, Number::Receive]),
        Number::StartedAt => {
            let waited_ms = sum(&[Number::Publish, Number::Queue]);
            tick.slot_at.wrapping_add(waited_ms).wrapping_add(of(Number::Thread) / 1_000)
        }
        Number::ReceivedAt => of(Number::StartedAt).wrapping_add(sum(&[Number::Total, Number::Report]) / 1_000),
        Number::Dns
        | Number::Connect
        | Number::Tls
        | Number::Send
        | Number::Wait
        | Number::Receive
        | Number::Status
        | Number::BodyBytes
        | Number::Truncated
        | Number::NotAfter
        | Number::Publish
        | Number::Queue
        | Number::Thread
        | Number::Report
        | Number::Late
        | Number::Clamped => 0,
    }
}
