//! Ticks as they might have come: what foretells each of their numbers, and the noise on it.

/// All columns of a tick but those that are as they are by default.
const COLUMNS: &str = "website_id, slot_at, region_id, attempt, worker_id, received_at, kind, started_at, outcome, class, phase, \
    blame, detail, dns_us, connect_us, tls_us, send_us, wait_us, receive_us, total_us, status, remote, body_bytes, truncated, \
    certificate_not_after_at, certificate_issuer, certificate_subject, tls_version, notes, publish_ms, queue_ms, thread_us, report_us";

/// Normal noise, about 0 and 1; `random()` is asked anew for each.
const NOISE: &str = "((random() + random() + random() + random() - 2) * 1.732)";

/// Inserts a tick for each row of `t`, which `slots` makes ("with ... t as (...)"): website_id, k (number of the website), r and
/// region, h (a hash of both), slot, way and work (microseconds), down. In that order.
pub fn insert(table: &str, slots: &str, order: &str) -> String {
    // Each website has its own usual time on the way from each region, and its own noise.
    let wait = |usual: &str, spread: f64| {
        format!(
            "({usual} * exp({spread} * {NOISE}) * case when random() < 0.02 then 1 + 4 * random() else 1 end)::bigint"
        )
    };
    let (dns, connect, tls) = (wait("1800.0", 0.12), wait("way", 0.015), wait("way * 1.1", 0.02));
    let (send, server, receive) = (wait("38.0", 0.15), wait("way + work", 0.06), wait("420.0", 0.25));
    let (thread, report) = (wait("90.0", 0.3), wait("150.0", 0.3));
    format!(
        "insert into {table} ({COLUMNS}) {slots}, \
         n as (select *, {dns} as dns, {connect} as connect, {tls} as tls, {send} as send, {server} as server, {receive} as receive, \
               {thread} as thread, {report} as report, (random() * 4)::bigint as publish, (random() * 3)::bigint as queue, \
               random() as dice from t order by {order}), \
         m as (select *, case when down then dns + connect else dns + connect + tls + send + server + receive end as total, \
               slot + publish + queue + (dice * 2)::bigint as started from n) \
         select website_id, slot, region, 0, 'worker-' || (1 + (dice * 1000)::bigint % 2), \
         started + (total + report) / 1000 + (random() * 2)::bigint, 'scheduled', started, \
         case when down then 'down' else 'up' end, case when down then 'connect_refused' end, case when down then 'connect' end, \
         case when down then 'target' end, case when down then 'The connection was refused.' end, dns, connect, \
         case when not down then tls end, case when not down then send end, case when not down then server end, \
         case when not down then receive end, total, case when not down then 200 end, \
         '203.0.' || h % 250 || '.' || (dice * 1000)::bigint % 2 || ':443', \
         case when down then 0 else 20000 + k * 13 % 9000 + (random() * 8)::bigint * (k % 2) end, false, \
         case when not down then 1900000000000 + k * 1000 end, case when not down then 'R11' end, \
         case when not down then 'www' || k || '.example.com' end, case when not down then 'TLSv1.3' end, '', publish, queue, thread, report \
         from m"
    )
}
