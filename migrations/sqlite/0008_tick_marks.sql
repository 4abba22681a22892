-- A tick that came long after its slot has no vote; one whose start was later than its receipt has the latter in its place.
alter table tick add column late    boolean not null default 0;
alter table tick add column clamped boolean not null default 0;
