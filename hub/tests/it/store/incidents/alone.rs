//! One website, from its first failing tick to its first good one.

use super::*;

on_both! {
    t240_an_outage_is_one_incident_from_its_first_failing_tick_on
    t250_what_is_edited_paused_or_deleted_ends_its_incidents_as_that
    t254_a_restart_neither_reopens_nor_tells_again
    t269_what_is_over_before_it_could_be_told_is_told_in_order
    t269_whoever_waits_is_told_only_of_what_goes_on
    nobody_can_tell_ends_nothing
    t274_channels_that_are_gone_or_off_are_told_nothing_more
    a_minority_is_told_only_where_it_is_wanted
    a_batch_that_changes_nothing_writes_nothing
}

async fn t240_an_outage_is_one_incident_from_its_first_failing_tick_on(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    f.channel("chat", true, true, 0).await;
    f.channel("off", false, false, 0).await;
    let website = f.website(account).await;
    let start = f.now - 20 * MINUTE;
    for n in 0..5 {
        let o = if n < 2 { Outcome::Up } else { Outcome::Down };
        f.feed(&round(&website, start + n * MINUTE, [("a", o), ("b", o), ("c", Outcome::Up)])).await;
    }
    let line = f.only(account).await;
    assert_eq!((line.incident.kind, line.websites, line.failing), (IncidentKind::Outage, 1, 1));
    assert_eq!(line.incident.began_at, start + 2 * MINUTE);
    assert_eq!(line.incident.cause_key, "host:example.com:connect");
    assert_eq!(line.incident.cause, "The server refused the connection");
    assert_eq!(line.first_url, "https://example.com/");
    assert_eq!(f.told().await, ["opened waiting chat", "opened waiting mail"]);
    let id = line.incident.incident_id;
    let events = f.store.incident_events(account, id, 10).await.expect("events");
    assert_eq!(events.len(), 1);
    assert!(events[0].said.starts_with("https://example.com/ is down. The server refused"), "{}", events[0].said);
    let seen: Vec<_> = events[0].evidence.iter().map(|e| (e.region_id.as_str(), e.outcome)).collect();
    assert_eq!(seen, [("a", Outcome::Down), ("b", Outcome::Down), ("c", Outcome::Up)]);
    assert_eq!(f.store.count_open_incidents(account).await.expect("a count"), 1);
    let open = f.store.open_incident_of(account, website.website_id).await.expect("a read");
    assert_eq!(open.map(|i| i.incident_id), Some(id));

    f.deliver().await;
    f.feed(&rounds(&website, start + 5 * MINUTE, Outcome::Up, 3)).await;
    let line = f.only(account).await;
    assert_eq!(line.incident.closed_as, Some(ClosedAs::Recovered));
    assert_eq!(line.incident.ended_at, Some(start + 5 * MINUTE));
    assert_eq!((line.websites, line.failing), (1, 0));
    assert_eq!(f.kinds(account, id).await, [IncidentEventKind::Opened, IncidentEventKind::Closed]);
    let told = ["opened delivered chat", "resolved waiting chat", "opened delivered mail", "resolved waiting mail"];
    assert_eq!(f.told().await, told);
    assert_eq!(f.store.open_incident_of(account, website.website_id).await.expect("a read"), None);
    // Of somebody else it is nothing.
    let other = f.account("bob").await.account_id;
    assert_eq!(f.incidents(other).await, []);
    assert_eq!(f.store.incident(other, id).await.expect("a read"), None);
    assert_eq!(f.store.incident_events(other, id, 10).await.expect("a read"), []);
    assert_eq!(f.store.incident_websites(other, id, 10).await.expect("a read"), []);
}

async fn t250_what_is_edited_paused_or_deleted_ends_its_incidents_as_that(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let mut ended = Vec::new();
    for (host, closed_as) in [("one", ClosedAs::Changed), ("two", ClosedAs::Paused), ("three", ClosedAs::Deleted)] {
        let website = f.website_at(account, &format!("https://{host}.example/")).await;
        f.feed(&rounds(&website, f.now - 10 * MINUTE, Outcome::Up, 1)).await;
        f.feed(&rounds(&website, f.now - 9 * MINUTE, Outcome::Down, 3)).await;
        let (id, at) = (website.website_id, f.now - 5 * MINUTE);
        match closed_as {
            ClosedAs::Changed => {
                let settings = WebsiteSettings { interval_ms: 2 * MINUTE, ..website.settings.clone() };
                super::super::saved(f.store.edit_website(account, id, 1, &settings, at).await);
            }
            ClosedAs::Paused => drop(f.store.set_paused(account, id, true, at).await.expect("a pause")),
            _ => assert!(f.store.delete_website(account, id).await.expect("a delete")),
        }
        let line = f.incidents(account).await.remove(0);
        assert_eq!(line.incident.closed_as, Some(closed_as));
        assert_eq!((line.failing, line.incident.began_at), (0, f.now - 9 * MINUTE));
        assert_eq!(line.first_url, format!("https://{host}.example/"), "it outlives the website");
        ended.push(line.incident.incident_id);
    }
    let told = f.told().await;
    assert_eq!(told.iter().filter(|row| row.starts_with("resolved waiting")).count(), 3, "{told:?}");
    // Resuming begins anew.
    assert_eq!(f.store.count_open_incidents(account).await.expect("a count"), 0);
    assert_eq!(ended.len(), f.incidents(account).await.len());
}

async fn t254_a_restart_neither_reopens_nor_tells_again(mut f: Fixture) {
    use hub::store::Store;
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website(account).await;
    f.feed(&rounds(&website, f.now - 20 * MINUTE, Outcome::Up, 1)).await;
    f.feed(&rounds(&website, f.now - 19 * MINUTE, Outcome::Down, 3)).await;
    let before = f.only(account).await;
    f.deliver().await;
    let (url, again) = (f.url.clone(), f.directory.path().to_owned());
    f.store.close().await;
    // The file is this process's until its store is gone.
    let placeholder = tempfile::tempdir().expect("a directory");
    f.store = Store::open_sqlite(placeholder.path()).await.expect("a store");
    f.store = match url {
        Some(url) => Store::open_postgres(&url).await.expect("Postgres"),
        None => Store::open_sqlite(&again).await.expect("SQLite"),
    };
    f.feed(&rounds(&website, f.now - 16 * MINUTE, Outcome::Down, 3)).await;
    f.feed(&rounds(&website, f.now - 19 * MINUTE, Outcome::Down, 3)).await; // given again
    f.store.review_incidents(f.now).await.expect("a review");
    assert_eq!(f.only(account).await, before);
    assert_eq!(f.told().await, ["opened delivered mail"]);
    f.feed(&rounds(&website, f.now - 13 * MINUTE, Outcome::Up, 3)).await;
    assert_eq!(f.told().await, ["opened delivered mail", "resolved waiting mail"]);
    assert_eq!(f.only(account).await.incident.closed_as, Some(ClosedAs::Recovered));
}

async fn t269_what_is_over_before_it_could_be_told_is_told_in_order(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website(account).await;
    // A single failing look is no outage: nothing is told.
    let start = f.now - 20 * MINUTE;
    f.feed(&rounds(&website, start, Outcome::Up, 2)).await;
    f.feed(&[region_tick(&website, "a", start + 2 * MINUTE, Outcome::Down)]).await;
    f.feed(&rounds(&website, start + 3 * MINUTE, Outcome::Up, 2)).await;
    assert_eq!((f.incidents(account).await.len(), f.told().await.len()), (0, 0));
    // A backlog in which it went down and came back.
    let backlog =
        [rounds(&website, start + 5 * MINUTE, Outcome::Down, 3), rounds(&website, start + 8 * MINUTE, Outcome::Up, 3)];
    f.store.ingest(&backlog.concat(), f.now).await.expect("ingest");
    assert_eq!(f.told().await, ["opened waiting mail", "resolved waiting mail"]);
    let created = "select count(*) from alert a join alert b using (incident_id, channel_id) \
        where a.event = 'opened' and b.event = 'resolved' and a.created_at < b.created_at";
    assert_eq!(f.count(created).await, 1, "they leave in this order");
}

async fn t269_whoever_waits_is_told_only_of_what_goes_on(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("boss", true, false, 10 * MINUTE).await;
    f.channel("mail", true, false, 0).await;
    let website = f.website(account).await;
    let start = f.now - 30 * MINUTE;
    f.feed(&rounds(&website, start, Outcome::Up, 1)).await;
    f.feed(&rounds(&website, start + MINUTE, Outcome::Down, 3)).await;
    assert_eq!(f.count("select due_at - created_at from alert where channel_name = 'boss'").await, 10 * MINUTE);
    f.feed(&rounds(&website, start + 4 * MINUTE, Outcome::Up, 3)).await;
    assert_eq!(f.told().await, ["opened cancelled boss", "opened waiting mail", "resolved waiting mail"]);
    // One that was sent, or is being sent, hears the end.
    for tried in ["tries = 1", "claimed_until = 1"] {
        f.execute("delete from alert").await;
        let again = f.website_at(account, "https://again.example/").await;
        f.feed(&rounds(&again, start, Outcome::Up, 1)).await;
        f.feed(&rounds(&again, start + MINUTE, Outcome::Down, 3)).await;
        f.execute(format!("update alert set {tried} where channel_name = 'boss'").leak()).await;
        f.feed(&rounds(&again, start + 4 * MINUTE, Outcome::Up, 3)).await;
        assert_eq!(f.told().await[..2], ["opened waiting boss", "resolved waiting boss"], "{tried}");
    }
}

async fn nobody_can_tell_ends_nothing(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website(account).await;
    let start = f.now - 50 * MINUTE;
    f.feed(&rounds(&website, start, Outcome::Up, 1)).await;
    f.feed(&rounds(&website, start + MINUTE, Outcome::Down, 3)).await;
    f.expire(start + 30 * MINUTE).await;
    assert_eq!(f.verdict(&website).await, Outcome::Unknown);
    let line = f.only(account).await;
    assert_eq!((line.incident.closed_at, line.failing), (None, 1));
    f.feed(&rounds(&website, start + 31 * MINUTE, Outcome::Down, 3)).await;
    f.feed(&rounds(&website, start + 34 * MINUTE, Outcome::Up, 3)).await;
    let line = f.only(account).await;
    assert_eq!((line.incident.began_at, line.incident.ended_at), (start + MINUTE, Some(start + 34 * MINUTE)));
    use IncidentEventKind::{Changed, Closed, Opened};
    assert_eq!(f.kinds(account, line.incident.incident_id).await, [Opened, Changed, Changed, Closed]);
    assert_eq!(f.told().await, ["opened waiting mail", "resolved waiting mail"]);
}

async fn t274_channels_that_are_gone_or_off_are_told_nothing_more(f: Fixture) {
    let account = f.account("ann").await.account_id;
    for name in ["gone", "off", "stays"] {
        f.channel(name, true, false, 0).await;
    }
    let website = f.website(account).await;
    f.feed(&rounds(&website, f.now - 20 * MINUTE, Outcome::Up, 1)).await;
    f.feed(&rounds(&website, f.now - 19 * MINUTE, Outcome::Down, 3)).await;
    f.deliver().await;
    f.execute("delete from channel where name = 'gone'; update channel set is_on = not is_on where name = 'off'").await;
    f.channel("new", true, false, 0).await;
    f.feed(&rounds(&website, f.now - 10 * MINUTE, Outcome::Up, 3)).await;
    let told = ["opened delivered gone", "opened delivered off", "opened delivered stays", "resolved waiting stays"];
    assert_eq!(f.told().await, told);
}

async fn a_minority_is_told_only_where_it_is_wanted(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("loud", true, true, 0).await;
    f.channel("quiet", true, false, 0).await;
    let (website, other) = (f.website(account).await, f.website_at(account, "https://other.example/").await);
    let start = f.now - 30 * MINUTE;
    for n in 0..8 {
        for website in [&website, &other] {
            let o = if n < 2 { Outcome::Up } else { Outcome::Down };
            f.feed(&round(website, start + n * MINUTE, [("INDIA", o), ("b", Outcome::Up), ("c", Outcome::Up)])).await;
        }
    }
    let line = f.only(account).await;
    assert_eq!((line.incident.kind, line.websites), (IncidentKind::Regional, 2), "one region is one cause");
    assert_eq!(line.incident.cause_key, "region:INDIA");
    assert_eq!(line.incident.cause, "Only INDIA sees it fail. The server refused the connection");
    assert_eq!(f.told().await, ["opened waiting loud"]);
    for n in 8..12 {
        for website in [&website, &other] {
            let all = [("INDIA", Outcome::Up), ("b", Outcome::Up), ("c", Outcome::Up)];
            f.feed(&round(website, start + n * MINUTE, all)).await;
        }
    }
    assert_eq!(f.only(account).await.incident.closed_as, Some(ClosedAs::Recovered));
    assert_eq!(f.told().await, ["opened waiting loud", "resolved waiting loud"]);
}

async fn a_batch_that_changes_nothing_writes_nothing(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website(account).await;
    f.feed(&rounds(&website, f.now - 20 * MINUTE, Outcome::Up, 5)).await;
    assert_eq!(f.store.review_incidents(f.now).await.expect("a review"), hub::store::Reviewed::default());
    assert_eq!(f.store.mend_incidents(f.now).await.expect("a look"), hub::store::Reviewed::default());
    assert_eq!((f.incidents(account).await.len(), f.told().await.len()), (0, 0));
}
