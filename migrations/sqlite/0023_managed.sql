-- What is kept in a file (`betteruptime-hub apply`): which file, by the name that it gives itself, and the key of the object in
-- it. Null: no file keeps it. A key names one object of its account, whichever file it is in.
alter table website add column managed_by text;
alter table website add column managed_key text;
alter table channel add column managed_by text;
alter table channel add column managed_key text;
alter table maintenance add column managed_by text;
alter table maintenance add column managed_key text;

-- Two that apply at once meet here at the latest. What no file keeps is not in them.
create unique index website_managed on website (account_id, managed_key) where managed_key is not null;
create unique index channel_managed on channel (account_id, managed_key) where managed_key is not null;
create unique index maintenance_managed on maintenance (account_id, managed_key) where managed_key is not null;

-- Websites that a command beside a running hub has changed: the hub reads them again, and forgets that. Postgres has
-- `website_change`.
create table website_beside (
    number     integer primary key,
    website_id blob not null
);
