-- What is worth knowing of an answer that counts (names of wire notes joined by commas), and where a check waited
-- outside its exchange; null where there was no such stage, or nobody measured it.
alter table tick add column notes      text not null default '';
alter table tick add column publish_ms bigint;
alter table tick add column queue_ms   bigint;
alter table tick add column thread_us  bigint;
alter table tick add column report_us  bigint;
