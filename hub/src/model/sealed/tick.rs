//! A tick as its row has it, column by column: whatever words a newer version stored in it stay what they are.

use std::sync::Arc;

use crate::model::UtcMs;

probe::named! {
    /// Columns of a tick that are integers; truth is 0 or 1. New ones are added at the end.
    Number {
        /// When it was received.
        ReceivedAt = "received_at",
        /// When its exchange began.
        StartedAt = "started_at",
        /// Phase.
        Dns = "dns_us",
        /// Phase.
        Connect = "connect_us",
        /// Phase.
        Tls = "tls_us",
        /// Phase.
        Send = "send_us",
        /// Phase.
        Wait = "wait_us",
        /// Phase.
        Receive = "receive_us",
        /// Whole duration.
        Total = "total_us",
        /// Status code.
        Status = "status",
        /// Body read.
        BodyBytes = "body_bytes",
        /// The body went on.
        Truncated = "truncated",
        /// End of the certificate.
        NotAfter = "certificate_not_after_at",
        /// The hub's lateness.
        Publish = "publish_ms",
        /// In the queue.
        Queue = "queue_ms",
        /// Until a thread began.
        Thread = "thread_us",
        /// Until it was reported.
        Report = "report_us",
        /// It had no vote.
        Late = "late",
        /// Its start was later than its receipt.
        Clamped = "clamped",
    }
}

probe::named! {
    /// Columns of a tick that are texts. New ones are added at the end.
    Text {
        /// Which worker.
        Worker = "worker_id",
        /// What kind of check.
        Kind = "kind",
        /// What came of it.
        Outcome = "outcome",
        /// Why.
        Class = "class",
        /// Where.
        Phase = "phase",
        /// Whose fault.
        Blame = "blame",
        /// In words.
        Detail = "detail",
        /// Address.
        Remote = "remote",
        /// Of the certificate.
        Issuer = "certificate_issuer",
        /// Of the certificate.
        Subject = "certificate_subject",
        /// Version of TLS.
        TlsVersion = "tls_version",
        /// Beginning of the answer.
        Answer = "answer",
        /// What else is worth knowing.
        Notes = "notes",
    }
}

pub(super) const NUMBERS: usize = Number::ALL.len();
pub(super) const TEXTS: usize = Text::ALL.len();

/// A tick as its row has it, without website and region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawTick {
    /// Its slot.
    pub slot_at: UtcMs,
    /// Its attempt.
    pub attempt: i64,
    pub(super) numbers: [Option<i64>; NUMBERS],
    pub(super) texts: [Option<Arc<str>>; TEXTS],
}

impl RawTick {
    /// One of which all else is missing.
    #[must_use]
    pub fn new(slot_at: UtcMs, attempt: i64) -> Self {
        Self { slot_at, attempt, numbers: [None; NUMBERS], texts: [const { None }; TEXTS] }
    }

    /// What makes it one among those of its website and region, and what orders them.
    #[must_use]
    pub fn key(&self) -> (UtcMs, i64) {
        (self.slot_at, self.attempt)
    }

    /// What a column has.
    #[must_use]
    pub fn number(&self, column: Number) -> Option<i64> {
        self.numbers[column as usize]
    }

    /// What a column has.
    #[must_use]
    pub fn text(&self, column: Text) -> Option<&Arc<str>> {
        self.texts[column as usize].as_ref()
    }

    /// Sets a column.
    pub fn set_number(&mut self, column: Number, value: Option<i64>) {
        self.numbers[column as usize] = value;
    }

    /// Sets a column.
    pub fn set_text(&mut self, column: Text, value: Option<Arc<str>>) {
        self.texts[column as usize] = value;
    }
}
