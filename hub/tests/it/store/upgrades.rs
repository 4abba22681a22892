//! A program and a schema that are not of the same version.

use hub::model::upgrade::Misfit;
use hub::store::StoreError;

use super::Fixture;

on_both! {
    t291_an_older_hub_uses_a_newer_database_until_that_says_no
    a_database_of_another_line_is_left_alone
}

/// As a newer hub leaves it: a migration more, and a column.
const NEWER: &str = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
    select 9999, 'later', success, checksum, 0 from _sqlx_migrations where version = 1; \
    alter table website add column later text not null default 'x'; create table later (later_id bigint primary key)";

async fn t291_an_older_hub_uses_a_newer_database_until_that_says_no(f: Fixture) {
    let newest = f.store.facts().await.expect("facts").newest_schema;
    f.execute(NEWER).await;
    assert_eq!(f.store.migrate(false).await.expect("it may use it"), [""; 0]);
    assert_eq!(f.store.upgrade().await.expect("an answer").misfit, None);
    let account = f.account("ann").await.account_id;
    f.website(account).await;
    assert_eq!(f.count("select count(*) from website where later = 'x'").await, 1);

    f.execute("update schema_floor set oldest = 9999").await;
    let no = Misfit::TooNew { found: 9999, oldest: 9999, newest };
    let refused = f.store.migrate(false).await.expect_err("it may not");
    assert!(matches!(&refused, StoreError::Misfit(misfit) if *misfit == no), "{refused}");
    let words = refused.to_string();
    assert!(words.contains(&format!("knows {newest}")) && words.contains("migration 9999"), "{words}");
    let facts = f.store.facts().await.expect("facts");
    assert_eq!((facts.schema, facts.misfit), (Some(9999), Some(no.clone())));
    assert_eq!(f.store.upgrade().await.expect("an answer").misfit, Some(no));

    f.execute("drop table schema_floor").await;
    let refused = f.store.migrate(false).await.expect_err("nothing is said");
    assert!(matches!(refused, StoreError::Misfit(Misfit::Unsaid { found: 9999, .. })), "{refused}");
    assert_eq!(f.count("select count(*) from website where later = 'x'").await, 1, "nothing was changed");
}

async fn a_database_of_another_line_is_left_alone(f: Fixture) {
    let all = f.count("select count(*) from _sqlx_migrations").await;
    macro_rules! refuses {
        ($sql:expr, $misfit:pat, $back:expr) => {
            f.execute($sql).await;
            let refused = f.store.migrate(false).await.expect_err($sql);
            assert!(matches!(refused, StoreError::Misfit($misfit)), "{}: {refused}", $sql);
            assert!(f.store.facts().await.expect("facts").misfit.is_some());
            f.execute($back).await;
        };
    }
    refuses!(
        "update _sqlx_migrations set version = -2 where version = 2",
        Misfit::Foreign { version: -2 },
        "update _sqlx_migrations set version = 2 where version = -2"
    );
    refuses!(
        "create table kept as select * from _sqlx_migrations where version = 2; delete from _sqlx_migrations where version = 2",
        Misfit::Gap { version: 2, .. },
        "insert into _sqlx_migrations select * from kept; drop table kept"
    );
    refuses!(
        "create table kept as select * from _sqlx_migrations where version = 2; \
         update _sqlx_migrations set checksum = (select checksum from _sqlx_migrations where version = 1) where version = 2",
        Misfit::Changed { version: 2 },
        "delete from _sqlx_migrations where version = 2; insert into _sqlx_migrations select * from kept; drop table kept"
    );
    refuses!(
        "update _sqlx_migrations set success = false where version = 33",
        Misfit::HalfWay { version: 33 },
        "update _sqlx_migrations set success = true where version = 33"
    );
    assert!(f.store.migrate(false).await.expect("all is as it was").is_empty());
    assert_eq!(f.count("select count(*) from _sqlx_migrations").await, all);
}
