//! Reports: figures of many websites at once are those of each, whose they are, and which are sent.

use hub::model::report::{Goal, MOST_WEBSITES, Report, ReportScheduleId, Rhythm, Schedule, Window, WindowInput};
use hub::model::roll_up::Grain;
use hub::model::{
    AccountId, AlertEvent, AlertId, ChannelDraft, ChannelId, ChannelSettings, MailSecurity, Outcome, Scope, SecretText,
    Span, Ties, UtcMs, Website, WebsiteSettings,
};
use hub::store::{NewAlert, Reported, ScheduleAdded, Store};
use uuid::Uuid;

use super::maintenance::plan;
use super::roll_up::Random;
use super::{Fixture, MINUTE, region_tick};

on_both! {
    a_group_is_told_as_each_of_its_websites_is
    outages_are_told_from_the_first_failing_check
    latency_of_a_group_is_that_of_its_websites
    nobody_sees_anothers_websites_and_too_many_are_refused
    a_report_that_is_sent_is_its_owners_and_is_handed_over_once
}

const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn span_of(from_at: UtcMs, to_at: UtcMs) -> Window {
    let rfc3339 = |at| jiff::Timestamp::from_millisecond(at).expect("an instant").to_string();
    let input = WindowInput { from: rfc3339(from_at), to: rfc3339(to_at), ..WindowInput::default() };
    input.parse(to_at).expect("a window")
}

impl Fixture {
    async fn reported(&self, account: AccountId, scope: &Scope, window: &Window) -> Report {
        let found = self.store.report(account, scope, window, None, self.now).await.expect("a read");
        match found {
            Some(Reported::Report(report)) => *report,
            other => panic!("{other:?}"),
        }
    }

    async fn mail_channel(&self, account: AccountId) -> ChannelId {
        let settings = ChannelSettings::Email {
            server: "localhost".to_owned(),
            port: 25,
            security: MailSecurity::None,
            username: String::new(),
            password: SecretText::new(""),
            from: "up@example.com".to_owned(),
            to: vec!["ann@example.com".to_owned()],
        };
        self.channel_of(account, settings).await
    }

    async fn channel_of(&self, account: AccountId, settings: ChannelSettings) -> ChannelId {
        let draft = ChannelDraft {
            name: "mail".to_owned(),
            settings,
            tells_regional: false,
            tells_operator: true,
            waits_ms: 0,
            reminds_ms: None,
            cap_per_hour: 60,
            second_channel_id: None,
        };
        self.store.add_channel(account, &draft, self.now).await.expect("a channel").expect("room").channel_id
    }
}

/// Histories of changes that clocks have shuffled, days counted and not, maintenance: whatever the window, the bulk says
/// what is said of each.
async fn a_group_is_told_as_each_of_its_websites_is(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 6 * DAY);
    let mut random = Random(16);
    let mut websites: Vec<Website> = Vec::new();
    for n in 0..4 {
        let website = f.website_since(account, midnight + n * 11 * HOUR).await;
        let (mut at, mut from) = (midnight + n * 11 * HOUR, Outcome::Unknown);
        while at < f.now {
            at += random.below(9 * HOUR) + MINUTE;
            let to = [Outcome::Up, Outcome::Down, Outcome::Up, Outcome::Unknown, Outcome::Degraded]
                [random.below(5) as usize];
            f.transition(&website, at, from, to).await;
            from = to;
        }
        if n % 2 == 0 {
            let ties = Ties { tags: vec!["shop".parse().expect("a tag")], parent_id: None };
            f.store.set_ties(account, website.website_id, &ties).await.expect("tags");
        }
        websites.push(website);
    }
    let shop = Scope::Tag("shop".parse().expect("a tag"));
    f.store
        .add_maintenance(account, &plan(shop.clone(), midnight + 20 * HOUR, "daily", 45), midnight)
        .await
        .expect("added");
    let mut windows: Vec<(UtcMs, UtcMs)> = (0..12)
        .map(|_| {
            let from = midnight - DAY + random.below(6 * DAY);
            (from, from + 1 + random.below(f.now - from))
        })
        .collect();
    windows.extend([(midnight, midnight + DAY), (midnight + DAY, midnight + 5 * DAY), (midnight, f.now)]);
    // By verdicts alone; with counted days; with one of them missing in the middle.
    for round in 0..3 {
        match round {
            0 => {}
            1 => {
                f.roll(f.now).await;
            }
            _ => {
                f.execute("delete from uptime_day where day_at in (select min(day_at) + 2 * 86400000 from uptime_day)")
                    .await
            }
        }
        for (from, to) in &windows {
            let window = span_of(*from, *to);
            for scope in [Scope::All, shop.clone(), Scope::Website(websites[1].website_id)] {
                let there: Vec<&Website> = websites
                    .iter()
                    .enumerate()
                    .filter(|(n, one)| {
                        one.created_at < *to
                            && match &scope {
                                Scope::All => true,
                                Scope::Tag(_) => n % 2 == 0,
                                Scope::Website(id) => *id == one.website_id,
                            }
                    })
                    .map(|(_, one)| one)
                    .collect();
                if there.is_empty() {
                    continue;
                }
                let report = f.reported(account, &scope, &window).await;
                assert_eq!(report.rows.len(), there.len());
                for website in there {
                    let spans = [window.span, window.before];
                    let told =
                        f.store.uptimes(account, website.website_id, &spans).await.expect("a read").expect("theirs");
                    let row =
                        report.rows.iter().find(|row| row.subject.website_id == website.website_id).expect("a row");
                    assert_eq!(Some(row.now.uptime), told[0].uptime, "round {round}: {window}");
                    assert_eq!(
                        row.before.as_ref().map_or(told[1].uptime, |before| Some(before.uptime)),
                        told[1].uptime
                    );
                    assert_eq!(row.before.is_none(), website.created_at >= window.before.to_at);
                }
            }
        }
    }
}

async fn outages_are_told_from_the_first_failing_check(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 2 * DAY);
    let website = f.website_since(account, midnight).await;
    f.looks(&website, midnight, 3, Outcome::Up).await;
    f.looks(&website, midnight + 3 * MINUTE, 20, Outcome::Down).await;
    f.looks(&website, midnight + 23 * MINUTE, 3, Outcome::Up).await;
    let window = span_of(midnight, midnight + DAY);
    let report = f.reported(account, &Scope::All, &window).await;
    let (outages, changes) = (report.all.outages, f.changes(&website).await);
    let down = changes.iter().find(|(_, _, to)| *to == Outcome::Down).expect("a change").0;
    let up = changes.iter().rev().find(|(_, _, to)| *to == Outcome::Up).expect("a change").0;
    assert_eq!(down, midnight + 3 * MINUTE, "{changes:?}");
    assert_eq!((outages.count, outages.open, outages.mttr_ms()), (1, 0, Some(up - down)));
    assert_eq!((outages.longest_ms, report.all.uptime.down_ms), (up - down, up - down));
    let decided = f.count("select decided_at from transition where to_verdict = 'down'").await;
    assert_eq!(outages.mttd_ms(), Some(decided - down));
    // One that touches the window counts whole; beyond it there is none; what was announced is none.
    let after = f.reported(account, &Scope::All, &span_of(midnight + 10 * MINUTE, midnight + 11 * MINUTE)).await;
    assert_eq!((after.all.outages.count, after.all.outages.longest_ms), (1, up - down));
    assert_eq!(f.reported(account, &Scope::All, &span_of(midnight + HOUR, midnight + DAY)).await.all.outages.count, 0);
    f.store.add_maintenance(account, &plan(Scope::All, midnight, "once", 60), midnight).await.expect("added");
    let quiet = f.reported(account, &Scope::All, &window).await;
    assert_eq!((quiet.all.outages.count, quiet.all.uptime.down_ms, quiet.all.uptime.maintenance_ms), (0, 0, HOUR));
}

async fn latency_of_a_group_is_that_of_its_websites(f: Fixture) {
    let account = f.account("ann").await.account_id;
    let midnight = Grain::Day.start_of(f.now - 3 * DAY);
    let mut random = Random(17);
    let mut websites = Vec::new();
    for _ in 0..3 {
        let website = f.website_since(account, midnight).await;
        for n in 0..60 {
            let mut tick = region_tick(&website, ["a", "b"][n % 2], midnight + n as i64 * HOUR, Outcome::Up);
            tick.tick.total_us = 1_000 + random.below(900_000) as u32;
            f.store.ingest(std::slice::from_ref(&tick), tick.received_at).await.expect("ingest");
        }
        websites.push(website);
    }
    f.roll(f.now).await;
    for (from, to) in [(midnight, midnight + 2 * DAY), (midnight + 5 * HOUR, midnight + 30 * HOUR + MINUTE)] {
        let report = f.reported(account, &Scope::All, &span_of(from, to)).await;
        let window = [Span { from_at: from, to_at: to }];
        let mut all = hub::model::roll_up::RollUp::default();
        for website in &websites {
            let told = f.store.latencies(account, website.website_id, &window).await.expect("a read").expect("theirs");
            let row = report.rows.iter().find(|row| row.subject.website_id == website.website_id).expect("a row");
            assert!(row.now.latency.len() == 2 && row.now.latency.len() == told[0].regions.len());
            for (region, roll_up) in &told[0].regions {
                assert_eq!(row.now.latency.get(region), Some(&roll_up.latency));
            }
            all.merge(&told[0].all());
        }
        assert_eq!(report.all.latency_of_all(), all.latency);
    }
}

async fn nobody_sees_anothers_websites_and_too_many_are_refused(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let midnight = Grain::Day.start_of(f.now - 2 * DAY);
    let website = f.website_since(ann, midnight).await;
    let tag = || vec!["shop".parse().expect("a tag")];
    f.store.set_ties(ann, website.website_id, &Ties { tags: tag(), parent_id: None }).await.expect("tags");
    let window = span_of(midnight, midnight + DAY);
    let of = async |account, scope: Scope, window: &Window| {
        f.store.report(account, &scope, window, None, f.now).await.expect("a read")
    };
    assert!(of(bob, Scope::Website(website.website_id), &window).await.is_none());
    for scope in [Scope::All, Scope::Tag("shop".parse().expect("a tag"))] {
        assert!(f.reported(bob, &scope, &window).await.rows.is_empty());
        assert_eq!(f.reported(ann, &scope, &window).await.rows.len(), 1);
    }
    for near in ["sho", "shop%", "s_op", "shopping"] {
        let near = Scope::Tag(near.parse().expect("a tag"));
        assert!(f.reported(ann, &near, &window).await.rows.is_empty());
    }
    // Before it was added.
    let early = span_of(midnight - 5 * DAY, midnight);
    match of(ann, Scope::Website(website.website_id), &early).await {
        Some(Reported::Refused(errors)) => assert!(errors.of("from").is_some_and(|said| said.contains("was added on"))),
        other => panic!("{other:?}"),
    }
    let none = f.reported(ann, &Scope::All, &early).await;
    assert_eq!((none.rows.len(), none.added_later, none.all.uptime_share()), (0, 1, None));
    for n in 0..MOST_WEBSITES {
        let settings = WebsiteSettings::new(format!("https://{n}.example.com/"));
        f.store.add_website(ann, &settings, midnight).await.expect("a website");
    }
    match of(ann, Scope::All, &window).await {
        Some(Reported::Refused(errors)) => assert!(errors.of("tag").is_some_and(|said| said.contains("200 websites"))),
        other => panic!("{other:?}"),
    }
    assert_eq!(f.reported(ann, &Scope::Tag("shop".parse().expect("a tag")), &window).await.rows.len(), 1);
    // A goal of its own goes before one that is asked with.
    f.execute("update website set uptime_goal_ppm = 990000 where tags = 'shop'").await;
    let goal: Goal = "99.9".parse().expect("a goal");
    let scope = Scope::Website(website.website_id);
    match f.store.report(ann, &scope, &window, Some(goal), f.now).await.expect("a read") {
        Some(Reported::Report(report)) => {
            assert_eq!(report.rows[0].subject.goal.map(|g| g.to_string()).as_deref(), Some("99"))
        }
        other => panic!("{other:?}"),
    }
}

async fn a_report_that_is_sent_is_its_owners_and_is_handed_over_once(f: Fixture) {
    let (ann, bob) = (f.account("ann").await.account_id, f.account("bob").await.account_id);
    let website = f.website(ann).await;
    let mail = f.mail_channel(ann).await;
    let hook = f.channel_of(ann, ChannelSettings::Slack { url: SecretText::new("https://hooks.example/x") }).await;
    let made = f.now - 70 * DAY;
    let add = async |account, channel, scope: Scope| {
        f.store.add_report_schedule(account, channel, &scope, Rhythm::Monthly, made).await.expect("an answer")
    };
    assert_eq!(add(ann, hook, Scope::All).await, ScheduleAdded::NotTheirs, "no mail");
    assert_eq!(add(bob, mail, Scope::All).await, ScheduleAdded::NotTheirs, "another's channel");
    let bobs = f.mail_channel(bob).await;
    assert_eq!(add(bob, bobs, Scope::Website(website.website_id)).await, ScheduleAdded::NotTheirs, "another's website");
    let ScheduleAdded::Added(id) = add(ann, mail, Scope::All).await else { panic!("not added") };
    assert_eq!(add(ann, mail, Scope::All).await, ScheduleAdded::Added(id), "the same is one");
    let listed = f.store.report_schedules(ann).await.expect("a list");
    assert_eq!(listed.iter().map(|one| (one.schedule_id, one.scope.clone())).collect::<Vec<_>>(), [(id, Scope::All)]);
    assert!(f.store.report_schedules(bob).await.expect("a list").is_empty());
    assert!(!f.store.delete_report_schedule(bob, id).await.expect("an answer"));
    // Two hubs that hand the same over at once.
    let other = match &f.url {
        Some(url) => Store::open_postgres(url).await.expect("a store"),
        None => f.store.clone(),
    };
    let due = f.store.due_reports(f.now).await.expect("a read");
    assert_eq!(due.iter().map(|one| one.schedule_id).collect::<Vec<_>>(), [id]);
    let until = due[0].due(f.now).expect("it is due").window.ends_at;
    let alert = NewAlert {
        alert_id: AlertId::of_report(id, until),
        account_id: ann,
        channel_id: mail,
        channel_name: "mail".to_owned(),
        event: AlertEvent::Report,
        payload: "a mail".to_owned(),
    };
    let next = Rhythm::Monthly.next_at(f.now).expect("a next one");
    let (a, b) = tokio::join!(
        f.store.hand_over_report(id, &alert, until, next, f.now),
        other.hand_over_report(id, &alert, until, next, f.now)
    );
    assert_eq!([a.expect("an answer"), b.expect("an answer")].iter().filter(|written| **written).count(), 1);
    assert_eq!(f.count("select count(*) from alert where event = 'report'").await, 1);
    assert!(f.store.due_reports(f.now).await.expect("a read").is_empty());
    // Also when what was told is long forgotten.
    f.execute("delete from alert").await;
    assert!(!f.store.hand_over_report(id, &alert, until, next, f.now).await.expect("an answer"));
    assert_eq!(f.store.report_schedules(ann).await.expect("a list")[0].sent_until_at, Some(until));
    // What a clock that was ahead has written is put right.
    f.execute("update report_schedule set sent_until_at = sent_until_at + 63072000000, next_at = 4102444800000").await;
    assert_eq!(f.store.due_reports(f.now).await.expect("a read").len(), 1);
    assert!(f.store.hand_over_report(id, &alert, until, next, f.now).await.expect("an answer"));
    assert!(f.store.due_reports(f.now).await.expect("a read").is_empty());
    // One that is not understood takes no place.
    f.execute("update report_schedule set rhythm = 'hourly', next_at = 0").await;
    assert!(f.store.due_reports(f.now).await.expect("a read").is_empty());
    f.execute("update report_schedule set rhythm = 'monthly'").await;
    // What it is about, and what it goes through, takes it along.
    assert!(matches!(add(ann, mail, Scope::Website(website.website_id)).await, ScheduleAdded::Added(_)));
    f.store.delete_website(ann, website.website_id).await.expect("an answer");
    assert_eq!(f.store.report_schedules(ann).await.expect("a list").len(), 1);
    for n in 1..Schedule::MOST {
        let scope = Scope::Tag(format!("t{n}").parse().expect("a tag"));
        assert!(matches!(add(ann, mail, scope).await, ScheduleAdded::Added(_)), "{n}");
    }
    assert_eq!(add(ann, mail, Scope::Tag("more".parse().expect("a tag"))).await, ScheduleAdded::TooMany);
    f.store.delete_channel(ann, mail, f.now).await.expect("an answer");
    assert!(f.store.report_schedules(ann).await.expect("a list").is_empty());
    assert!(!f.store.delete_report_schedule(ann, ReportScheduleId(Uuid::nil())).await.expect("an answer"));
}
