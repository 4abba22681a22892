-- What was answered to requests that came with an Idempotency-Key, so that one that is sent again does nothing twice. Rows
-- are older than a day when they are deleted.
create table idempotent_answer (
    account_id   blob not null references account (account_id) on delete cascade,
    key_hash     blob not null, -- SHA-256 of the key; the key opens the answer, and is nowhere here
    request_hash blob not null, -- SHA-256 of method, path, query and body: the same key with another is refused
    reserved_at  bigint not null,
    answer       blob, -- sealed; null: under way
    primary key (account_id, key_hash)
);
create index idempotent_answer_by_age on idempotent_answer (reserved_at);
