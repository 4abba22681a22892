//! A database as it is after months: others' websites, and history. Written past the store, as much of it would take long to
//! come in.

use hub::model::UtcMs;

const DAY: i64 = 86_400_000;

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Websites of others, and of the one who looks.
    pub others: i64,
    pub own: i64,
    /// Days of history.
    pub days: i64,
    /// Incidents, alerts and dead letters of each account.
    pub incidents: i64,
}

/// Words that the databases write in their own ways.
pub struct Dialect {
    pub is_postgres: bool,
}

impl Dialect {
    /// An id made of a number.
    pub fn id(&self, number: &str) -> String {
        if self.is_postgres {
            format!("('00000000-0000-7000-8000-' || lpad(to_hex(({number})::bigint), 12, '0'))::uuid")
        } else {
            format!("unhex('00000000000070008000' || printf('%012x', {number}))")
        }
    }

    /// A key of a session made of a number.
    fn key(&self, number: &str) -> String {
        if self.is_postgres {
            format!("decode(md5(({number})::text), 'hex')")
        } else {
            format!("cast(({number}) as blob)")
        }
    }

    fn bytes(&self, hex: &str) -> String {
        if self.is_postgres { format!("'\\x{hex}'::bytea") } else { format!("x'{hex}'") }
    }
}

/// An id made of a number, in a path.
pub fn path_id(number: i64) -> String {
    format!("00000000-0000-7000-8000-{number:012x}")
}

/// Kinds of ids.
pub const JOB: i64 = 900;
pub const INCIDENT: i64 = 3_000_000;
pub const CHANNEL: i64 = 4_000_000;
pub const WINDOW: i64 = 6_000_000;
pub const PAGE: i64 = 9_500_000;
pub const POST: i64 = 9_600_000;

const WINDOW_COLUMNS: &str =
    "maintenance_id, account_id, name, scope, time_zone, starts, repeats, duration_ms, created_at, since_at";

/// The statements. Ann's account exists.
pub fn script(size: Size, dialect: &Dialect, now: UtcMs) -> String {
    let Size { others, own, days, incidents } = size;
    let accounts = (others / 40).max(41);
    let (today, hour) = (now - now % DAY, now - now % 3_600_000);
    let id = |number: &str| dialect.id(number);
    let (nil, empty, nothing) = (id("0"), dialect.bytes(""), dialect.bytes("0100"));
    let series = |name: &str, most: i64| {
        format!("{name} (i) as (select cast(1 as bigint) union all select i + 1 from {name} where i < {most})")
    };
    let n = |most: i64| format!("with recursive {}", series("n", most));
    let of = |names: &[(&str, i64)]| {
        format!(
            "with recursive {}",
            names.iter().map(|(name, most)| series(name, *most)).collect::<Vec<_>>().join(", ")
        )
    };
    let window = WINDOW_COLUMNS;
    let ann = "(select account_id from account where username = 'ann')";
    let regions = "(select 'EU' as r union all select 'US') g";
    let website = "website_id, account_id, url, interval_ms, timeout_ms, created_at";
    let tick = "website_id, slot_at, region_id, attempt, worker_id, received_at, kind, started_at, outcome, total_us, \
        body_bytes, truncated";
    let incident =
        "incident_id, account_id, kind, cause_key, cause, began_at, opened_at, closed_at, websites, told_websites";
    let alert = "alert_id, account_id, channel_id, channel_name, incident_id, event, number, state, created_at, due_at";
    let channel = "channel_id, account_id, name, kind, settings, created_at";
    // Ticks of a few websites: most of them have some of today, some of all days.
    let few = others.min(400);
    [
        format!(
            "insert into account (account_id, username, username_key, password_hash, created_at) {} select {}, 'other' || i, \
             'other' || i, 'x', 0 from n",
            n(accounts),
            id("1000000 + i")
        ),
        // So many more people, who have nothing, that to go through all of them is not what costs least.
        format!(
            "insert into account (account_id, username, username_key, password_hash, created_at) {} select {}, 'more' || i, \
             'more' || i, 'x', 0 from n",
            n(10 * accounts),
            id("1200000 + i")
        ),
        // Five people beside its owner in each team, ann's among them; each has a second factor, and links that were not followed.
        format!(
            "insert into member (account_id, person_id, role, since_at) {} select {}, {}, 'viewer', {now} - k.i from n, k",
            of(&[("n", accounts - 1), ("k", 5)]),
            id("1000001 + n.i"),
            id("1000001 + (n.i + k.i * 7) % {accounts}").replace("{accounts}", &accounts.to_string())
        ),
        format!(
            "insert into member (account_id, person_id, role, since_at) {} select {ann}, {}, 'editor', {now} - i from n",
            n(5),
            id("1000000 + i")
        ),
        format!(
            "insert into invitation (invitation_id, invitation_key, account_id, role, made_by, made_at, ends_at) {} \
             select {}, {}, {who}, 'viewer', {who}, {now} - k.i, {now} + 86400000 from n, k",
            of(&[("n", accounts), ("k", 3)]),
            id("8900000 + n.i * 10 + k.i"),
            dialect.key("n.i * 10 + k.i"),
            who = format!("case when n.i = 1 then {ann} else {} end", id("999999 + n.i")),
        ),
        format!(
            "insert into factor (account_id, secret, made_at, confirmed_at) {} select {}, {nothing}, 1, 1 from n",
            n(accounts),
            id("1000000 + i")
        ),
        format!(
            "insert into recovery_code (account_id, code_hash) {} select {}, {} from n, k",
            of(&[("n", accounts), ("k", 10)]),
            id("1000000 + n.i"),
            dialect.key("k.i")
        ),
        format!(
            "insert into website ({website}) {} select {}, {}, 'https://w' || i || '.example/', 60000, 10000, {now} - 9000000000 + i from n",
            n(others),
            id("2000000 + i"),
            id("1000001 + i % 40")
        ),
        format!(
            "insert into website ({website}, tags, paused) {} select {}, {ann}, 'https://a' || i || '.example/', 60000, 10000, \
             {now} - 9000000000 + i, case when i % 10 = 0 then 'eu,web' when i % 11 = 0 then 'w' || i else '' end, i % 50 = 49 from n",
            n(own),
            id("i")
        ),
        format!("update website set parent_id = {} where website_id = {}", id("1"), id("2")),
        format!(
            "insert into website ({website}, kind, regions) values ({}, {ann}, 'backup', 86400000, 10000, 1, 'job', 'ping')",
            id("900")
        ),
        format!(
            "insert into job (website_id, ping_id, schedule, time_zone, grace_ms) values ({}, {}, 'every:86400000', 'UTC', 60000)",
            id("900"),
            id("901")
        ),
        format!(
            "insert into session (session_key, account_id, created_at, seen_at, expires_at) {} select {}, {}, 1, 1, {now} from n",
            n(accounts),
            dialect.key("i"),
            id("1000000 + i")
        ),
        format!(
            "insert into maintenance ({window}) {} select {}, {}, 'nights', 'all', 'UTC', '2020-01-01T02:00', 'daily', 3600000, \
             1, 1 from n",
            n(accounts),
            id("6000000 + i"),
            id("1000000 + i")
        ),
        format!(
            "insert into maintenance_past (maintenance_id, account_id, name, scope, began_at, ended_at) {} select {}, {}, \
             'nights', 'all', 1, {now} from n",
            n(accounts),
            id("6000000 + i"),
            id("1000000 + i")
        ),
        // Jobs of others, as far as that matters here.
        format!(
            "insert into job (website_id, ping_id, schedule, time_zone, grace_ms) {} select {}, {}, 'every:86400000', 'UTC', 60000 from n",
            n(others.min(2_000)),
            id("2000000 + i"),
            id("9000000 + i")
        ),
        format!("insert into ping (website_id, at, kind, said) {} select website_id, i, 'success', '' from job, n", n(5)),
        format!(
            "insert into ping (website_id, at, kind, said) {} select {}, {now} - i * 1000, 'success', '' from n",
            n(50),
            id("900")
        ),
        format!(
            "insert into website_state (website_id, verdict, since_at, reason, fresh_until_at) select website_id, 'up', 1, \
             '2 of 2 regions up', {now} + 600000 from website"
        ),
        format!("update website_state set verdict = 'down' where website_id in ({}, {})", id("3"), id("5")),
        format!(
            "insert into region_state (website_id, region_id, worker_id, slot_at, attempt, received_at, outcome, total_us, \
             failing_streak, good_streak, recent) select website_id, r, 'w', {now}, 0, {now}, 'up', 1000, 0, 1, {empty} \
             from website, {regions} where kind = 'http'"
        ),
        format!(
            "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) {} \
             select website_id, {now} - i * 86400000, 0, {now} - i * 86400000, 'up', 'down', '1 of 2 regions up' from website, n",
            n(5)
        ),
        format!(
            "insert into transition (website_id, decided_at, number, at, from_verdict, to_verdict, reason) {} \
             select {}, {now} - i * 3600000 - 7, 0, {now} - i * 3600000 - 7, 'up', 'down', '1 of 2 regions up' from n",
            n(2_000),
            id("1")
        ),
        format!(
            "insert into tick ({tick}) {} select {}, {now} - d.i * 86400000 - k.i * 900000, r, 0, 'w', {now}, 'scheduled', {now}, \
             'up', 1000, 12, false from n, d, k, {regions}",
            of(&[("n", few), ("d", days), ("k", 4)]),
            id("2000000 + n.i")
        ),
        format!(
            "insert into tick ({tick}) {} select {}, {now} - d.i * 86400000 - k.i * 600000, r, 0, 'w', {now}, 'scheduled', {now}, \
             'up', 1000, 12, false from n, d, k, {regions}",
            of(&[("n", 5), ("d", days), ("k", 100)]),
            id("n.i")
        ),
        format!(
            "insert into sealed_tick (website_id, from_at, region_id, to_at, ticks, sealed_at, keys, packed) {} select {}, \
             {today} - d.i * 86400000, r, {today} - d.i * 86400000 + 1000, 2, {now}, {nothing}, {nothing} from n, d, {regions}",
            of(&[("n", few), ("d", days)]),
            id("2000000 + n.i")
        ),
        format!(
            "insert into roll_up {} select w.id, grain, {today} - d.i * 86400000 + 3600000 * h, r, 60, 60, 0, 0, 0, 0, \
             0, 0, 0, 0, 0, 0, 0, 1, 1, {nothing} from (select {} as id from n union all select {} from n) w, d, \
             (select 'day' as grain, 0 as h union all select 'hour', 0 union all select 'hour', 3 union all select 'hour', 17) hours, {regions}",
            of(&[("n", few.min(own)), ("d", days)]),
            id("i"),
            id("2000000 + i")
        ),
        format!(
            "insert into uptime_day (website_id, day_at, up_ms, degraded_ms, down_ms, unknown_ms, maintenance_ms) {} select {}, {today} - d.i * 86400000, 86400000, 0, 0, 0, 0 from n, d",
            of(&[("n", own), ("d", 110)]),
            id("n.i")
        ),
        format!(
            "insert into roll_up_progress (turn, hours_at, hours_after_id, days_at, days_after_id, hours_back_at, \
             hours_back_after_id, days_back_at, days_back_after_id, back_until_at) values (1, {hour}, {nil}, {today}, {nil}, \
             0, {nil}, 0, {nil}, 0)"
        ),
        format!(
            "insert into incident ({incident}) {} select {}, case when n.i = 1 then {ann} else {} end, 'outage', \
             'website:' || n.i || '/' || k.i, 'No connection', {now} - k.i * 60000, {now} - k.i * 60000, \
             case when k.i > 3 then {now} end, 1, 1 from n, k",
            of(&[("n", 41), ("k", incidents)]),
            id("3000000 + n.i * 10000 + k.i"),
            id("999999 + n.i")
        ),
        // All that one website ever had.
        format!(
            "insert into incident ({incident}) {} select {}, {ann}, 'outage', 'website:1', 'No connection', {now} - i * 600000, \
             {now} - i * 600000, {now} - i * 600000 + 1, 1, 1 from n",
            n(10 * incidents),
            id("3500000 + i")
        ),
        format!(
            "insert into incident_website (incident_id, website_id, url, began_at, ended_at) {} select {}, {}, \
             'https://a1.example/', {now} - i * 600000, {now} - i * 600000 + 1 from n",
            n(10 * incidents),
            id("3500000 + i"),
            id("1")
        ),
        format!(
            "insert into incident_website (incident_id, website_id, url, began_at, ended_at) {} select {}, \
             case when n.i = 1 then {} else {} end, 'https://a1.example/', {now} - k.i * 60000, case when k.i > 3 then {now} end \
             from n, k",
            of(&[("n", 41), ("k", incidents)]),
            id("3000000 + n.i * 10000 + k.i"),
            id("1"),
            id("2000038 + n.i")
        ),
        format!(
            "insert into incident_event (event_id, incident_id, at, number, kind, said) {} select {}, {}, {now} - k.i * 60000, \
             0, 'opened', 'It failed.' from n, k",
            of(&[("n", 41), ("k", incidents)]),
            id("7000000 + n.i * 10000 + k.i"),
            id("3000000 + n.i * 10000 + k.i")
        ),
        format!(
            "insert into channel ({channel}) {} select {}, case when i = 1 then {ann} else {} end, 'ops', 'slack', \
             '{{\"kind\":\"slack\",\"url\":\"https://hooks.slack.com/x\"}}', {now} from n",
            n(accounts),
            id("4000000 + i"),
            id("999999 + i")
        ),
        // What was done: much of it by others, and much of it ann's.
        format!(
            "insert into audit (audit_id, account_id, at, person, route, action, kind, object_id) {} select {}, \
             case when n.i = 1 then {ann} when n.i > 2 then {} end, {now} - k.i * 1000, \
             case when k.i % 500 = 0 then 'bob' else 'ann' end, 'POST /websites/:id/edit', 'changed', \
             case when k.i % 400 = 0 then 'channel' else 'website' end, cast(k.i as text) from n, k",
            of(&[("n", accounts.min(40)), ("k", 5_000)]),
            id("8000000 + n.i * 10000 + k.i"),
            id("999999 + n.i")
        ),
        format!(
            "insert into api_key (api_key_id, account_id, made_by, name, secret_sha256, scopes, created_at) {} select {}, \
             {who}, {who}, 'CI', {}, 'read', {now} from n, k",
            of(&[("n", accounts), ("k", 3)]),
            id("8800000 + n.i * 10 + k.i"),
            dialect.key("n.i"),
            who = format!("case when n.i = 1 then {ann} else {} end", id("999999 + n.i")),
        ),
        format!(
            "insert into report_schedule (report_schedule_id, account_id, channel_id, scope, rhythm, made_at, next_at) {} \
             select {}, case when n.i = 1 then {ann} else {} end, {}, 'all', 'monthly', {now} - k.i, {now} + 86400000 from n, k",
            of(&[("n", accounts), ("k", 50)]),
            id("7000000 + n.i * 100 + k.i"),
            id("999999 + n.i"),
            id("4000000 + n.i")
        ),
        format!(
            "insert into alert ({alert}) {} select {}, case when n.i = 1 then {ann} else {} end, {}, 'ops', {}, 'opened', 0, \
             case when k.i < 4 then 'waiting' when k.i = 7 then 'dead' else 'delivered' end, {now} - k.i * 60000, {now} from n, k",
            of(&[("n", 41), ("k", incidents)]),
            id("5000000 + n.i * 10000 + k.i"),
            id("999999 + n.i"),
            id("4000000 + n.i"),
            id("3000000 + n.i * 10000 + k.i")
        ),
        format!(
            "insert into alert_try (alert_id, number, at, took_ms, result, said) select alert_id, 1, {now}, 5, 'delivered', '' \
             from alert where state <> 'waiting'"
        ),
        format!(
            "insert into dead_letter (dead_letter_id, stream, reason, raw, created_at) {} select {}, 'betteruptime:tick:EU:w', \
             'too_old: by an hour', {empty}, {now} - i from n",
            n(10 * incidents),
            id("8000000 + i")
        ),
        // Pages of many: what is on them, what was published, who is told.
        format!(
            "insert into status_page (status_page_id, account_id, name, slug, access, logo, logo_type, logo_tag, channel_id, created_at) \
             {} select {}, case when i = 1 then {ann} else {} end, 'Acme', 'page' || i, 'public', {}, 'image/png', 'tag', {}, i from n",
            n(accounts),
            id("9500000 + i"),
            id("999999 + i"),
            dialect.bytes("89504e470d0a1a0a"),
            id("4000000 + i")
        ),
        format!(
            "insert into status_component (status_page_id, position, section, website_id, name) {} select {}, i, 'Web', {}, 'Shop' from n",
            n(own.min(25)),
            id("9500001"),
            id("i")
        ),
        format!(
            "insert into status_component (status_page_id, position, section, website_id, name) {} select {}, k.i, 'Web', {}, 'Shop' from n, k \
             where n.i > 1",
            of(&[("n", accounts), ("k", 10)]),
            id("9500000 + n.i"),
            id("2000000 + k.i")
        ),
        format!(
            "insert into status_post (status_post_id, account_id, status_page_id, kind, title, impact, began_at, ended_at) {} \
             select {}, case when n.i = 1 then {ann} else {} end, {}, 'incident', 'Slow', 'degraded', {now} - k.i * 60000, \
             case when k.i > 2 then {now} - k.i * 60000 end from n, k",
            of(&[("n", 41), ("k", incidents)]),
            id("9600000 + n.i * 10000 + k.i"),
            id("999999 + n.i"),
            id("9500000 + n.i")
        ),
        format!(
            "insert into status_update (status_update_id, status_post_id, at, state, said) {} select {}, {}, {now} - k.i * 60000 + u.i, \
             'monitoring', 'We look.' from n, k, u",
            of(&[("n", 41), ("k", incidents), ("u", 3)]),
            id("97000000 + n.i * 100000 + k.i * 10 + u.i"),
            id("9600000 + n.i * 10000 + k.i")
        ),
        format!(
            "insert into status_post_component (status_post_id, website_id) {} select {}, {} from n, k",
            of(&[("n", 41), ("k", incidents)]),
            id("9600000 + n.i * 10000 + k.i"),
            id("1")
        ),
        format!(
            "insert into status_subscriber (status_subscriber_id, account_id, status_page_id, address, address_key, asked_at, confirmed_at) \
             {} select {}, case when n.i = 1 then {ann} else {} end, {}, 'a' || k.i || '@example.org', 'a' || k.i || '@example.org', \
             {now}, case when k.i > 5 then {now} end from n, k",
            of(&[("n", 41), ("k", incidents)]),
            id("9900000 + n.i * 10000 + k.i"),
            id("999999 + n.i"),
            id("9500000 + n.i")
        ),
        format!(
            "insert into status_mail (status_mail_id, account_id, status_page_id, status_subscriber_id, state, created_at, due_at) \
             {} select {}, case when n.i = 1 then {ann} else {} end, {}, {}, case when k.i < 4 then 'waiting' else 'dead' end, {now}, {now} from n, k",
            of(&[("n", 41), ("k", incidents.min(50))]),
            id("9950000 + n.i * 10000 + k.i"),
            id("999999 + n.i"),
            id("9500000 + n.i"),
            id("9900000 + n.i * 10000 + k.i")
        ),
        "insert into region (region_id, created_at) values ('EU', 1), ('US', 1)".to_owned(),
    ]
    .join(";\n")
}

/// A window that is over, and one that comes.
pub fn windows(dialect: &Dialect) -> String {
    let window =
        "maintenance_id, account_id, name, scope, time_zone, starts, repeats, duration_ms, created_at, since_at";
    format!(
        "insert into maintenance ({window}) select {}, account_id, 'nights', 'all', 'UTC', '2020-01-01T02:00', 'daily', 3600000, \
         1, 1 from account where username = 'ann'",
        dialect.id(&WINDOW.to_string())
    )
}
