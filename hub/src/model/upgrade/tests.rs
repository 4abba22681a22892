use std::collections::BTreeMap;

use super::*;

fn one(sql: &str) -> Step {
    let mut all = steps(sql, Dialect::Postgres);
    assert_eq!(all.len(), 1, "{sql}: {all:?}");
    all.remove(0)
}

fn touches(sql: &str) -> Vec<(String, Lock, Work)> {
    let step = one(sql);
    assert!(!step.is_unknown, "{sql}");
    step.touches.into_iter().map(|touch| (touch.table, touch.lock, touch.work)).collect()
}

#[test]
fn what_a_statement_locks_and_goes_through_is_read_from_it() {
    let of = |table: &str, lock, work| vec![(table.to_owned(), lock, work)];
    for (sql, lock, work) in [
        ("alter table t add column c text", Lock::Everything, Work::Moment),
        ("alter table only public.t add c bigint not null default -1", Lock::Everything, Work::Moment),
        ("ALTER TABLE \"t\" ADD COLUMN IF NOT EXISTS c text NOT NULL DEFAULT 'a;b--'", Lock::Everything, Work::Moment),
        ("alter table t add column c timestamptz default now()", Lock::Everything, Work::Moment),
        ("alter table t add column c uuid default gen_random_uuid()", Lock::Everything, Work::Rewrites),
        (
            "alter table t add column c bigint default (extract(epoch from clock_timestamp()))",
            Lock::Everything,
            Work::Rewrites,
        ),
        ("alter table t add column c text generated always as (lower(d)) stored", Lock::Everything, Work::Rewrites),
        ("alter table t add column c text generated always as (lower(d)) virtual", Lock::Everything, Work::Moment),
        ("alter table t add column c bigint generated always as identity", Lock::Everything, Work::Rewrites),
        ("alter table t add column c bigint check (c between 1 and 9)", Lock::Everything, Work::Reads),
        ("alter table t add column d text unique", Lock::Everything, Work::Index),
        ("alter table t add constraint x check (c > 1) not valid", Lock::Everything, Work::Moment),
        ("alter table t add constraint x unique (c, d)", Lock::Everything, Work::Index),
        ("alter table t validate constraint x", Lock::Schema, Work::Reads),
        ("alter table t alter column c set not null", Lock::Everything, Work::Reads),
        ("alter table t alter c type bigint", Lock::Everything, Work::Rewrites),
        ("alter table t alter column c set storage external", Lock::Everything, Work::Moment),
        ("alter table t enable row level security", Lock::Everything, Work::Moment),
        ("create index on t (c)", Lock::Share, Work::Index),
        ("create unique index if not exists i on t (c) where c is not null", Lock::Share, Work::Index),
        ("create index concurrently i on t (c)", Lock::Schema, Work::Index),
        ("create policy p on t using (true)", Lock::Everything, Work::Moment),
        ("create trigger g after insert on t for each statement execute function f()", Lock::ShareRow, Work::Moment),
        ("create table n (t_id uuid references t (t_id), n_id uuid references n (n_id))", Lock::ShareRow, Work::Moment),
        ("create table n partition of t default", Lock::Everything, Work::Moment),
        ("drop table if exists t", Lock::Everything, Work::Moment),
        ("update t set c = 1 where d is null", Lock::Rows, Work::Rows),
        ("delete from t", Lock::Rows, Work::Rows),
        ("insert into t (c) values ('update x; drop y')", Lock::Rows, Work::Moment),
    ] {
        assert_eq!(touches(sql), of("t", lock, work), "{sql}");
    }
    let function = "create function f() returns trigger language plpgsql as $x$ begin; update t; end $x$";
    assert!(touches(function).is_empty());
    assert_eq!(
        touches("alter table t add column c uuid references u (u_id) on delete set null"),
        [("t".to_owned(), Lock::Everything, Work::Moment), ("u".to_owned(), Lock::ShareRow, Work::Moment)]
    );
    assert_eq!(
        touches("insert into n select * from t join u using (t_id)"),
        [("n", Lock::Rows, Work::Moment), ("t", Lock::Schema, Work::Rows), ("u", Lock::Schema, Work::Rows)]
            .map(|(table, lock, work)| (table.to_owned(), lock, work))
    );
}

#[test]
fn what_cannot_be_told_is_said_to_be_unknown() {
    for sql in [
        "do $$ begin delete from t; end $$",
        "drop index i",
        "with x as (select 1) insert into t select * from x",
        "vacuum t",
        "alter table t attach partition p default",
        "select f() from t",
        "create table n as select * from t",
        "'",
        "); $$",
    ] {
        assert!(steps(sql, Dialect::Postgres).iter().any(|step| step.is_unknown), "{sql}");
    }
    assert!(steps("-- nothing; at all\n/* nor; here */", Dialect::Postgres).is_empty());
}

#[test]
fn a_trigger_of_sqlite_is_one_statement() {
    let sql = "create trigger g after update on t begin update u set c = case when 1 then 2 end; delete from v; end; select 1";
    assert_eq!(steps(sql, Dialect::Sqlite).len(), 2);
}

#[test]
fn no_text_brings_the_reader_down() {
    const PIECES: [&str; 18] = [
        "alter ",
        "table ",
        "create ",
        "index ",
        "on ",
        "add ",
        "default ",
        "references ",
        "t",
        ",",
        "(",
        ")",
        ";",
        "'",
        "\"",
        "$",
        "--",
        "\u{e4}",
    ];
    for n in 0..PIECES.len().pow(3) {
        let piece = |place| PIECES[n / PIECES.len().pow(place) % PIECES.len()];
        let text: String = [2, 1, 0].map(piece).concat();
        let _ = steps(&text, Dialect::Postgres);
        let _ = steps(&format!("alter table t add {text}"), Dialect::Sqlite);
    }
}

fn migration(version: i64, sql: &str) -> Migration<'_> {
    Migration { version, description: "a change", sql }
}

#[test]
fn what_is_made_by_the_update_itself_costs_nothing_and_what_is_large_is_told() {
    let size = TableSize { bytes: 3_000_000_000, heap_bytes: 2_000_000_000, rows: Some(10_000_000) };
    let sizes: BTreeMap<String, TableSize> = [("tick".to_owned(), size)].into();
    let migrations = [
        migration(1, "create table n (c bigint); create index on n (c); insert into n values (1)"),
        migration(2, "update n set c = 2; alter table tick add column c text; alter table tick add column d text"),
        migration(3, "alter table tick add column e text; create index on tick (e)"),
        migration(4, "create index on away (c)"),
    ];
    let found = plan(&migrations, Dialect::Postgres, &sizes);
    let [one, two, three, four] = &*found.pending else { unreachable!("{found:?}") };
    assert_eq!((one.tables.len(), one.takes_ms, one.extra_bytes, one.is_long()), (0, Some(0), Some(0), false));
    assert_eq!(one.makes, ["n"]);
    assert_eq!((two.tables.len(), two.takes_ms, two.extra_bytes, two.is_long()), (1, Some(0), Some(0), false));
    assert_eq!((three.takes_ms, three.extra_bytes), (Some(240_000), Some(4_000_000_000)));
    assert_eq!((three.tables[0].lock, three.tables[0].work, three.is_long()), (Lock::Everything, Work::Index, true));
    assert_eq!((four.takes_ms, four.extra_bytes, four.is_long()), (None, None, true), "nobody knows its size");
    assert_eq!((found.extra_bytes, found.raises_floor), (None, None));
    let contract = plan(&[migration(5, "drop table n; update schema_floor set oldest = 5")], Dialect::Postgres, &sizes);
    assert_eq!(contract.raises_floor, Some(5));
}

#[test]
fn t291_a_program_goes_with_a_database_that_it_knows_or_that_says_so() {
    let applied = |versions: &[i64]| -> Vec<Applied> {
        versions.iter().map(|version| Applied { version: *version, checksum: vec![1], is_done: true }).collect()
    };
    let known: Vec<Known<'_>> = [1, 2, 4].map(|version| Known { version, checksum: &[1] }).to_vec();
    let ask = |versions: &[i64], oldest| fits(&known, &applied(versions), oldest);
    for (versions, oldest) in
        [(&[][..], None), (&[1], None), (&[1, 2, 4], Some(4)), (&[1, 2, 4, 5, 9], Some(4)), (&[1, 2, 4, 9], Some(0))]
    {
        assert_eq!(ask(versions, oldest), Ok(()), "{versions:?}");
    }
    for (versions, oldest, why) in [
        (&[1, 2, 4, 9][..], Some(9), Misfit::TooNew { found: 9, oldest: 9, newest: 4 }),
        (&[1, 2, 4, 9], None, Misfit::Unsaid { found: 9, newest: 4 }),
        (&[1, 2, 3, 4], Some(4), Misfit::Foreign { version: 3 }),
        (&[1, 4], Some(4), Misfit::Gap { version: 2, found: 4 }),
        (&[1, 2, 9], Some(4), Misfit::Gap { version: 4, found: 9 }),
    ] {
        assert_eq!(ask(versions, oldest), Err(why), "{versions:?}");
    }
    let mut changed = applied(&[1, 2, 4]);
    changed[1].checksum = vec![2];
    assert_eq!(fits(&known, &changed, Some(4)), Err(Misfit::Changed { version: 2 }));
    changed[1] = Applied { version: 2, checksum: vec![1], is_done: false };
    assert_eq!(fits(&known, &changed, Some(4)), Err(Misfit::HalfWay { version: 2 }));
    let words = Misfit::TooNew { found: 9, oldest: 8, newest: 4 }.to_string();
    assert!(words.contains("schema 9") && words.contains("knows migration 8") && words.contains("knows 4"), "{words}");
}
