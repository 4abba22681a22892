//! What people do with incidents.

use hub::model::TakenOn;

use super::*;

on_both! {
    taking_it_on_tells_those_who_know_and_spares_those_who_wait
    a_note_is_kept_as_it_was_written
}

async fn an_outage(f: &Fixture, account: AccountId) -> (Website, IncidentId) {
    let website = f.website(account).await;
    f.feed(&rounds(&website, f.now - 20 * MINUTE, Outcome::Up, 1)).await;
    f.feed(&rounds(&website, f.now - 19 * MINUTE, Outcome::Down, 2)).await;
    let id = f.only(account).await.incident.incident_id;
    (website, id)
}

async fn taking_it_on_tells_those_who_know_and_spares_those_who_wait(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("boss", true, false, 10 * MINUTE).await;
    f.channel("mail", true, false, 0).await;
    let other = f.account("bob").await.account_id;
    let (website, id) = an_outage(&f, account).await;
    f.execute("update alert set state = 'delivered', tries = 1 where channel_name = 'mail'").await;
    let take = async |account, at| f.store.acknowledge_incident(account, id, "ann", at).await.expect("an answer");
    let at = f.now - 17 * MINUTE - 20_000;
    assert_eq!(take(other, at).await, None);
    assert_eq!(take(account, at).await, Some(TakenOn::Now));
    assert_eq!(take(account, at + 1).await, Some(TakenOn::Before));
    let line = f.only(account).await.incident;
    assert_eq!((line.acknowledged_at, line.acknowledged_by.as_deref()), (Some(at), Some("ann")));
    assert_eq!(f.told().await, ["opened cancelled boss", "opened delivered mail", "acknowledged waiting mail"]);
    f.feed(&rounds(&website, f.now - 17 * MINUTE, Outcome::Up, 3)).await;
    assert_eq!(take(account, f.now).await, Some(TakenOn::Over));
    let told = ["opened cancelled boss", "opened delivered mail", "acknowledged waiting mail", "resolved waiting mail"];
    assert_eq!(f.told().await, told);
    use IncidentEventKind::{Acknowledged, Closed, Opened};
    assert_eq!(f.kinds(account, id).await, [Opened, Acknowledged, Closed]);
}

async fn a_note_is_kept_as_it_was_written(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let other = f.account("bob").await.account_id;
    let (_, id) = an_outage(&f, account).await;
    assert!(!f.store.note_incident(other, id, "bob", "mine?", f.now).await.expect("an answer"));
    let text = format!("  Rebooted <b>it</b>; O'Brien's turn.\0 {}", "ä".repeat(3_000));
    assert!(f.store.note_incident(account, id, "ann", &text, f.now).await.expect("an answer"));
    let events = f.store.incident_events(account, id, 100).await.expect("events");
    let note = events.last().expect("a note");
    assert_eq!((note.kind, note.said_by.as_deref()), (IncidentEventKind::Note, Some("ann")));
    assert!(note.said.starts_with("Rebooted <b>it</b>; O'Brien's turn. ää"), "{}", note.said);
    assert!((1_990..=2_000).contains(&note.said.chars().count()));
}
