-- Jobs that report themselves: websites of another kind, which nobody looks at; they ping the hub, and silence is what is wrong.

-- Hubs that know of no kinds ask for none of them: such a website is watched from the region "ping" alone, where no worker is.
alter table website add column kind text not null default 'http'; -- http, job; url is the name of a job

-- What is special about a job. Its row is changed under the lock of its website.
create table job (
    website_id       blob primary key references website (website_id) on delete cascade,
    ping_id          blob not null constraint job_ping_id unique, -- who knows it may report; random, and may be exchanged
    schedule         text not null, -- every:<milliseconds>, or a cron expression of five fields
    time_zone        text not null, -- IANA name; of a cron expression
    grace_ms         bigint not null check (grace_ms between 60000 and 2592000000),
    expected_at      bigint, -- when a ping is due; null: none is awaited (none came yet, it is down or paused)
    awaited_since_at bigint, -- since when that one is awaited
    started_at       bigint, -- the first start since the last end
    restarted_at     bigint, -- the last start since the last end
    missing_at       bigint, -- when silence makes it down: the grace after one or the other
    pinged_at        bigint, -- the last ping of any kind
    ended_at         bigint, -- the last one that told an end
    exit_code        bigint, -- as told with that, where it was
    took_ms          bigint  -- from the start before that, where there was one
);
create index job_missing on job (missing_at) where missing_at is not null;

-- The last pings of each job, a bounded number.
create table ping (
    website_id blob not null references website (website_id) on delete cascade,
    at         bigint not null,
    kind       text not null, -- start, success, fail
    exit_code  bigint,
    took_ms    bigint,
    said       text not null, -- the beginning of what came with it, printable; its author may be hostile
    primary key (website_id, at)
);

-- When a hub that could store pings last lived, written every few seconds while there are jobs. Where that is long ago,
-- nobody heard what was sent meanwhile.
create table listening (
    only_row boolean primary key default 1 check (only_row),
    alive_at bigint not null
);
insert into listening (alive_at) values (0);
create table listening_gap (
    from_at bigint primary key,
    to_at   bigint not null
);
create index listening_gap_end on listening_gap (to_at);
