-- What operators are told of: the installation itself. Hubs and workers say how they are; whether that is worth a word is
-- judged from these rows by any hub (model::operator), so that two of them come to the same.

-- How each hub is, written by itself every few seconds; deleted when it stops, and a day after it fell silent.
create table hub (
    name                text primary key, -- of its machine, and its port
    seen_at             bigint not null,
    hears_since_at      bigint, -- since when it reads what workers report, about when they report it; null: it does not
    queue_away_since_at bigint, -- since when it cannot reach the queue
    late                text not null default '', -- parts of it that stand still, by commas
    late_since_at       bigint, -- since when one does
    late_at             bigint, -- when one last did
    free_bytes          bigint, -- of the disk its database is on, where that is its own
    total_bytes         bigint,
    full_at             bigint -- when the database last had no room for it
);

-- What a word about a worker takes besides its last sign of life. Of workers from before nobody knows.
alter table worker add column alive_since_at       bigint not null default 0; -- its signs of life came without a gap since
alter table worker add column network_since_at     bigint not null default 0; -- its network is cut off, or is not, since
alter table worker add column clock_wrong_since_at bigint; -- its clock is wrong by more than a minute since
alter table worker add column stopped_at           bigint; -- it said that it stops
alter table worker add column flooded_at           bigint; -- it last wrote more than is read

-- Told also of the installation itself, where its owner is an operator.
alter table channel add column tells_operator boolean not null default 1;
