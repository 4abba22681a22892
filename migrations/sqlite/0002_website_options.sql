-- How a website is asked and what counts as a good answer. JSON of the wire's types (probe::wire RequestOptions and
-- Expectations), since they are read and sent whole, never searched, and grow with the probe: a column each would be
-- twenty that almost every website leaves at their default. '{}' is the product's defaults. They hold secrets, which the
-- probe has to send.
alter table website add column request text not null default '{}';
alter table website add column expect  text not null default '{}';
