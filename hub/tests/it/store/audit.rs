//! The log of who changed what.

use hub::model::AccountId;
use hub::model::audit::{AuditFilter, Deed, FieldChange, KEPT_MS};

use super::Fixture;

on_both! {
    lines_are_read_newest_first_each_once_and_by_their_team_alone
    a_line_about_a_team_that_is_gone_is_the_installations
    wrong_passwords_are_counted_by_the_hour
    old_lines_are_forgotten_some_at_a_time
}

fn deed(account: Option<AccountId>, person: &str, kind: &str, object: &str) -> Deed {
    Deed {
        account,
        person: person.to_owned(),
        route: "POST /websites/:id/edit".to_owned(),
        action: "changed".to_owned(),
        kind: kind.to_owned(),
        object_id: object.to_owned(),
        changes: vec![FieldChange::new("interval_s", "60", "30")],
        ..Deed::default()
    }
}

async fn lines_are_read_newest_first_each_once_and_by_their_team_alone(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    for n in 0..25_i64 {
        let (person, kind) = (if n % 2 == 0 { "ann" } else { "eve" }, if n % 5 == 0 { "channel" } else { "website" });
        // Several within a millisecond.
        f.store
            .write_audit(deed(Some(ann), person, kind, &format!("{}", n % 3)), f.now + n / 4)
            .await
            .expect("written");
        f.store.write_audit(deed(Some(bob), "bob", "website", "0"), f.now + n / 4).await.expect("written");
    }
    f.store.write_audit(deed(None, "command line", "account", ""), f.now).await.expect("written");

    let read = |account: Option<AccountId>, filter: AuditFilter| {
        let store = f.store.clone();
        async move {
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = store.audit(account, &filter, after, 4).await.expect("a read");
                let Some(last) = page.last() else { break all };
                after = Some(last.cursor());
                all.extend(page);
            }
        }
    };
    let all = read(Some(ann), AuditFilter::default()).await;
    assert_eq!(all.len(), 25);
    assert!(all.is_sorted_by(|a, b| (a.at, a.audit_id) > (b.at, b.audit_id)));
    assert!(all.iter().all(|line| line.deed.account == Some(ann) && line.times == 1));
    assert_eq!(all[0].deed.changes, [FieldChange::new("interval_s", "60", "30")]);
    let of = |kind: Option<&str>, person: Option<&str>, object: Option<&str>| {
        let own = |text: Option<&str>| text.map(str::to_owned);
        AuditFilter { kind: own(kind), person: own(person), object_id: own(object) }
    };
    assert_eq!(read(Some(ann), of(Some("channel"), None, None)).await.len(), 5);
    assert_eq!(read(Some(ann), of(None, Some("eve"), None)).await.len(), 12);
    assert_eq!(read(Some(ann), of(None, None, Some("2"))).await.len(), 8);
    assert_eq!(read(Some(ann), of(Some("channel"), Some("eve"), Some("2"))).await.len(), 1);
    assert_eq!(read(Some(ann), of(None, Some("bob"), None)).await.len(), 0);
    let installation = read(None, AuditFilter::default()).await;
    assert_eq!(installation.len(), 1);
    assert_eq!(installation[0].deed.person, "command line");
}

async fn a_line_about_a_team_that_is_gone_is_the_installations(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    f.store.write_audit(deed(Some(ann), "ann", "website", "1"), f.now).await.expect("written");
    f.execute("delete from account where username = 'ann'").await;
    assert_eq!(f.count("select count(*) from audit").await, 0, "what was hers goes with her");
    f.store.write_audit(deed(Some(ann), "ann", "account", "1"), f.now).await.expect("written");
    let left = f.store.audit(None, &AuditFilter::default(), None, 10).await.expect("a read");
    assert_eq!((left.len(), left[0].deed.kind.as_str(), left[0].deed.account), (1, "account", None));
    assert!(f.store.audit(Some(bob), &AuditFilter::default(), None, 10).await.expect("a read").is_empty());
}

async fn wrong_passwords_are_counted_by_the_hour(f: Fixture) {
    let ann = f.account("ann").await.account_id;
    let hour = f.now / 3_600_000 * 3_600_000;
    for n in 0..40 {
        for whose in [Some((ann, "ann")), None] {
            let deed = Deed::of_wrong_password(whose, format!("192.0.2.{n}"));
            f.store.count_audit(deed, hour + n * 60_000).await.expect("counted");
        }
    }
    f.store.count_audit(Deed::of_wrong_password(None, String::new()), hour + 3_600_000).await.expect("counted");
    let hers = f.store.audit(Some(ann), &AuditFilter::default(), None, 10).await.expect("a read");
    assert_eq!(hers.len(), 1);
    assert_eq!((hers[0].times, hers[0].at, hers[0].deed.address.as_str()), (40, hour + 39 * 60_000, "192.0.2.39"));
    let nobodys = f.store.audit(None, &AuditFilter::default(), None, 100).await.expect("a read");
    let times: i64 = nobodys.iter().map(|line| line.times).sum();
    assert!(times == 41 && nobodys[0].times == 1 && nobodys.len() <= 17, "{nobodys:?}");
}

async fn old_lines_are_forgotten_some_at_a_time(f: Fixture) {
    let ann = f.account("ann").await.account_id;
    for n in 0..10_i64 {
        f.store.write_audit(deed(Some(ann), "ann", "website", ""), f.now + n).await.expect("written");
    }
    assert_eq!(f.store.trim_audit(f.now + KEPT_MS).await.expect("trimmed"), 0);
    assert_eq!(f.store.trim_audit(f.now + KEPT_MS + 4).await.expect("trimmed"), 4);
    assert_eq!(f.store.audit(Some(ann), &AuditFilter::default(), None, 100).await.expect("a read").len(), 6);
}
