-- Which hubs may use this database: those that know this migration, or a newer one. A hub of an older version that finds
-- migrations here which it does not know goes on where it knows this one, and says why it does not where it does not.
-- Migrations add, so that hubs of the version before work beside; one that takes something away from them raises this.
create table schema_floor (
    only_row boolean primary key default true check (only_row),
    oldest   bigint not null
);
insert into schema_floor (oldest) values (33);
