-- What is worth knowing of an answer that counts (names of wire notes joined by commas), and where a check waited
-- outside its exchange; null where there was no such stage, or nobody measured it.
alter table tick
    add column notes      text not null default '',
    add column publish_ms bigint,
    add column queue_ms   bigint,
    add column thread_us  bigint,
    add column report_us  bigint;
