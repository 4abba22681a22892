-- The second wall between accounts: whoever is the role betteruptime_web sees and writes rows of one account alone, the one that
-- the setting betteruptime.account names; without that setting, none. The hub takes this role while it answers a person or a
-- program (store::wall). The owner of the tables is not bound, since schedule, ingest, alerts and history go over all accounts;
-- nor is any other role, so that a hub that runs as one that only has rights to the tables goes on as before. Whether the role
-- exists does not matter here: roles belong to the whole server, and not every user may make one.
--
-- The account is a subquery, so that it is read once a statement. What hangs on these rows (states, ticks, events) has no account
-- of its own, and is reached through them.
alter table website enable row level security;
create policy one_account on website using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid)
    or current_user <> 'betteruptime_web');
alter table incident enable row level security;
create policy one_account on incident using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid)
    or current_user <> 'betteruptime_web');
alter table channel enable row level security;
create policy one_account on channel using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid)
    or current_user <> 'betteruptime_web');
alter table alert enable row level security;
create policy one_account on alert using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid)
    or current_user <> 'betteruptime_web');
alter table maintenance enable row level security;
create policy one_account on maintenance using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid)
    or current_user <> 'betteruptime_web');
alter table maintenance_past enable row level security;
create policy one_account on maintenance_past
    using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid) or current_user <> 'betteruptime_web');
alter table report_schedule enable row level security;
create policy one_account on report_schedule
    using (account_id = (select nullif(current_setting('betteruptime.account', true), '')::uuid) or current_user <> 'betteruptime_web');
