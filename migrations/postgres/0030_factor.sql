-- A second factor: a secret that a person's device shares with us (RFC 6238). Until it was confirmed by a code it asks nobody.
create table factor (
    account_id     uuid primary key references account (account_id) on delete cascade,
    secret         bytea not null,
    made_at        bigint not null,
    confirmed_at   bigint,
    used_step      bigint not null default 0, -- of the last code taken: none is taken twice
    tries          bigint not null default 0, -- codes looked at since the first of a window, wrong ones as it turned out
    tries_since_at bigint not null default 0
);

-- Codes for the day the device is lost, once each; SHA-256 of 100 random bits.
create table recovery_code (
    account_id uuid not null references account (account_id) on delete cascade,
    code_hash  bytea not null,
    used_at    bigint,
    primary key (account_id, code_hash)
);
