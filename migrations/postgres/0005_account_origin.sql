-- Made by whoever came while sign-ups were open, not by the owner: the owner's own network is no business of theirs, also
-- after sign-ups were closed. Of accounts from before this column nobody knows; they count as the owner's.
alter table account add column by_open_sign_up boolean not null default false;
