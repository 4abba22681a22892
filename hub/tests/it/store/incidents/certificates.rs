//! Certificates near their end: told in steps, each once, whoever looks; and what evidence shows.

use hub::model::{Certificate, Class, Evidence, Failure, Note, Phase, Scope, Ties};

use super::*;
use crate::store::maintenance::plan;

on_both! {
    each_step_is_told_once_of_all_websites_of_a_host_and_then_the_renewal
    only_maintenance_mutes_a_certificate
    what_is_edited_paused_deleted_or_lost_leaves_its_warning
    a_changed_issuer_is_a_line_and_no_message
    evidence_shows_the_certificate_and_the_beginning_of_the_answer
    an_open_warning_writes_nothing_with_each_look
}

const DAY: i64 = 24 * 60 * MINUTE;

/// A round of two regions that both see this certificate.
fn looks(website: &Website, slot_at: UtcMs, certificate: &Certificate) -> Vec<StoredTick> {
    let one = |region| {
        let mut tick = region_tick(website, region, slot_at, Outcome::Up);
        tick.tick.certificate = Some(certificate.clone());
        tick
    };
    vec![one("a"), one("b")]
}

fn lives_until(not_after_at: UtcMs, issuer: &str) -> Certificate {
    Certificate {
        not_after_at,
        not_before_at: not_after_at - 90 * DAY,
        issuer: "R11".to_owned(),
        issuer_organization: Some(issuer.to_owned()),
        subject: "shop.example".to_owned(),
        ..Certificate::default()
    }
}

/// Looks from `days` before to `until` days before the certificate's end, a round every six hours.
async fn watch(f: &Fixture, websites: &[&Website], days: i64, until: i64, certificate: &Certificate) {
    let (mut at, end) = (certificate.not_after_at - days * DAY, certificate.not_after_at - until * DAY);
    while at < end {
        let batch: Vec<_> = websites.iter().flat_map(|website| looks(website, at, certificate)).collect();
        f.store.ingest(&batch, at + 2_000).await.expect("ingest");
        f.store.ingest(&batch, at + 3_000).await.expect("given again");
        f.store.review_incidents(at + 2 * MINUTE).await.expect("a review");
        f.store.mend_incidents(at + 2 * MINUTE).await.expect("a look at what nobody ends");
        f.deliver().await;
        at += DAY / 4;
    }
}

async fn each_step_is_told_once_of_all_websites_of_a_host_and_then_the_renewal(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    f.execute("update channel set reminds_ms = 60000").await;
    let (one, two) = (
        f.website_at(account, "https://shop.example/").await,
        f.website_at(account, "https://shop.example/cart").await,
    );
    let old = lives_until(f.now + 22 * DAY, "Let's Encrypt");
    watch(&f, &[&one, &two], 22, 6, &old).await;
    let line = f.only(account).await;
    assert_eq!((line.incident.kind, line.websites, line.failing), (IncidentKind::Certificate, 2, 2));
    assert_eq!(line.incident.cause_key, "host:shop.example:certificate");
    assert_eq!(line.incident.began_at, old.not_after_at - 21 * DAY);
    let told = |told: Vec<Row>| -> Vec<String> { told.into_iter().map(|(event, ..)| event).collect() };
    assert_eq!(told(f.outbox().await), ["opened", "updated", "updated"]);
    assert_eq!(f.store.remind(f.now + 20 * DAY).await.expect("reminders"), 0, "it has its steps");
    watch(&f, &[&one, &two], 6, 0, &old).await;
    assert_eq!(told(f.outbox().await), ["opened", "updated", "updated", "updated"]);
    let id = line.incident.incident_id;
    let said: Vec<_> = f.store.incident_events(account, id, 99).await.expect("events");
    let said: Vec<_> = said.iter().map(|event| event.said.as_str()).collect();
    let day = jiff::Timestamp::from_millisecond(old.not_after_at).expect("an instant").strftime("%Y-%m-%d").to_string();
    assert_eq!(
        said[0],
        format!(
            "https://shop.example/ has a certificate near its end. The certificate ends on {day}. It is seen from a and b."
        )
    );
    assert!(
        said[2].starts_with("Less than 14 days are left of the certificate of https://shop.example/. "),
        "{said:?}"
    );
    assert_eq!(said.len(), 5, "one line for each website, and one for each step");
    // The second website's renewal ends it.
    let new = lives_until(f.now + 110 * DAY, "Let's Encrypt");
    watch(&f, &[&one], 88, 87, &new).await;
    assert_eq!(f.only(account).await.failing, 1);
    watch(&f, &[&two], 87, 86, &new).await;
    let line = f.only(account).await;
    assert_eq!((line.failing, line.incident.closed_as), (0, Some(ClosedAs::Recovered)));
    assert_eq!(told(f.outbox().await), ["opened", "updated", "updated", "updated", "resolved"]);
    let events = f.store.incident_events(account, id, 99).await.expect("events");
    let last = events.last().expect("an event");
    assert!(last.said.starts_with("The certificate of https://shop.example/cart was renewed. The one"), "{last:?}");
    let seen: Vec<_> = last.evidence.iter().filter_map(|seen| seen.certificate.as_ref()).collect();
    assert!(seen.iter().any(|seen| seen.not_after_at == new.not_after_at && seen.issuer == "R11"), "{seen:?}");
    assert_eq!(f.count("select count(*) from website_state where certificate_near <> ''").await, 0);
}

async fn only_maintenance_mutes_a_certificate(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let (parent, child) =
        (f.website_at(account, "https://router.example/").await, f.website_at(account, "https://shop.example/").await);
    let ties = Ties { parent_id: Some(parent.website_id), ..Ties::default() };
    f.store.set_ties(account, child.website_id, &ties).await.expect("a tie");
    let start = f.now - 30 * MINUTE;
    f.feed(&rounds(&parent, start, Outcome::Up, 1)).await;
    f.feed(&rounds(&parent, start + MINUTE, Outcome::Down, 2)).await;
    f.feed(&looks(&child, start + 4 * MINUTE, &lives_until(f.now + 10 * DAY, "One CA"))).await;
    assert_eq!(f.told().await, ["opened waiting mail", "opened waiting mail"]);
    // In maintenance a step passes in silence, and the end of the window tells.
    let other = f.website_at(account, "https://other.example/").await;
    let window = plan(Scope::Website(other.website_id), start, "once", 60 * 24 * 6);
    f.store.add_maintenance(account, &window, start).await.expect("a window");
    let certificate = lives_until(f.now + 10 * DAY, "One CA");
    watch(&f, &[&other], 10, 5, &certificate).await;
    assert_eq!(f.told().await.len(), 2);
    f.store.review_incidents(start + 6 * DAY + MINUTE).await.expect("a review");
    assert_eq!(f.told().await.len(), 3);
    watch(&f, &[&other], 4, 0, &certificate).await;
    let events: Vec<_> = f.outbox().await.into_iter().map(|row| row.0).collect();
    assert_eq!(events.iter().filter(|event| *event == "updated").count(), 1, "{events:?}");
}

async fn what_is_edited_paused_deleted_or_lost_leaves_its_warning(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let near = lives_until(f.now + 5 * DAY, "One CA");
    let mut all = Vec::new();
    for host in ["edited", "paused", "deleted", "lost", "stays"] {
        let website = f.website_at(account, &format!("https://{host}.example/")).await;
        f.feed(&looks(&website, f.now - MINUTE, &near)).await;
        all.push(website);
    }
    let edited = WebsiteSettings { timeout_ms: 7_000, ..all[0].settings.clone() };
    f.store.edit_website(account, all[0].website_id, all[0].revision, &edited, f.now).await.expect("an edit");
    f.store.set_paused(account, all[1].website_id, true, f.now).await.expect("a pause");
    f.store.delete_website(account, all[2].website_id).await.expect("a deletion");
    // As after a hub of a version that knows of no certificates.
    let sql = "update website_state set certificate_near = '' where website_id in \
        (select website_id from website where url = 'https://lost.example/')";
    f.execute(sql).await;
    assert_eq!(f.store.mend_incidents(f.now).await.expect("a look").mended, 1);
    let ended: Vec<_> = f
        .incidents(account)
        .await
        .into_iter()
        .map(|line| (line.first_url.replace("https://", ""), line.incident.closed_as))
        .collect();
    let of = |host: &str| ended.iter().find(|(url, _)| url.starts_with(host)).expect(host).1;
    assert_eq!(
        ["edited", "paused", "deleted", "lost", "stays"].map(of),
        [Some(ClosedAs::Changed), Some(ClosedAs::Paused), Some(ClosedAs::Deleted), Some(ClosedAs::Recovered), None]
    );
    // What is watched anew is looked at anew.
    f.feed(&looks(&all[0], f.now + MINUTE, &near)).await;
    assert_eq!(f.incidents(account).await.iter().filter(|line| line.incident.closed_at.is_none()).count(), 2);
}

async fn a_changed_issuer_is_a_line_and_no_message(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, false, 0).await;
    let website = f.website_at(account, "https://shop.example/").await;
    f.feed(&looks(&website, f.now - 9 * MINUTE, &lives_until(f.now + 80 * DAY, "One CA"))).await;
    f.feed(&looks(&website, f.now - 8 * MINUTE, &lives_until(f.now + 85 * DAY, "Two CA"))).await;
    assert_eq!((f.told().await.len(), f.incidents(account).await.len()), (0, 0));
    let row = f.store.board_row(account, website.website_id, f.now).await.expect("the board").expect("the website");
    let changed = row.state.certificates.read().changed.expect("a change");
    assert_eq!((changed.at, changed.from.as_str(), changed.to.as_str()), (f.now - 8 * MINUTE, "One CA", "Two CA"));
    // While a warning is open it is part of the story.
    f.feed(&looks(&website, f.now - 7 * MINUTE, &lives_until(f.now + 5 * DAY, "Two CA"))).await;
    f.feed(&looks(&website, f.now - 6 * MINUTE, &lives_until(f.now + 90 * DAY, "Three CA"))).await;
    let id = f.only(account).await.incident.incident_id;
    let events = f.store.incident_events(account, id, 99).await.expect("events");
    let said: Vec<_> = events.iter().map(|event| event.said.as_str()).collect();
    assert!(said.contains(&"https://shop.example/: The issuer changed from Two CA to Three CA."), "{said:?}");
    assert_eq!(f.told().await, ["opened waiting mail"]);
}

async fn evidence_shows_the_certificate_and_the_beginning_of_the_answer(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let website = f.website_at(account, "https://shop.example/").await;
    let certificate = lives_until(f.now + 80 * DAY, "One CA");
    f.feed(&looks(&website, f.now - 9 * MINUTE, &certificate)).await;
    let failing = |region, answer: &str| {
        let mut tick = region_tick(&website, region, f.now - 8 * MINUTE, Outcome::Down);
        let (phase, blame) = (Phase::Judge, hub::model::Blame::Target);
        tick.tick.failure = Some(Failure { class: Class::HttpStatus, phase, blame, detail: "502".to_owned() });
        tick.tick.status = Some(502);
        tick.tick.certificate = Some(Certificate { subject: "s\0".repeat(200), ..certificate.clone() });
        tick.tick.answer = Some(answer.to_owned());
        tick.tick.notes = vec![Note::RedirectDowngrade];
        tick
    };
    f.feed(&[failing("a", "<h1>Bad Gateway</h1>"), failing("b", &"\u{1f980}\0".repeat(900))]).await;
    let id = f.only(account).await.incident.incident_id;
    let events = f.store.incident_events(account, id, 99).await.expect("events");
    let [a, b] = events[0].evidence.as_slice() else { panic!("{events:?}") };
    assert_eq!(a.answer.as_deref(), Some("<h1>Bad Gateway</h1>"));
    assert_eq!(b.answer.as_deref(), Some("\u{1f980}".repeat(200).as_str()), "no more than the wire promises");
    let seen = a.certificate.as_ref().expect("a certificate");
    assert_eq!((seen.subject.as_str(), seen.not_after_at), ("s".repeat(80).as_str(), certificate.not_after_at));
    // Evidence of before has none of it.
    let old = serde_json::to_value(a).expect("JSON");
    let old = serde_json::Value::Object(
        old.as_object()
            .expect("an object")
            .clone()
            .into_iter()
            .filter(|(n, _)| n != "certificate" && n != "answer")
            .collect(),
    );
    let read: Evidence = serde_json::from_value(old).expect("evidence of before");
    assert_eq!((read.certificate, read.answer), (None, None));
}

async fn an_open_warning_writes_nothing_with_each_look(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let website = f.website_at(account, "https://shop.example/").await;
    let near = lives_until(f.now + 5 * DAY, "One CA");
    f.feed(&looks(&website, f.now - 9 * MINUTE, &near)).await;
    let rule = if f.url.is_some() {
        "create function no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$; \
         create trigger no before update on incident for each row execute function no(); \
         create trigger no before insert on incident_event for each row execute function no()"
    } else {
        "create trigger no before update on incident begin select raise(abort, 'no'); end; \
         create trigger no2 before insert on incident_event begin select raise(abort, 'no'); end"
    };
    f.execute(rule).await;
    let near_before = f.count("select cast(length(certificate_near) as bigint) from website_state").await;
    f.feed(&looks(&website, f.now - 8 * MINUTE, &near)).await;
    f.feed(&looks(&website, f.now - 7 * MINUTE, &near)).await;
    assert_eq!(f.count("select count(*) from tick").await, 6);
    assert_eq!(f.count("select cast(length(certificate_near) as bigint) from website_state").await, near_before);
}
