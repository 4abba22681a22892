-- Instants are UTC milliseconds since 1970 (bigint, name ends in _at), because hub, probe and both databases then agree
-- on one integer. Keys are <table>_id, so joins can say `using`. Texts that are enums in Rust stay texts: a new class
-- needs no migration. Uuids are 16-byte blobs. (One hub owns this file, so there is no schedule_claim.)

-- A person who signs in.
create table account (
    account_id    blob primary key,
    username      text not null,
    username_key  text not null constraint account_username_taken unique, -- lower case: Ann and ann are one
    password_hash text not null,                                          -- argon2id, PHC string
    created_at    bigint not null
);

-- A sign-in that can be revoked; its JWT carries the random id whose SHA-256 is the key.
create table session (
    session_key blob primary key,
    account_id  blob not null references account (account_id) on delete cascade,
    created_at  bigint not null,
    seen_at     bigint not null,
    expires_at  bigint not null
);
create index session_by_account on session (account_id); -- sign out everywhere

-- What a user asked to watch.
create table website (
    website_id  blob primary key,
    account_id  blob not null references account (account_id) on delete cascade,
    url         text not null,
    interval_ms bigint not null check (interval_ms between 10000 and 86400000),
    timeout_ms  bigint not null check (timeout_ms between 1000 and 60000),
    regions     text not null default '', -- slugs joined by commas; empty: all. Always read whole, never searched
    paused      boolean not null default 0,
    created_at  bigint not null,
    revision    bigint not null default 1, -- grows with every edit
    -- Edited, paused or resumed: ticks of older slots, which may still be on their way, are kept and shown but have no
    -- vote, since they are about another URL or from before a pause.
    watched_since_at bigint not null default 0
);
create index website_by_account on website (account_id, created_at, website_id); -- lists

-- A place one watches from; made by the first heartbeat of its first worker.
create table region (
    region_id  text primary key,
    created_at bigint not null
);

create table worker (
    region_id       text not null references region (region_id) on delete cascade,
    worker_id       text not null,
    seen_at         bigint not null,
    version         text not null,
    concurrency     bigint not null,
    checks          bigint not null,
    clock_offset_ms bigint not null,
    primary key (region_id, worker_id)
);

-- Results, once each: the key is the identity of a check. The
-- order of the key serves "newest ticks of a website". No foreign keys: history may outlive what it is about until
-- retention takes it, and an insert of 500 rows should not look up 1,000 others.
create table tick (
    website_id  blob not null,
    slot_at     bigint not null,
    region_id   text not null,
    attempt     bigint not null,
    worker_id   text not null,
    received_at bigint not null,
    kind        text not null,
    started_at  bigint not null,
    outcome     text not null,
    class       text, -- class, phase, blame, detail: present together, when the outcome is not up
    phase       text,
    blame       text,
    detail      text,
    dns_us      bigint,
    connect_us  bigint,
    tls_us      bigint,
    send_us     bigint,
    wait_us     bigint,
    receive_us  bigint,
    total_us    bigint not null,
    status      bigint,
    remote      text,
    body_bytes  bigint not null,
    truncated   boolean not null,
    certificate_not_after_at bigint,
    certificate_issuer       text,
    certificate_subject      text,
    tls_version              text,
    primary key (website_id, slot_at, region_id, attempt)
) without rowid;

-- The newest tick per website and region, and the run it is part of: lists read this, never history.
create table region_state (
    website_id       blob not null references website (website_id) on delete cascade,
    region_id        text not null,
    worker_id        text not null,
    slot_at          bigint not null,
    attempt          bigint not null,
    received_at      bigint not null,
    outcome          text not null,
    class            text,
    phase            text,
    blame            text,
    detail           text,
    dns_us           bigint,
    connect_us       bigint,
    tls_us           bigint,
    send_us          bigint,
    wait_us          bigint,
    receive_us       bigint,
    total_us         bigint not null,
    status           bigint,
    failing_streak   bigint not null,
    failing_since_at bigint,
    good_streak      bigint not null,
    certificate_not_after_at bigint,
    recent           blob not null, -- last ten ticks, 16 bytes each (model::recent)
    primary key (website_id, region_id)
) without rowid;

-- What holds now.
create table website_state (
    website_id     blob primary key references website (website_id) on delete cascade,
    verdict        text not null,
    since_at       bigint not null,
    reason         text not null,
    fresh_until_at bigint -- when it turns to unknown without a new tick
) without rowid;
create index website_state_by_freshness on website_state (fresh_until_at) where fresh_until_at is not null;

-- Every change of verdict: source of the uptime figures.
create table transition (
    website_id   blob not null references website (website_id) on delete cascade,
    decided_at   bigint not null,
    number       bigint not null, -- orders transitions decided in one millisecond
    at           bigint not null, -- since when the new verdict holds
    from_verdict text not null,
    to_verdict   text not null,
    reason       text not null,
    primary key (website_id, decided_at, number)
);

-- Messages that were tried and given up.
create table dead_letter (
    dead_letter_id blob primary key,
    stream         text not null,
    reason         text not null,
    raw            blob not null,
    created_at     bigint not null
);
