-- How a website is asked and what counts as a good answer. JSON of the wire's types (probe::wire RequestOptions and
-- Expectations), since they are read and sent whole, never searched, and grow with the probe: a column each would be
-- twenty that almost every website leaves at their default. '{}' is the product's defaults. They hold secrets, which the
-- probe has to send.
alter table website add column request text not null default '{}';
alter table website add column expect  text not null default '{}';

-- What is worth knowing of an answer that counts (names of wire notes joined by commas), and where a check waited
-- outside its exchange; null where there was no such stage, or nobody measured it.
alter table tick add column notes      text not null default '';
alter table tick add column publish_ms bigint;
alter table tick add column queue_ms   bigint;
alter table tick add column thread_us  bigint;
alter table tick add column report_us  bigint;

-- What a worker's canaries say about its own network, and how many failures it did not count because of them.
alter table worker add column network text   not null default 'unasked';
alter table worker add column excused bigint not null default 0;
