-- Keys that programs show instead of signing in. Of the secret only its SHA-256 is kept, so that a copy of the database opens
-- nothing.

create table api_key (
    api_key_id    uuid primary key, -- stands in the key itself
    account_id    uuid not null references account (account_id) on delete cascade, -- whose things it opens
    made_by       uuid not null references account (account_id) on delete cascade, -- who made it; it may no more than that person
    name          text not null,
    secret_sha256 bytea not null,
    scopes        text not null, -- joined by commas: read, websites:write. What is not understood opens nothing
    created_at    bigint not null,
    expires_at    bigint, -- null: never
    used_at       bigint  -- to the minute; null: never
);
create index api_key_by_account on api_key (account_id, created_at, api_key_id); -- lists
create index api_key_by_maker on api_key (made_by); -- for the deletion of a person
