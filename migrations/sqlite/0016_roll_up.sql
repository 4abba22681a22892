-- History that stays small: what the ticks of an hour and of a day come to, and how the time of a day was spent.

-- Of one website, from one region. A row is counted anew and written whole, an hour from its ticks and a day from its
-- hours, never added to: whoever counts twice, or dies half-way, leaves what one count would have left. The key serves
-- "one website, one grain, a span of time", so that 90 days are one range of it.
create table roll_up (
    website_id  blob not null references website (website_id) on delete cascade,
    grain       text not null,   -- hour, day: of UTC
    starts_at   bigint not null,
    region_id   text not null,
    ticks       bigint not null, -- all of them; a count of fewer never replaces one of more
    up          bigint not null,
    degraded    bigint not null,
    down        bigint not null,
    unknown     bigint not null, -- among them those whose fault the probe's own network was
    late        bigint not null, -- of all of these: came long after their slot
    dns_us      bigint not null, -- sums of the phases of those up or degraded
    connect_us  bigint not null,
    tls_us      bigint not null,
    send_us     bigint not null,
    wait_us     bigint not null,
    receive_us  bigint not null,
    total_us    bigint not null,
    least_us    bigint,          -- null: none was up or degraded
    most_us     bigint,
    latency     blob not null,   -- their whole durations, model::histogram
    primary key (website_id, grain, starts_at, region_id)
);

-- How a UTC day was spent, by its verdicts; the parts add up to what of the day the website was there for.
create table uptime_day (
    website_id     blob not null references website (website_id) on delete cascade,
    day_at         bigint not null,
    up_ms          bigint not null,
    degraded_ms    bigint not null,
    down_ms        bigint not null,
    unknown_ms     bigint not null,
    maintenance_ms bigint not null,
    primary key (website_id, day_at)
);

-- What came to be known of hours and days that were counted by then, written by the transaction that brings it. No foreign
-- key: what is about a website that is gone is dropped by whoever reads it. A row each time, so that one that comes while
-- another is worked off is another row.
create table roll_up_due (
    number     integer primary key autoincrement,
    website_id blob not null,
    what       text not null,   -- ticks: of this hour; verdicts: from this instant on
    starts_at  bigint not null
);

-- How far hubs are. Whoever writes what he counted takes the next turn; what was read before somebody else's turn is
-- counted again.
create table roll_up_progress (
    only_row            boolean primary key default 1 check (only_row),
    turn                bigint not null,
    hours_at            bigint not null, -- hours before this one are counted
    hours_after_id      blob not null,   -- and of this one websites up to here
    days_at             bigint not null, -- likewise days
    days_after_id       blob not null,
    hours_back_at       bigint not null, -- what was there before the first start, newest first: hours from here on are counted
    hours_back_after_id blob not null,
    days_back_at        bigint not null,
    days_back_after_id  blob not null,
    back_until_at       bigint not null  -- when the first website was added: further back there is nothing
);
