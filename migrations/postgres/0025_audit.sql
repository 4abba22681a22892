-- Who changed what. Names are as they were then: a line outlives the person, the key and the thing it is about.

create table audit (
    audit_id   uuid primary key,
    account_id uuid references account (account_id) on delete cascade, -- whose things it is about; null: the installation's
    at         bigint not null,
    person_id  uuid,          -- null: nobody who is known, such as a command
    person     text not null, -- a name; in words where it is nobody's
    api_key_id uuid,          -- null: by no key
    key_name   text not null default '',
    address    text not null default '',
    route      text not null, -- "POST /websites/:id/edit", or the command
    action     text not null, -- a word: added, changed, deleted
    kind       text not null, -- of what: website, channel
    object_id  text not null default '',
    object     text not null default '', -- its name then
    changes    text not null default '[]', -- JSON: [{field, old, new}]
    times      bigint not null default 1   -- of what is only counted
);
create index audit_by_account on audit (account_id, at desc, audit_id desc) where account_id is not null; -- lists
create index audit_of_installation on audit (at desc, audit_id desc) where account_id is null; -- its list
create index audit_by_kind on audit (account_id, kind, at desc, audit_id desc) where account_id is not null; -- lists of one kind
create index audit_by_person on audit (account_id, person, at desc, audit_id desc) where account_id is not null; -- lists of one person
create index audit_by_object on audit (account_id, object_id, at desc, audit_id desc) where account_id is not null and object_id <> ''; -- of one thing
create index audit_by_age on audit (at); -- what is old, over all accounts
