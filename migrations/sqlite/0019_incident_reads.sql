-- Incidents are never forgotten: the list of one kind, and what a website fails in now, are not looked for among all there were.
create index incident_newest_of_kind on incident (account_id, kind, opened_at, incident_id);
create index incident_website_failing on incident_website (website_id) where ended_at is null;
