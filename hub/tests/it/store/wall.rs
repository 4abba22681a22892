//! The second wall: what a statement forgets to ask, the database refuses.

use hub::model::{MadeBy, WebsiteSettings};
use hub::store::{Store, wall};

use super::Fixture;
use crate::services::{database, postgres_url};

/// A read that is over all accounts, as one that forgot whose a website is.
fn forgetful(store: &Store, id: hub::model::WebsiteId) -> bool {
    tokio::runtime::Handle::current().block_on(store.scheduled_website(id)).expect("a read").is_some()
}

/// Work for an account, on a thread of its own as a request has one.
async fn for_account<T: Send + 'static>(
    store: &Store,
    account: hub::model::AccountId,
    work: impl FnOnce(&Store) -> T + Send + 'static,
) -> T {
    let store = store.clone();
    tokio::task::spawn_blocking(move || wall::behind(account, || work(&store))).await.expect("a thread")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t148_a_statement_that_forgets_whose_it_is_finds_nothing() {
    let f = Fixture::postgres().await;
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let (anns, bobs) = (f.website(ann).await.website_id, f.website(bob).await.website_id);
    let both = move |store: &Store| (forgetful(store, anns), forgetful(store, bobs));
    assert_eq!(for_account(&f.store, ann, both).await, (true, true), "there is no wall yet");
    assert!(f.store.raise_wall().await.expect("an answer"), "this user may make roles");
    // Connections are taken by one after the other, and by many at once.
    for _ in 0..20 {
        let (one, two) = tokio::join!(for_account(&f.store, ann, both), for_account(&f.store, bob, both));
        assert_eq!((one, two), ((true, false), (false, true)));
    }
    assert!(f.store.scheduled_website(anns).await.expect("a read").is_some(), "the schedule goes over all");
    // Nor is anything written for another, or taken over.
    let settings = WebsiteSettings::new("https://example.com/".into());
    let now = f.now;
    let added = for_account(&f.store, ann, move |store| {
        let runtime = tokio::runtime::Handle::current();
        (
            runtime.block_on(store.add_website(bob, &settings, now)).is_err(),
            runtime.block_on(store.add_website(ann, &settings, now)).is_ok(),
            runtime.block_on(store.delete_website(bob, bobs)).expect("an answer"),
            runtime.block_on(store.delete_website(ann, anns)).expect("an answer"),
        )
    });
    assert_eq!(added.await, (true, true, false, true));
    assert_eq!(f.count("select count(*) from website_state").await, 2);
    // A hub of the version before, and psql, see all.
    assert_eq!(f.count("select count(*) from website").await, 2);
}

/// As most are run: by a user who owns his database and may make no roles. Until somebody has let him, it is as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_role_there_is_no_wall_and_all_works() {
    let name = format!("owner_{}", uuid::Uuid::new_v4().simple());
    let url = database().await;
    let admin = sqlx::PgPool::connect(&url).await.expect("Postgres");
    let of = url.rsplit_once('/').expect("a database").1.to_owned();
    for sql in [
        format!("create role {name} login"),
        format!("alter database {of} owner to {name}"),
        format!("grant all on schema public to {name}"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&admin).await.expect("a user");
    }
    let url = url.replace("//test@", &format!("//{name}@"));
    assert!(url.contains(&name), "the tests' user is another than in {}", postgres_url());
    let store = Store::open_postgres(&url).await.expect("a store");
    store.migrate(false).await.expect("migrations");
    assert!(!store.raise_wall().await.expect("an answer"));
    let ann = store.create_account("ann", "hash", MadeBy::Owner, 1).await.expect("an account").account_id;
    let settings = WebsiteSettings::new("https://example.com/".into());
    let id = store.add_website(ann, &settings, 1).await.expect("a website").website_id;
    assert!(for_account(&store, ann, move |store| forgetful(store, id)).await);

    // What the operations guide says.
    for sql in [
        "do $$ begin create role betteruptime_web nologin; exception when duplicate_object then null; end $$"
            .to_owned(),
        format!("grant betteruptime_web to {name}"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&admin).await.expect("the role");
    }
    store.migrate(false).await.expect("nothing to do");
    assert!(store.raise_wall().await.expect("an answer"));
    let bob = store.create_account("bob", "hash", MadeBy::Owner, 1).await.expect("an account").account_id;
    assert!(!for_account(&store, bob, move |store| forgetful(store, id)).await);
    assert!(for_account(&store, ann, move |store| forgetful(store, id)).await);
    assert!(store.scheduled_website(id).await.expect("a read").is_some());
}

/// A table that is added tomorrow is behind the wall, or is named here with the reason.
#[tokio::test]
async fn t148_every_table_of_accounts_is_behind_the_wall_or_says_why_not() {
    const OPEN: [(&str, &str); 8] = [
        ("account", "whoever signs in is looked up before it is known who he is"),
        ("api_key", "the same of a program"),
        ("audit", "what concerns the installation is no account's; only owners and operators read it"),
        ("factor", "a person's own, asked for before he is in"),
        ("invitation", "followed by whoever is not in yet"),
        ("member", "goes over the teams of a person"),
        ("recovery_code", "a person's own, asked for before he is in"),
        ("session", "says who somebody is"),
    ];
    let f = Fixture::postgres().await;
    let pool = sqlx::PgPool::connect(f.url.as_deref().expect("its address")).await.expect("Postgres");
    let open: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_attribute a on a.attrelid = c.oid \
         where c.relnamespace = current_schema()::text::regnamespace and c.relkind in ('r', 'p') \
         and not c.relispartition and a.attname = 'account_id' and not a.attisdropped and not c.relrowsecurity \
         order by c.relname::text collate \"C\"",
    )
    .fetch_all(&pool)
    .await
    .expect("tables");
    assert_eq!(open, OPEN.map(|(table, _)| table), "give it a policy, or say here why it has none");
}
