-- What hubs that share this database tell each other.

-- Every change of a website, written by the transaction that changes it: what was committed is in here, whoever did it
-- (a hub, a cascade, a person with psql). Hubs read what others wrote; the notification is only the doorbell. Rows older
-- than ten minutes are deleted: whoever was away for longer reads all websites.
create table website_change (
    number     bigint generated always as identity primary key,
    website_id uuid not null,
    -- Numbers are drawn before the commit and seen after it, out of order. A reader remembers the oldest transaction that
    -- was still open when it last looked, and misses nothing from it on.
    written_by bigint not null default pg_current_xact_id()::text::bigint,
    at         bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
    looked     boolean not null default false -- a hub took it on to look at the website at once
);
create index website_change_by_writer on website_change (written_by);
create index website_change_by_age on website_change (at);

-- Whoever changes a website by hand need not know of revisions.
create function website_revision() returns trigger language plpgsql as $$
begin
    new.revision := old.revision + 1;
    return new;
end $$;
create trigger website_revision before update on website for each row
    when (old.revision = new.revision
        and (old.url, old.interval_ms, old.timeout_ms, old.regions, old.request, old.expect, old.paused)
            is distinct from (new.url, new.interval_ms, new.timeout_ms, new.regions, new.request, new.expect, new.paused))
    execute function website_revision();

create function note_website_changes() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into website_change (website_id) select website_id from after_it;
    elsif tg_op = 'DELETE' then
        insert into website_change (website_id) select website_id from before_it;
    else
        insert into website_change (website_id)
        select website_id from after_it join before_it using (website_id)
        where after_it.revision <> before_it.revision;
    end if;
    if found then
        perform pg_notify('betteruptime_website', '');
    end if;
    return null;
end $$;
create trigger website_added after insert on website referencing new table as after_it
    for each statement execute function note_website_changes();
create trigger website_changed after update on website referencing old table as before_it new table as after_it
    for each statement execute function note_website_changes();
create trigger website_deleted after delete on website referencing old table as before_it
    for each statement execute function note_website_changes();

-- When a claim was last confirmed, by this database's clock: the one clock all hubs have in common.
alter table schedule_claim add column claimed_at bigint not null
    default (extract(epoch from clock_timestamp()) * 1000)::bigint;

-- Added to the name of every slot, since clocks that were set back would use names twice; all hubs must add the same.
create table schedule_shift (
    only_row   boolean primary key default true check (only_row),
    shift_ms   bigint not null,
    changed_at bigint not null -- by this database's clock
);
insert into schedule_shift (shift_ms, changed_at) values (0, 0);

-- Websites that have been down for long are checked less often; every hub asks which.
create index website_state_down on website_state (since_at) where verdict = 'down';
