-- Incidents (the span between two verdicts, as people speak of it), channels (where a person is told) and alerts (one
-- message to one channel about one event; the outbox: a row before it is a message).

-- Kept with the verdict, since the pure rules need them and read nothing else.
alter table website_state add column recent_changes text not null default ''; -- instants of the last changes between up and down, newest first, by commas
alter table website_state add column flapping_since_at bigint;
alter table website_state add column failing_regions text not null default ''; -- slugs: they fail for long, and are too few to make it down

create table incident (
    incident_id     blob primary key,
    account_id      blob not null references account (account_id) on delete cascade,
    kind            text not null, -- outage, regional, flapping
    cause_key       text not null, -- websites that fail with the same key are one incident: host:<host>:connect, website:<id>
    cause           text not null, -- in plain words
    began_at        bigint not null, -- slot of the first failing tick
    opened_at       bigint not null, -- when it was decided
    ended_at        bigint, -- slot of the tick that ended it
    closed_at       bigint, -- when that was decided
    closed_as       text,   -- recovered, worse, changed, paused, deleted
    acknowledged_at bigint,
    acknowledged_by text,
    muted_by        text,   -- maintenance, parent, flapping: nobody is told, for as long as this holds
    websites        bigint not null, -- that were ever part of it
    told_websites   bigint not null default 0, -- as many were, when people were last told how many there are
    told_at         bigint  -- when that was; while it is muted: since when nothing mutes it any more
);
-- Two hubs that see two websites of one host go down make one incident.
create unique index incident_open on incident (account_id, kind, cause_key) where closed_at is null;
create index incident_newest on incident (account_id, opened_at, incident_id);
create index incident_newest_open on incident (account_id, opened_at, incident_id) where closed_at is null;
-- What only time brings is looked for every few seconds, over all accounts.
create index incident_muted on incident (incident_id) where closed_at is null and muted_by is not null;
create index incident_grown on incident (incident_id)
    where closed_at is null and muted_by is null and websites > told_websites;

-- Which websites it is about. It outlives them: name and address are as they were.
create table incident_website (
    incident_id blob not null references incident (incident_id) on delete cascade,
    website_id  blob not null,
    url         text not null,
    began_at    bigint not null,
    ended_at    bigint, -- null: it is still
    primary key (incident_id, website_id)
);
create index incident_website_by_website on incident_website (website_id, began_at);
-- Which failed first, of an incident of very many.
create index incident_website_first on incident_website (incident_id, began_at, website_id);

-- What happened, in order: the timeline. Evidence is JSON of model::Evidence, one per region.
create table incident_event (
    event_id    blob primary key,
    incident_id blob not null references incident (incident_id) on delete cascade,
    at          bigint not null,
    number      bigint not null, -- orders events of one millisecond
    kind        text not null,
    website_id  blob,
    said        text not null, -- in plain words
    said_by     text,          -- a person, where one did it
    evidence    text
);
create index incident_event_by_incident on incident_event (incident_id, at, number);

create table channel (
    channel_id        blob primary key,
    account_id        blob not null references account (account_id) on delete cascade,
    name              text not null,
    kind              text not null, -- email, webhook, slack, ...
    settings          text not null, -- JSON of model::ChannelSettings; holds secrets, which the hub has to send
    is_on             boolean not null default 1,
    tells_regional    boolean not null default 0, -- also of incidents that only a minority of regions sees
    waits_ms          bigint not null default 0, -- told only of what nobody acknowledged for so long: escalation
    reminds_ms        bigint, -- told again so often while nobody acknowledged; null: never
    cap_per_hour      bigint not null default 60,
    second_channel_id blob references channel (channel_id) on delete set null, -- told when this one gives up
    created_at        bigint not null,
    revision          bigint not null default 1,
    failing_since_at  bigint, -- since when no try succeeded
    broken_at         bigint, -- when it was given up, and switched off
    broken_reason     text
);
create index channel_by_account on channel (account_id, created_at, channel_id);

create table alert (
    alert_id      blob primary key, -- made of the four that are unique, so that it is the same whoever writes it
    account_id    blob not null references account (account_id) on delete cascade,
    channel_id    blob not null, -- no key: a deleted channel's alerts end cancelled, and stay to be seen
    channel_name  text not null,
    incident_id   blob references incident (incident_id) on delete cascade, -- null: a test
    event         text not null, -- opened, updated, acknowledged, resolved, reminder, test
    number        bigint not null, -- of the updates and reminders of one incident
    state         text not null, -- waiting, delivered, dead, cancelled, folded
    created_at    bigint not null,
    due_at        bigint not null,
    tries         bigint not null default 0,
    claimed_until bigint,
    payload       text,   -- as first sent; every try sends these bytes. Null once it is delivered
    folded_into   blob,   -- told in this alert, since the channel had reached its cap
    ended_at      bigint,
    said          text not null default '', -- the last answer, or why it ended
    constraint alert_once unique (incident_id, channel_id, event, number)
);
create index alert_due on alert (due_at, alert_id) where state = 'waiting';
-- What waits for a channel, without its whole history.
create index alert_waiting on alert (channel_id, incident_id) where state = 'waiting';
-- What a summary tells of.
create index alert_folded on alert (folded_into) where folded_into is not null;
create index alert_dead on alert (account_id, created_at) where state = 'dead';
create index alert_by_channel on alert (channel_id, created_at, alert_id);
create index alert_by_incident on alert (incident_id, created_at, alert_id);

-- Each try, for whoever wonders where a message is.
create table alert_try (
    alert_id blob not null references alert (alert_id) on delete cascade,
    number   bigint not null,
    at       bigint not null,
    took_ms  bigint not null,
    result   text not null, -- delivered, again, given_up
    said     text not null, -- the answer, at most 512 printable characters
    primary key (alert_id, number)
);
