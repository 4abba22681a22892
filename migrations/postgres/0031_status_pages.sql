-- Status pages: what people outside are shown of an account. Nothing is on one that its owner did not put there, by a name of his
-- choice.
create table status_page (
    status_page_id uuid primary key,
    account_id     uuid not null references account (account_id) on delete cascade,
    name           text not null,
    slug           text not null constraint status_page_slug unique, -- /s/<slug>
    domain         text constraint status_page_domain unique,        -- a host of its own, in lower case
    access         text not null, -- public, password, link
    password_hash  text,          -- with access password; null: nobody gets in
    link_key       bytea constraint status_page_link unique, -- SHA-256 of what is in the link; null: nobody gets in by one
    about          text not null default '',
    home_url       text not null default '',
    accent         text not null default '', -- #rrggbb
    logo           bytea,
    logo_type      text,
    logo_tag       text, -- of its content
    shows_uptime   boolean not null default true,
    tells_outages  boolean not null default true, -- what verdicts say of components, by itself
    channel_id     uuid references channel (channel_id) on delete set null, -- a mail channel: whose server sends to subscribers
    created_at     bigint not null,
    revision       bigint not null default 1,
    managed_by     text, -- 0023
    managed_key    text
);
create index status_page_by_account on status_page (account_id, created_at, status_page_id); -- lists
create index status_page_by_channel on status_page (channel_id) where channel_id is not null; -- for the deletion of a channel
create unique index status_page_managed on status_page (account_id, managed_key) where managed_key is not null;

-- Which websites, in which order, called what. Neighbours of one section make it up.
create table status_component (
    status_page_id uuid not null references status_page (status_page_id) on delete cascade,
    position       bigint not null,
    section        text not null default '',
    website_id     uuid not null references website (website_id) on delete cascade,
    name           text not null,
    primary key (status_page_id, position),
    constraint status_component_once unique (status_page_id, website_id)
);
create index status_component_by_website on status_component (website_id); -- for its deletion

-- What an owner said in public: an incident, or a notice.
create table status_post (
    status_post_id uuid primary key,
    account_id     uuid not null references account (account_id) on delete cascade,
    status_page_id uuid not null references status_page (status_page_id) on delete cascade,
    incident_id    uuid references incident (incident_id) on delete set null, -- which one it is about; never shown
    kind           text not null, -- incident, notice
    title          text not null,
    impact         text not null, -- none, degraded, partial, major, maintenance: of its components while it goes on
    began_at       bigint not null,
    ended_at       bigint, -- null: it goes on
    revision       bigint not null default 1
);
create index status_post_by_page on status_post (status_page_id, began_at desc, status_post_id desc); -- lists
create index status_post_open on status_post (status_page_id) where ended_at is null; -- what goes on
create index status_post_by_account on status_post (account_id); -- for its deletion
create index status_post_by_incident on status_post (incident_id) where incident_id is not null; -- for its deletion

create table status_post_component (
    status_post_id uuid not null references status_post (status_post_id) on delete cascade,
    website_id     uuid not null references website (website_id) on delete cascade,
    primary key (status_post_id, website_id)
);
create index status_post_component_by_website on status_post_component (website_id); -- for its deletion

-- Its updates. What was said is not changed: it may have been mailed.
create table status_update (
    status_update_id uuid primary key, -- in the order of their writing
    status_post_id   uuid not null references status_post (status_post_id) on delete cascade,
    at               bigint not null,
    state            text not null, -- investigating, identified, monitoring, resolved, notice
    said             text not null
);
create index status_update_by_post on status_update (status_post_id, at, status_update_id);

-- Who is told of them by mail. Without confirmed_at nobody is, yet.
create table status_subscriber (
    status_subscriber_id uuid primary key,
    account_id           uuid not null references account (account_id) on delete cascade,
    status_page_id       uuid not null references status_page (status_page_id) on delete cascade,
    address              text not null,
    address_key          text not null, -- in lower case
    asked_at             bigint not null, -- when he was last asked whether he wants it
    confirmed_at         bigint,
    constraint status_subscriber_once unique (status_page_id, address_key)
);
create index status_subscriber_by_account on status_subscriber (account_id); -- for its deletion
create index status_subscriber_unconfirmed on status_subscriber (asked_at) where confirmed_at is null; -- who never answered

-- A row before it is a mail. It goes when the server has taken it; what was given up stays for a while.
create table status_mail (
    status_mail_id       uuid primary key, -- of the mail, too: every try sends the same
    account_id           uuid not null references account (account_id) on delete cascade,
    status_page_id       uuid not null references status_page (status_page_id) on delete cascade,
    status_subscriber_id uuid not null references status_subscriber (status_subscriber_id) on delete cascade,
    status_update_id     uuid references status_update (status_update_id) on delete cascade, -- null: asks whether he wants it
    state                text not null, -- waiting, dead
    created_at           bigint not null,
    due_at               bigint not null,
    tries                bigint not null default 0,
    first_try_at         bigint,
    claimed_until        bigint,
    payload              text, -- as first sent
    said                 text not null default '' -- the last answer
);
create index status_mail_due on status_mail (due_at, status_mail_id) where state = 'waiting';
create index status_mail_by_page on status_mail (status_page_id, state);
create index status_mail_by_account on status_mail (account_id); -- for its deletion
create index status_mail_by_subscriber on status_mail (status_subscriber_id); -- for his deletion
create index status_mail_by_update on status_mail (status_update_id) where status_update_id is not null; -- for its deletion
create index status_mail_dead on status_mail (created_at) where state = 'dead'; -- what is old

-- 0028
alter table status_page enable row level security;
create policy one_account on status_page
    using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid) or current_user <> 'betteruptime_web');
alter table status_post enable row level security;
create policy one_account on status_post
    using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid) or current_user <> 'betteruptime_web');
alter table status_subscriber enable row level security;
create policy one_account on status_subscriber
    using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid) or current_user <> 'betteruptime_web');
alter table status_mail enable row level security;
create policy one_account on status_mail
    using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid) or current_user <> 'betteruptime_web');
