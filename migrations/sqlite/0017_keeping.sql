-- For how long the history of a website is kept, how much of the time it is to be up, and whether strangers may see its badges.

-- None of it concerns the schedule: an edit of them is no new revision of the website, and hubs need not read it again.
alter table website add column retention_days bigint check (retention_days between 1 and 3650); -- null: as long as the installation keeps it
alter table website add column uptime_goal_ppm bigint check (uptime_goal_ppm between 500000 and 999999); -- parts per million; null: none
alter table website add column is_badge_public boolean not null default 0;
-- Those of which history is to be forgotten sooner, a page of them at a time.
create index website_by_own_retention on website (website_id) where retention_days is not null;
