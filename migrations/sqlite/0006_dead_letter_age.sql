-- Housekeeping looks for the oldest of each stream.
create index dead_letter_by_age on dead_letter (stream, created_at, dead_letter_id);
