-- Ticks of days that have passed, packed into blocks of one website, region and day (UTC) or part of it: model::sealed, a
-- thirtieth of what they take in tick. What is in a block is in no other place; one transaction packs and deletes. Blocks
-- of one website and region do not overlap. No foreign keys, as of tick.
create table sealed_tick (
    website_id blob not null,
    from_at    bigint not null, -- first slot
    region_id  text not null,
    to_at      bigint not null, -- last slot, of the same day
    ticks      bigint not null,
    sealed_at  bigint not null,
    keys       blob not null, -- slots and attempts: whether a tick is known is asked of these alone
    -- Found not to be what was written: never shown as data, never deleted before its retention, left as it is. Whoever
    -- has put it right from a backup makes both null again.
    damaged_at bigint,
    damage     text,
    packed     blob not null, -- all else
    primary key (website_id, from_at, region_id) -- history of a website by time
);
create index sealed_tick_by_age on sealed_tick (from_at); -- retention
create index sealed_tick_damaged on sealed_tick (damaged_at) where damaged_at is not null;

-- For people: what is in there. The ticks themselves: betteruptime-hub history export <website>.
create view sealed_tick_summary as
    select lower(hex(website_id)) as website_id, region_id, datetime(from_at / 1000, 'unixepoch') as first_slot,
        datetime(to_at / 1000, 'unixepoch') as last_slot, ticks, length(keys) + length(packed) as bytes,
        round((length(keys) + length(packed)) * 1.0 / ticks, 1) as bytes_per_tick,
        datetime(sealed_at / 1000, 'unixepoch') as sealed, damage
    from sealed_tick;
