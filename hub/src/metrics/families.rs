//! Every series there is, in one table: name, kind, and what it means. docs/OPERATIONS.md has the same list, which a test
//! sees to. Names follow Prometheus: base units, the unit in the name, `_total` for what only grows.

/// What a series does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, but for a restart. Its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by bounds.
    Histogram,
}

/// A name, and what is told under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// As it is read.
    pub name: &'static str,
    /// What it does.
    pub kind: Kind,
    /// What it means: one line, no backslash.
    pub help: &'static str,
}

macro_rules! families {
    ($($id:ident $kind:ident $name:literal $help:literal)*) => {
        $(#[doc = $help] pub static $id: Family = Family { name: $name, kind: Kind::$kind, help: $help };)*
        /// All of them, in the order in which they are told.
        pub static ALL: &[&Family] = &[$(&$id),*];
    };
}

families! {
    // Of websites: the names of the blackbox exporter where it has one.
    PROBE_SUCCESS Gauge "probe_success" "Whether the newest check from the region got a good answer (1) or not (0). Absent when the region could not tell or has not looked lately."
    PROBE_DURATION Gauge "probe_duration_seconds" "How long the newest check took in all."
    PROBE_PHASE Gauge "probe_http_duration_seconds" "How long each phase of the newest check took: resolve, connect, tls, processing (asking and waiting), transfer."
    PROBE_STATUS Gauge "probe_http_status_code" "Status of the newest answer; 0 when there was none."
    PROBE_CERTIFICATE Gauge "probe_ssl_earliest_cert_expiry" "When the certificate ends, as the region last saw it, in seconds since 1970."
    WEBSITE_INFO Gauge "betteruptime_website_info" "Always 1: which website an id is."
    WEBSITE_PAUSED Gauge "betteruptime_website_paused" "Whether the website is paused."
    WEBSITE_UP Gauge "betteruptime_website_up" "The verdict of all regions: 1 up or degraded, 0 down. Absent when it is not known, or the website is paused."
    WEBSITE_DEGRADED Gauge "betteruptime_website_degraded" "Whether the verdict is degraded: slow, or with a warning. Absent where betteruptime_website_up is."
    WEBSITE_UPTIME Gauge "betteruptime_website_uptime_ratio" "Share of the observed time of the window in which it was available: the figure of page, API and badge. Absent when nothing was observed."
    WEBSITE_COVERAGE Gauge "betteruptime_website_uptime_coverage_ratio" "Share of the window, without maintenance, that was observed at all. Absent when there was nothing to observe."
    WEBSITES_LEFT_OUT Gauge "betteruptime_metrics_websites_left_out" "Websites without series, since there are more than are told."
    UPTIMES_LEFT_OUT Gauge "betteruptime_metrics_uptimes_left_out" "Uptime figures that are not told, since there is too much to read for them, or their days are being counted again."
    // Of the installation, from database and queue.
    UP_TO_DATE Gauge "betteruptime_metrics_read_ok" "Whether what is told of websites, queue and database could be read."
    READ_AT Gauge "betteruptime_metrics_read_timestamp_seconds" "When that was read."
    READ_TOOK Gauge "betteruptime_metrics_read_duration_seconds" "How long reading took."
    QUEUE_WAITING Gauge "betteruptime_queue_checks_waiting" "Checks of the region that are not done yet."
    QUEUE_LIMIT Gauge "betteruptime_queue_checks_limit" "From so many on the region gets no more."
    QUEUE_LAG Gauge "betteruptime_queue_lag_seconds" "How long the next check of the region that no worker has taken has waited."
    QUEUE_REPORTS Gauge "betteruptime_queue_reports_waiting" "Reports of the worker that are not taken in yet (Redis only)."
    WORKER_SEEN Gauge "betteruptime_worker_last_seen_timestamp_seconds" "When the worker was last heard of."
    WORKER_WORKS Gauge "betteruptime_worker_network_ok" "Whether the worker says that its network works."
    WORKER_CLOCK Gauge "betteruptime_worker_clock_offset_seconds" "How far the worker's clock is ahead."
    WORKER_CONCURRENCY Gauge "betteruptime_worker_concurrency" "Checks the worker does at once at most."
    WORKER_CHECKS Counter "betteruptime_worker_checks_total" "Checks the worker did since it was started."
    WORKER_EXCUSED Counter "betteruptime_worker_checks_excused_total" "Failures that did not count since the worker's own network did not work."
    DEAD_LETTERS Gauge "betteruptime_dead_letters" "Dead letters there are; 10000 also stands for more."
    ALERTS_DUE Gauge "betteruptime_alerts_due" "Alerts whose time to be sent has come; 10000 also stands for more."
    ALERTS_OLDEST Gauge "betteruptime_alerts_oldest_due_seconds" "For how long the first of them has been due."
    ALERTS_DEAD Gauge "betteruptime_alerts_dead" "Alerts that were given up; 10000 also stands for more."
    INCIDENTS_OPEN Gauge "betteruptime_incidents_open" "Incidents that go on; 10000 also stands for more."
    COUNTED_UNTIL Gauge "betteruptime_roll_up_counted_until_timestamp_seconds" "Hours that end before this are counted."
    COUNT_DUE Gauge "betteruptime_roll_up_due" "Hours and days that are to be counted again; 10000 also stands for more."
    CONNECTIONS Gauge "betteruptime_store_connections" "Connections to the database, by what they do."
    CONNECTIONS_LIMIT Gauge "betteruptime_store_connections_limit" "Connections to the database there may be."
    CONNECTION_WAIT Gauge "betteruptime_store_connection_wait_seconds" "How long reading this waited for a connection."
    // What this hub did since its start.
    BUILD_INFO Gauge "betteruptime_build_info" "Always 1: the version of this hub."
    LATENESS Histogram "betteruptime_schedule_lateness_seconds" "From the slot of a check of the schedule to its publication, the wait in the line of its host included."
    PUBLISHED Counter "betteruptime_checks_published_total" "Checks given to the queue."
    MISSED Counter "betteruptime_checks_missed_total" "Checks that were not given to the queue, by why."
    TICKS Counter "betteruptime_ticks_total" "Results taken in, by what became of them: new, duplicate, or orphaned (of websites that are gone, or not watched from there)."
    TICKS_LATE Counter "betteruptime_ticks_late_total" "New results that came too late to count for the verdict."
    LETTERS Counter "betteruptime_reports_rejected_total" "Reports kept as dead letters: not understood, or checks that a worker put away."
    BATCH Histogram "betteruptime_ingest_batch_duration_seconds" "How long one transaction of results took."
    BEHIND Gauge "betteruptime_ingest_behind_seconds" "How old what is taken in now is."
    STATEMENTS Histogram "betteruptime_store_duration_seconds" "How long the database was waited for, each time (Postgres only)."
    TIMEOUTS Counter "betteruptime_store_statement_timeouts_total" "Statements that took longer than they may (Postgres only)."
    SILENCES Counter "betteruptime_store_silences_total" "Times the database did not answer, and its connections were given up."
    PACKED_UNTIL Gauge "betteruptime_history_packed_until_timestamp_seconds" "Days that end before this were packed at the last look that had nothing left to do."
    PARTS_STANDING Gauge "betteruptime_parts_standing" "Parts of this hub that stand still."
    REQUESTS Counter "betteruptime_http_requests_total" "Requests answered, by pattern of their route and class of status."
    REQUEST_TIMES Histogram "betteruptime_http_request_duration_seconds" "How long answering took, without the front."
    FRONT_CONNECTIONS Gauge "betteruptime_front_connections" "Connections that are open."
    FRONT_LIMIT Gauge "betteruptime_front_connections_limit" "Connections there may be."
    FRONT_LISTENERS Gauge "betteruptime_front_listeners" "Who listens to events now; their connections count as none of the others."
    FRONT_LISTENERS_LIMIT Gauge "betteruptime_front_listeners_limit" "Who may listen at once."
    FRONT_CACHE Counter "betteruptime_front_cache_total" "Answers for everybody (badges, style sheets, status pages), by where they came from: kept, stale (kept, and there was no newer one yet), or asked of the application."
    FRONT_CERTIFICATE Gauge "betteruptime_front_certificate_expiry_timestamp_seconds" "When the certificate of TLS_CERT_FILE ends. Absent without one."
    FRONT_ACCEPTED Counter "betteruptime_front_connections_accepted_total" "Connections that were taken."
    FRONT_REFUSED Counter "betteruptime_front_refused_total" "Connections and requests that were turned away, by why."
    THROTTLED Counter "betteruptime_throttled_total" "Requests that came too often, by what they were."
    AUDIT_LOST Counter "betteruptime_audit_lines_lost_total" "Lines of the audit log that could not be written; the log of the hub has them."
    BADGES Counter "betteruptime_badges_total" "Badges shown, from memory or from the database."
    CPU Counter "process_cpu_seconds_total" "User and system CPU time spent."
    RESIDENT Gauge "process_resident_memory_bytes" "Resident memory size."
    VIRTUAL Gauge "process_virtual_memory_bytes" "Virtual memory size."
    OPEN_FDS Gauge "process_open_fds" "Open file descriptors."
    MAX_FDS Gauge "process_max_fds" "File descriptors there may be."
    STARTED Gauge "process_start_time_seconds" "When this process was started, in seconds since 1970."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_prometheus_asks_for() {
        let mut names: Vec<_> = ALL.iter().map(|family| family.name).collect();
        for Family { name, kind, help } in ALL.iter().copied() {
            let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            assert!(is_plain && name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(!["_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end)), "{name}");
            assert!(!name.contains("_ms") && !name.contains("_percent"), "{name}: base units");
            assert!(help.ends_with('.') && !help.contains(['\\', '\n', '"']), "{name}: {help}");
        }
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "a name is there once");
    }

    #[test]
    fn operators_find_every_series_in_the_documents() {
        let documents = include_str!("../../../docs/OPERATIONS.md");
        let missing: Vec<_> =
            ALL.iter().filter(|family| !documents.contains(&format!("`{}", family.name))).map(|f| f.name).collect();
        assert!(missing.is_empty(), "docs/OPERATIONS.md says nothing of {missing:?}");
    }
}
