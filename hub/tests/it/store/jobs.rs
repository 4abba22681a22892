//! Jobs that report themselves: what a ping writes, what silence does, whose they are, and that nobody else touches them.

use hub::model::job::{Awaited, DEAF_MS, RETRIES_MS};
use hub::model::{
    AccountId, Class, IncidentKind, Job, JobInput, JobPlan, Outcome, Ping, PingId, PingKind, Ties, UtcMs, WebsiteId,
};
use hub::store::{Edited, Heard, KnownJob, Missed, Pinged};

use super::{Fixture, MINUTE, region_tick};

on_both! {
    a_ping_brings_it_up_and_silence_down_each_told_once
    what_is_deleted_or_exchanged_is_nobodys
    what_no_hub_could_hear_is_unknown_and_told_to_nobody
    a_short_absence_is_made_good_by_who_tries_again
    several_hubs_call_a_ping_missing_once
    neither_schedule_nor_ingest_nor_expiry_know_of_jobs
    an_edit_keeps_what_is_known_and_a_pause_awaits_nothing
    of_pings_the_last_ones_are_kept
    a_plan_is_saved_with_its_ties_or_not_at_all
}

const HOUR: i64 = 60 * MINUTE;

fn hourly() -> JobPlan {
    let input = JobInput {
        name: "Nightly backup".into(),
        period_s: "3600".into(),
        grace_s: "300".into(),
        ..JobInput::default()
    };
    input.parse().expect("a plan")
}

fn ping(at: UtcMs, kind: PingKind, exit_code: Option<u8>) -> Ping {
    Ping { at, kind, exit_code, said: "done".to_owned() }
}

impl Fixture {
    async fn job(&self, account: AccountId) -> KnownJob {
        let id = self.store.add_job(account, &hourly(), self.now).await.expect("a job");
        self.known(account, id).await
    }

    async fn known(&self, account: AccountId, id: WebsiteId) -> KnownJob {
        self.store.job(account, id).await.expect("a read").expect("the job")
    }

    async fn report(&self, job: &Job, at: UtcMs, kind: PingKind) {
        assert_eq!(self.store.take_ping(job.ping_id, &ping(at, kind, None)).await.expect("a ping"), Pinged::Stored);
    }

    async fn miss(&self, at: UtcMs) -> Missed {
        self.store.miss_pings(at).await.expect("a look")
    }

    /// Hubs live until `at`, without a time in which none did.
    async fn live_until(&self, at: UtcMs) {
        self.execute(format!("update listening set alive_at = {at}").leak()).await;
    }
}

async fn a_ping_brings_it_up_and_silence_down_each_told_once(on: Fixture) {
    let ann = on.account("ann").await.account_id;
    on.channel("hook", true, false, 0).await;
    let KnownJob { website, state, job } = on.job(ann).await;
    assert_eq!((state.verdict, job.missing_at()), (Outcome::Unknown, None));
    assert_eq!(on.miss(on.now + 90 * 24 * HOUR).await, Missed::default(), "nothing is awaited before the first ping");

    on.report(&job, on.now, PingKind::Start).await;
    assert_eq!(on.known(ann, website.website_id).await.state.verdict, Outcome::Unknown, "a start is no end");
    on.report(&job, on.now + 90 * 1_000, PingKind::Success).await;
    let up = on.known(ann, website.website_id).await;
    assert_eq!((up.state.verdict, up.state.since_at), (Outcome::Up, on.now + 90 * 1_000));
    assert_eq!(up.job.awaited.took_ms, Some(90 * 1_000));
    let ticks = on.store.ticks(ann, website.website_id, None, 10).await.expect("ticks");
    assert_eq!(
        ticks.iter().map(|t| (t.tick.total_us, t.region_id.as_str())).collect::<Vec<_>>(),
        [(90_000_000, "ping")]
    );

    let (due, missing) = (on.now + 90 * 1_000 + HOUR, on.now + 90 * 1_000 + HOUR + 5 * MINUTE);
    assert_eq!(on.miss(missing + RETRIES_MS - 1).await, Missed::default());
    assert_eq!(on.miss(missing + RETRIES_MS).await, Missed { down: 1, excused: 0 });
    assert_eq!(on.miss(missing + HOUR).await, Missed::default(), "once");
    let down = on.known(ann, website.website_id).await;
    assert_eq!((down.state.verdict, down.state.since_at), (Outcome::Down, due));
    assert!(down.state.reason.starts_with("No ping since "), "{}", down.state.reason);
    let incident = on.incidents(ann).await.remove(0).incident;
    assert_eq!(
        (incident.kind, incident.began_at, incident.cause.as_str()),
        (IncidentKind::Outage, due, "The job did not report in time")
    );
    assert_eq!(incident.cause_key, format!("website:{}", website.website_id));
    let opened = |event: &str| (event.to_owned(), 0, "waiting".to_owned(), "hook".to_owned());
    assert_eq!(on.outbox().await, [opened("opened")]);
    let events = on.store.incident_events(ann, incident.incident_id, 10).await.expect("events");
    let evidence = &events.iter().find(|event| !event.evidence.is_empty()).expect("evidence").evidence[0];
    assert_eq!(evidence.failure.as_ref().map(|f| f.class), Some(Class::PingMissing));

    // It fails, which is no news while it is down; then it is well.
    on.store.take_ping(job.ping_id, &ping(missing + 2 * HOUR, PingKind::Fail, Some(3))).await.expect("a ping");
    on.report(&job, missing + 3 * HOUR, PingKind::Success).await;
    assert_eq!(
        on.changes(&website).await,
        [
            (on.now + 90 * 1_000, Outcome::Unknown, Outcome::Up),
            (due, Outcome::Up, Outcome::Down),
            (missing + 3 * HOUR, Outcome::Down, Outcome::Up),
        ]
    );
    assert_eq!(on.outbox().await.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(), ["opened", "resolved"]);
    let row = on.store.board_row(ann, website.website_id, missing + 4 * HOUR).await.expect("the board").expect("a row");
    let down_ms = missing + 3 * HOUR - due;
    assert_eq!((row.uptime_24h.down_ms, row.pinged_at), (down_ms, Some(missing + 3 * HOUR)));
    let kept = on.store.pings(ann, website.website_id, 10).await.expect("pings");
    let said: Vec<_> = kept.iter().rev().map(|k| (k.ping.kind, k.ping.exit_code, k.took_ms)).collect();
    assert_eq!(
        said,
        [
            (PingKind::Start, None, None),
            (PingKind::Success, None, Some(90_000)),
            (PingKind::Fail, Some(3), None),
            (PingKind::Success, None, None),
        ]
    );
}

async fn what_is_deleted_or_exchanged_is_nobodys(on: Fixture) {
    let (ann, bob) = (on.account("ann").await.account_id, on.account("bob").await.account_id);
    let known = on.job(ann).await;
    let (id, old) = (known.website.website_id, known.job.ping_id);
    assert_eq!(on.store.job(bob, id).await.expect("a read"), None);
    assert_eq!(on.store.jobs(bob, None, 10).await.expect("a read"), []);
    assert_eq!(on.store.edit_job(bob, id, 1, &hourly(), on.now).await.expect("an edit"), None);
    assert!(!on.store.rotate_ping_id(bob, id).await.expect("an answer"));
    assert_eq!(on.known(ann, id).await.job.ping_id, old);
    on.report(&known.job, on.now, PingKind::Success).await;
    assert_eq!(on.store.pings(bob, id, 10).await.expect("pings"), []);

    assert!(on.store.rotate_ping_id(ann, id).await.expect("an answer"));
    let new = on.known(ann, id).await.job;
    assert_ne!(new.ping_id, old);
    let late = ping(on.now + 1, PingKind::Fail, None);
    assert_eq!(on.store.take_ping(old, &late).await.expect("an answer"), Pinged::Nobody);
    assert_eq!(on.store.take_ping(PingId(uuid::Uuid::new_v4()), &late).await.expect("an answer"), Pinged::Nobody);
    on.report(&new, on.now + 2, PingKind::Success).await;
    assert!(on.store.delete_website(ann, id).await.expect("an answer"));
    assert_eq!(on.store.take_ping(new.ping_id, &late).await.expect("an answer"), Pinged::Nobody);
    assert_eq!(on.count("select (select count(*) from job) + (select count(*) from ping)").await, 0);
}

async fn what_no_hub_could_hear_is_unknown_and_told_to_nobody(on: Fixture) {
    let ann = on.account("ann").await.account_id;
    on.channel("hook", true, false, 0).await;
    let KnownJob { website, job, .. } = on.job(ann).await;
    on.report(&job, on.now, PingKind::Success).await;
    assert_eq!(
        on.store.note_listening(on.now + 5_000).await.expect("a note"),
        Heard::All,
        "since the first job is there"
    );
    on.live_until(on.now + HOUR - MINUTE).await;
    // Ten minutes over the time it was due.
    let back = on.now + HOUR + 9 * MINUTE;
    let Heard::Not(deaf) = on.store.note_listening(back).await.expect("a note") else { panic!("nobody was there") };
    assert_eq!((deaf.from_at, deaf.to_at), (on.now + HOUR - MINUTE, back));
    assert_eq!(on.store.note_listening(back + 1).await.expect("a note"), Heard::All, "it is written down once");
    assert_eq!(on.miss(back).await, Missed { down: 0, excused: 1 });
    let known = on.known(ann, website.website_id).await;
    assert_eq!(known.state.verdict, Outcome::Unknown);
    assert!(known.state.reason.starts_with("No hub was there to hear it from "), "{}", known.state.reason);
    assert_eq!((on.incidents(ann).await.len(), on.outbox().await.len()), (0, 0), "our fault is nobody's alarm");
    // The next one is awaited; that nobody hears of it is its own doing.
    let due = back + HOUR;
    assert_eq!(known.job.awaited.expected_at, Some(due));
    on.live_until(due).await;
    assert_eq!(on.miss(due + 5 * MINUTE + RETRIES_MS).await, Missed { down: 1, excused: 0 });
    assert_eq!(on.changes(&website).await.last(), Some(&(due, Outcome::Unknown, Outcome::Down)));
    assert_eq!(on.outbox().await.len(), 1);
}

async fn a_short_absence_is_made_good_by_who_tries_again(on: Fixture) {
    let ann = on.account("ann").await.account_id;
    let KnownJob { website, job, .. } = on.job(ann).await;
    on.report(&job, on.now, PingKind::Success).await;
    let missing = on.now + HOUR + 5 * MINUTE;
    on.live_until(missing - DEAF_MS).await;
    assert_eq!(on.store.note_listening(missing).await.expect("a note"), Heard::All);
    // What was refused meanwhile comes again, and is here before anybody calls it missing.
    assert_eq!(on.miss(missing + RETRIES_MS - 1).await, Missed::default());
    on.report(&job, missing + RETRIES_MS + 1, PingKind::Success).await;
    assert_eq!(on.miss(missing + RETRIES_MS + 2).await, Missed::default());
    assert_eq!(on.verdict(&website).await, Outcome::Up);
    assert_eq!(on.count("select count(*) from listening_gap").await, 0);
    // A clock that was set back is no deafness, and stands in nobody's way.
    on.live_until(missing + 24 * HOUR).await;
    assert_eq!(on.store.note_listening(missing).await.expect("a note"), Heard::All);
    assert_eq!(on.count("select alive_at from listening").await, missing);
}

async fn several_hubs_call_a_ping_missing_once(on: Fixture) {
    let ann = on.account("ann").await.account_id;
    on.channel("hook", true, false, 0).await;
    let mut jobs = Vec::new();
    for _ in 0..20 {
        let known = on.job(ann).await;
        on.report(&known.job, on.now, PingKind::Success).await;
        jobs.push(known);
    }
    let at = on.now + HOUR + 5 * MINUTE + RETRIES_MS;
    let (one, two, three) = tokio::join!(on.store.miss_pings(at), on.store.miss_pings(at), on.store.miss_pings(at + 1));
    // What one hub is at work on the others leave, or do not get at; none is left in the end, and none was called twice.
    let down: usize = [one, two, three].into_iter().filter_map(Result::ok).map(|missed| missed.down).sum();
    assert_eq!(down + on.miss(at + 2).await.down, 20);
    assert_eq!(on.outbox().await.len(), 20);
    assert_eq!(on.count("select count(*) from transition where to_verdict = 'down'").await, 20);
    // Pings of one job at once, at one instant: each is kept, in an order.
    let (job, back) = (&jobs[0].job, at + 10);
    let all = [PingKind::Start, PingKind::Success, PingKind::Success].map(|kind| ping(back, kind, None));
    let (one, two, three) = tokio::join!(
        on.store.take_ping(job.ping_id, &all[0]),
        on.store.take_ping(job.ping_id, &all[1]),
        on.store.take_ping(job.ping_id, &all[2])
    );
    for stored in [one, two, three] {
        assert_eq!(stored.expect("a ping"), Pinged::Stored);
    }
    assert_eq!(on.store.pings(ann, job.website_id, 10).await.expect("pings").len(), 4);
    assert_eq!(on.outbox().await.len(), 21);
}

async fn neither_schedule_nor_ingest_nor_expiry_know_of_jobs(on: Fixture) {
    let ann = on.account("ann").await.account_id;
    let KnownJob { website, job, .. } = on.job(ann).await;
    on.report(&job, on.now, PingKind::Success).await;
    let id = website.website_id;
    assert_eq!(on.store.scheduled_websites(None, 10).await.expect("websites"), []);
    assert_eq!(on.store.scheduled_website(id).await.expect("a website"), None);
    assert_eq!(on.store.scheduled_among(&[id]).await.expect("websites"), []);
    assert_eq!(on.store.unlooked_websites().await.expect("websites"), []);
    assert_eq!(on.expire(on.now + 400 * 24 * HOUR).await, []);
    on.store.shorten_verdicts(on.now).await.expect("verdicts");
    // A worker that says it is of that region has no say.
    let told = on.store.ingest(&[region_tick(&website, "ping", on.now + 1, Outcome::Down)], on.now + 2).await;
    assert_eq!((told.as_ref().map(|done| (done.new, done.orphaned))).ok(), Some((0, 1)));
    assert_eq!(on.verdict(&website).await, Outcome::Up);
    // Nor has the form of other websites.
    let edit = on.store.edit_website(ann, id, 1, &website.settings, on.now).await.expect("an answer");
    assert!(matches!(edit, Some(Edited::Meanwhile(_))));
    let names = on.store.website_names(ann, 10, &[]).await.expect("names");
    assert_eq!(names[0].url, "Nightly backup");
}

async fn an_edit_keeps_what_is_known_and_a_pause_awaits_nothing(on: Fixture) {
    let ann = on.account("ann").await.account_id;
    let KnownJob { website, job, .. } = on.job(ann).await;
    let id = website.website_id;
    on.report(&job, on.now, PingKind::Success).await;
    let plan = JobPlan { name: "Backup of the shop".to_owned(), grace_ms: HOUR, ..hourly() };
    let later = on.now + 50 * MINUTE;
    let saved = on.store.edit_job(ann, id, 1, &plan, later).await.expect("an edit").expect("the job");
    assert!(matches!(saved, Edited::Saved(ref saved) if saved.revision == 2 && saved.settings.url == plan.name));
    let again = on.store.edit_job(ann, id, 1, &hourly(), later).await.expect("an edit").expect("the job");
    assert!(matches!(again, Edited::Meanwhile(_)));
    let known = on.known(ann, id).await;
    assert_eq!((known.state.verdict, &known.job.plan), (Outcome::Up, &plan));
    assert_eq!((known.job.awaited.expected_at, known.job.awaited.since_at), (Some(later + HOUR), Some(later)));

    on.store.set_paused(ann, id, true, later).await.expect("a pause");
    assert_eq!(on.known(ann, id).await.job.missing_at(), None);
    assert_eq!(on.miss(later + 9 * HOUR).await, Missed::default());
    on.report(&job, later + HOUR, PingKind::Fail).await;
    let paused = on.known(ann, id).await;
    assert_eq!(paused.state.verdict, Outcome::Unknown, "it is kept, and changes nothing");
    assert_eq!(on.store.pings(ann, id, 10).await.expect("pings").len(), 2);

    on.store.set_paused(ann, id, false, later + 2 * HOUR).await.expect("a resumption");
    let resumed = on.known(ann, id).await;
    assert_eq!((resumed.state.fresh_until_at, resumed.job.awaited.expected_at), (None, Some(later + 3 * HOUR)));
    assert!(resumed.state.reason.contains("has not reported since"), "{}", resumed.state.reason);
    assert_eq!(on.expire(later + 4 * HOUR).await, []);
    assert_eq!(on.miss(later + 4 * HOUR + RETRIES_MS).await, Missed { down: 1, excused: 0 });
    // What is down waits for a good ping, whatever its plan says.
    on.store.edit_job(ann, id, resumed.website.revision, &hourly(), later + 5 * HOUR).await.expect("an edit");
    let down = on.known(ann, id).await;
    assert_eq!((down.state.verdict, down.job.missing_at()), (Outcome::Down, None));
}

async fn of_pings_the_last_ones_are_kept(on: Fixture) {
    let ann = on.account("ann").await.account_id;
    let KnownJob { website, job, .. } = on.job(ann).await;
    for n in 0..60 {
        on.report(&job, on.now + n * 1_000, PingKind::Success).await;
    }
    let kept = on.store.pings(ann, website.website_id, 1_000).await.expect("pings");
    assert_eq!((kept.len(), kept[0].ping.at), (50, on.now + 59_000));
    assert_eq!(on.count("select count(*) from ping").await, 50);
    assert_eq!(
        on.known(ann, website.website_id).await.job.awaited,
        Awaited {
            expected_at: Some(on.now + 59_000 + HOUR),
            since_at: Some(on.now + 59_000),
            pinged_at: Some(on.now + 59_000),
            ended_at: Some(on.now + 59_000),
            ..Awaited::default()
        }
    );
}

async fn a_plan_is_saved_with_its_ties_or_not_at_all(on: Fixture) {
    let ann = on.account("ann").await.account_id;
    let one = on.job(ann).await.website.website_id;
    let below = |parent| Ties { parent_id: Some(parent), ..Ties::default() };
    let two = on.store.add_job_tied(ann, &hourly(), &below(one), on.now).await.expect("an answer").expect("a job");
    assert!(
        on.store
            .add_job_tied(ann, &hourly(), &below(WebsiteId(uuid::Uuid::new_v4())), on.now)
            .await
            .expect("an answer")
            .is_err()
    );
    assert_eq!(on.count("select count(*) from job").await, 2);
    let plan = JobPlan { grace_ms: HOUR, ..hourly() };
    let edit = on.store.edit_job_tied(ann, one, 1, &plan, Some(&below(two)), on.now).await.expect("an answer");
    assert!(matches!(edit, Some(Edited::Refused(_))), "they would depend on each other");
    let known = on.known(ann, one).await;
    assert_eq!((known.job.plan, known.website.revision), (hourly(), 1));
}
