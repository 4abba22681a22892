-- Maintenance (work is going on: checks run, nobody is told), tags, and what a website depends on.

-- Neither concerns the schedule: an edit of them is no new revision of the website, and hubs need not read it again.
alter table website add column tags text not null default ''; -- by commas, in normal form (model::tags), sorted; always read whole
alter table website add column parent_id blob references website (website_id) on delete set null; -- same account; no chain comes back on itself
create index website_by_parent on website (parent_id) where parent_id is not null; -- for the deletion of a parent

-- The rule of a window. When it holds is computed from it and never stored, from since_at on; what was before is in
-- maintenance_past, so that a rule that is edited changes no figures of the past.
create table maintenance (
    maintenance_id blob primary key,
    account_id     blob not null references account (account_id) on delete cascade,
    name           text not null,
    scope          text not null, -- all, tag, website
    tag            text,
    website_id     blob references website (website_id) on delete cascade,
    time_zone      text not null, -- IANA name
    starts         text not null, -- local wall time of the first, YYYY-MM-DDTHH:MM
    repeats        text not null, -- once, daily, weekly:mon,thu, monthly:15, monthly:last
    duration_ms    bigint not null check (duration_ms between 60000 and 604800000), -- of elapsed time
    created_at     bigint not null,
    since_at       bigint not null, -- the rule as it stands holds since
    skip_before_at bigint not null default 0, -- what begins earlier was ended early, or does not take place
    over_at        bigint, -- when the last one ends; null: it goes on repeating
    revision       bigint not null default 1
);
create index maintenance_by_account on maintenance (account_id, created_at, maintenance_id);
create index maintenance_by_website on maintenance (website_id) where website_id is not null;

-- What took place under rules that were edited, ended early or deleted since, 100 days back.
create table maintenance_past (
    maintenance_id blob not null, -- the rule may be gone
    account_id     blob not null references account (account_id) on delete cascade,
    name           text not null,
    scope          text not null,
    tag            text,
    website_id     blob,
    began_at       bigint not null,
    ended_at       bigint not null,
    primary key (maintenance_id, began_at)
);
create index maintenance_past_by_account on maintenance_past (account_id, ended_at);
