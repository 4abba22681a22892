-- How much a worker does: checks under way at its last sign of life, and its count of checks at two of them a minute or more apart.
alter table worker
    add column in_flight      bigint not null default 0,
    add column counted_at     bigint not null default 0,
    add column counted_checks bigint not null default 0,
    add column before_at      bigint not null default 0, -- 0: it was counted once only
    add column before_checks  bigint not null default 0;
