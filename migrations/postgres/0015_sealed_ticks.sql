-- Ticks of days that have passed, packed into blocks of one website, region and day (UTC) or part of it: model::sealed, a
-- thirtieth of what they take in tick. What is in a block is in no other place; one transaction packs and deletes. Blocks
-- of one website and region do not overlap. No foreign keys, as of tick.
create table sealed_tick (
    website_id uuid not null,
    from_at    bigint not null, -- first slot
    region_id  text not null,
    to_at      bigint not null, -- last slot, of the same day
    ticks      bigint not null,
    sealed_at  bigint not null,
    keys       bytea not null, -- slots and attempts: whether a tick is known is asked of these alone
    packed     bytea not null, -- all else
    -- Found not to be what was written: never shown as data, never deleted before its retention, left as it is. Whoever
    -- has put it right from a backup makes both null again.
    damaged_at bigint,
    damage     text,
    primary key (website_id, from_at, region_id) -- history of a website by time
);
-- It is as small as it gets: no second try, and parts of it can be read alone.
alter table sealed_tick alter column packed set storage external;
create index sealed_tick_by_age on sealed_tick (from_at); -- retention
create index sealed_tick_damaged on sealed_tick (damaged_at) where damaged_at is not null;

-- For people: what is in there. The ticks themselves: betteruptime-hub history export <website>. A slot is what a worker says;
-- one that is no time (years 1 to 9999) must not end the query about all others.
create view sealed_tick_summary as
    select website_id, region_id,
        to_timestamp(least(greatest(from_at, -62135596800000), 253402300799999) / 1000.0) as first_slot,
        to_timestamp(least(greatest(to_at, -62135596800000), 253402300799999) / 1000.0) as last_slot,
        ticks, octet_length(keys) + octet_length(packed) as bytes,
        round((octet_length(keys) + octet_length(packed))::numeric / ticks, 1) as bytes_per_tick,
        to_timestamp(sealed_at / 1000.0) as sealed, damage
    from sealed_tick;
