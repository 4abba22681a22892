-- Dead letters are listed, grouped and replayed. The kind is the word before the first colon of the reason; made by the
-- database, since hubs of the version before write letters too. Reports that are not understood have no such word.
alter table dead_letter add column kind text generated always as
    (case when instr(reason, ':') > 1 and substr(reason, 1, instr(reason, ':') - 1) not glob '*[^a-z_]*'
     then substr(reason, 1, instr(reason, ':') - 1) else 'not_understood' end) virtual;
alter table dead_letter add column replay_asked_at integer;             -- somebody wants it replayed; a hub takes it from here
alter table dead_letter add column replay_note text not null default ''; -- why the last replay left it here
create index dead_letter_newest on dead_letter (created_at, dead_letter_id);            -- the list
create index dead_letter_by_kind on dead_letter (kind, created_at, dead_letter_id);     -- the list of one kind, the groups
create index dead_letter_asked on dead_letter (replay_asked_at, dead_letter_id) where replay_asked_at is not null;
