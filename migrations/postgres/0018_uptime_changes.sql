-- From how many changes of verdict a day was counted, so that a count from fewer (somebody removed some since) never replaces one
-- from more. 0: by a version that did not write it down, or none.
alter table uptime_day add column changes bigint not null default 0;
