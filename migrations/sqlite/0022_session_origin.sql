-- Whom a session was given to, so that its owner knows it again: in words ("Firefox on Linux"), and the address it came from.
-- Both go with the session.
alter table session add column agent text not null default '';
alter table session add column address text not null default '';
