-- Since when ticks speak for what is watched now: edited, paused or resumed. Ticks of older slots, which may still be on
-- their way, are kept and shown but have no vote: they are about another URL, or from before a pause.
alter table website add column watched_since_at bigint not null default 0;
