-- Certificates near their end are incidents, told in steps; and what evidence shows of an answer.

-- Kept with the verdict, and written only when it changes.
alter table website_state add column certificate_near text not null default ''; -- JSON of model::certificate::NearEnd; empty: none is near its end
alter table website_state add column certificates text not null default ''; -- JSON of model::issuer::CertificateBook; empty: nothing is known

-- Of an incident of that kind: the time left with which the last step begins that people were told of.
alter table incident add column step_ms bigint;

-- The beginning of an answer that was not as asked; printable, at most 200 characters.
alter table tick add column answer text;
