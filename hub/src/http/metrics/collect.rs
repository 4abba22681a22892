//! All that is told, collected: counters of this process each time, what is in database and queue at most every
//! [`KEPT_FOR`], however many ask.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::websites::{self, MOST, Told, WINDOWS};
use crate::clock;
use crate::metrics::families::{self as f, Family};
use crate::metrics::{Counts, Format, Page, seconds, write_process};
use crate::model::uptime::windows_of_days;
use crate::model::{LetterFilter, NetworkState, Region, RegionState, UtcMs, WebsiteId};
use crate::queue::Queue;
use crate::schedule::Scheduler;
use crate::store::{Store, StoreError};

/// What was read is told for so long: two Prometheus that ask every 15 s cost as much as one.
const KEPT_FOR: Duration = Duration::from_secs(12);
/// Who asks waits no longer for that: Prometheus gives up after 10 s, and would know nothing of this process while the
/// database hangs.
const WAITED_FOR: Duration = Duration::from_secs(9);
/// Regions whose queues are looked at.
const REGIONS: usize = 100;
/// Workers that are told of.
const WORKERS: usize = 1_000;
/// Dead letters that are counted.
const LETTERS: i64 = 10_000;

/// Collects.
pub struct Collector {
    store: Store,
    queue: Queue,
    scheduler: Scheduler,
    version: &'static str,
    kept: Mutex<Option<Kept>>,
}

/// What was read of database and queue.
#[derive(Clone)]
struct Kept {
    read: Instant,
    /// Gauges alone.
    text: Arc<str>,
    regions: Arc<[Region]>,
}

impl Collector {
    /// Of this hub, whose `version` is told.
    #[must_use]
    pub fn new(store: Store, queue: Queue, scheduler: Scheduler, version: &'static str) -> Self {
        Self { store, queue, scheduler, version, kept: Mutex::new(None) }
    }

    /// All of it, as of now or a moment ago.
    pub async fn text(self: Arc<Self>, format: Format) -> String {
        let collector = self.clone();
        // A task of its own, since who asks may go away meanwhile: a statement must not be left half-way (D18).
        let read = tokio::spawn(async move { collector.current().await });
        let kept = tokio::time::timeout(WAITED_FOR, read).await.ok().and_then(Result::ok);
        let mut page = Page::new(format);
        page.family(&f::BUILD_INFO);
        page.sample(&f::BUILD_INFO, &[("version", self.version)], 1);
        self.own(&mut page);
        write_process(&mut page, self.store.counts().started_at());
        match kept {
            Some(kept) => {
                workers(&mut page, &kept.regions);
                page.append(&kept.text);
            }
            None => page.one(&f::UP_TO_DATE, 0),
        }
        page.finish()
    }

    /// Whoever comes while it is read waits for that.
    async fn current(&self) -> Kept {
        let mut kept = self.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.read.elapsed() < KEPT_FOR) {
            return kept.clone();
        }
        let (began, now) = (Instant::now(), clock::now());
        // Of gauges alone the text is the same in both formats.
        let mut page = Page::new(Format::Prometheus);
        let read = self.read(&mut page, now).await;
        let regions = match read {
            Ok(regions) => {
                page.one(&f::UP_TO_DATE, 1);
                regions
            }
            Err(error) => {
                tracing::debug!(%error, "What is told to Prometheus could not be read.");
                page = Page::new(Format::Prometheus);
                page.one(&f::UP_TO_DATE, 0);
                Vec::new()
            }
        };
        page.one(&f::READ_AT, seconds(now));
        page.one(&f::READ_TOOK, began.elapsed().as_secs_f64());
        let read = Kept { read: Instant::now(), text: page.part().into(), regions: regions.into() };
        *kept = Some(read.clone());
        read
    }

    async fn read(&self, page: &mut Page, now: UtcMs) -> Result<Vec<Region>, StoreError> {
        let store = &self.store;
        let pool = store.pool_use().await?;
        let (watched, left_out) = store.all_watched(MOST).await?;
        let windows = windows_of_days(now, WINDOWS.map(|(_, days)| days));
        let uptimes = store.uptimes_of_all(&watched, MOST, &windows).await?;
        let mut states: HashMap<WebsiteId, Vec<RegionState>> = HashMap::new();
        for (id, state) in store.all_region_states(MOST).await? {
            states.entry(id).or_default().push(state);
        }
        let told: Vec<Told> = watched
            .into_iter()
            .zip(uptimes)
            .map(|(watched, uptimes)| {
                let regions = states.remove(&watched.website.website_id).unwrap_or_default();
                let watched = crate::store::Watched {
                    // On a crowded host it is looked at less often, and its newest look counts for longer.
                    website: self.scheduler.shares().paced(watched.website, now),
                    ..watched
                };
                Told::new(watched, regions, uptimes, now)
            })
            .collect();
        websites::write(page, &told, left_out);
        drop(told);
        let outbox = store.outbox(now).await?;
        page.one(&f::DEAD_LETTERS, store.count_dead_letters(&LetterFilter::default(), LETTERS).await?);
        page.one(&f::ALERTS_DUE, outbox.due);
        page.one(&f::ALERTS_OLDEST, outbox.first_due_at.map_or(0.0, |at| seconds(now.saturating_sub(at).max(0))));
        page.one(&f::ALERTS_DEAD, outbox.dead);
        page.one(&f::INCIDENTS_OPEN, outbox.incidents);
        page.one(&f::COUNT_DUE, outbox.to_count_again);
        let progress = store.roll_up_progress().await?;
        page.one_known(&f::COUNTED_UNTIL, progress.map(|progress| seconds(progress.hours.at)));
        page.family(&f::CONNECTIONS);
        page.sample(&f::CONNECTIONS, &[("state", "in_use")], pool.in_use);
        page.sample(&f::CONNECTIONS, &[("state", "idle")], pool.idle);
        page.one(&f::CONNECTIONS_LIMIT, pool.most);
        page.one(&f::CONNECTION_WAIT, pool.waited.as_secs_f64());
        let regions = store.regions().await?;
        self.queues(page, &regions).await;
        Ok(regions)
    }

    /// What waits in each region. A queue that is away is told of by what is missing.
    async fn queues(&self, page: &mut Page, regions: &[Region]) {
        let mut rows = Vec::new();
        let ids: BTreeSet<_> = regions.iter().map(|region| &region.region_id).collect();
        for region in ids.into_iter().take(REGIONS) {
            let Ok(lag_ms) = self.queue.next_waits_ms(region).await else { break };
            // Of a region that is long gone there is no stream.
            let Ok(waiting) = self.queue.waiting(region).await else { continue };
            rows.push((region, waiting, lag_ms));
        }
        let counts = self.store.counts();
        page.family(&f::QUEUE_WAITING);
        for (region, waiting, _) in &rows {
            page.sample(&f::QUEUE_WAITING, &[("region", region.as_str())], waiting);
        }
        page.family(&f::QUEUE_LIMIT);
        for (region, most) in rows.iter().filter_map(|(region, ..)| Some((region, counts.limit(region)?))) {
            page.sample(&f::QUEUE_LIMIT, &[("region", region.as_str())], most);
        }
        page.family(&f::QUEUE_LAG);
        for (region, lag_ms) in rows.iter().filter_map(|(region, _, lag_ms)| Some((region, (*lag_ms)?))) {
            page.sample(&f::QUEUE_LAG, &[("region", region.as_str())], seconds(lag_ms));
        }
        let all = regions.iter().flat_map(|region| region.workers.iter().map(|w| (&region.region_id, &w.worker_id)));
        let all: Vec<_> = all.take(WORKERS).collect();
        page.family(&f::QUEUE_REPORTS);
        for ((region, worker), waiting) in all.iter().zip(self.queue.reports_waiting(&all).await.unwrap_or_default()) {
            let labels = [("region", region.as_str()), ("worker", worker.as_str())];
            page.sample(&f::QUEUE_REPORTS, &labels, waiting);
        }
    }

    /// What this process counts.
    fn own(&self, page: &mut Page) {
        let counts = self.store.counts();
        page.family(&f::LATENESS);
        page.times(&f::LATENESS, &[], &counts.lateness);
        page.family(&f::PUBLISHED);
        for (kind, count) in counts.published_by_kind() {
            page.sample(&f::PUBLISHED, &[("kind", kind)], count);
        }
        let missed = &counts.missed;
        let by_reason = [
            ("late", &missed.late),
            ("region_full", &missed.region_full),
            ("expired", &missed.expired),
            ("dropped", &missed.dropped),
        ];
        labelled(page, &f::MISSED, "reason", &by_reason);
        let by_result =
            [("new", &counts.ticks_new), ("duplicate", &counts.ticks_known), ("orphaned", &counts.ticks_orphaned)];
        labelled(page, &f::TICKS, "result", &by_result);
        page.one(&f::TICKS_LATE, counts.ticks_late.get());
        page.one(&f::LETTERS, counts.letters.get());
        page.family(&f::BATCH);
        page.times(&f::BATCH, &[], &counts.ingest_batch);
        let vitals = self.scheduler.vitals();
        page.one(&f::BEHIND, seconds(vitals.behind_ms()));
        page.one(&f::PARTS_STANDING, vitals.standing().len());
        if !self.store.is_sqlite() {
            page.family(&f::STATEMENTS);
            page.times(&f::STATEMENTS, &[], &counts.statements);
            page.one(&f::TIMEOUTS, counts.statement_timeouts.get());
            page.one(&f::SILENCES, counts.silences.get());
        }
        page.one_known(&f::PACKED_UNTIL, counts.packed_until_at.get().map(seconds));
        requests(page, counts);
        let open = counts.accepted.get().saturating_sub(counts.closed.get());
        page.one(&f::FRONT_CONNECTIONS, open);
        page.one_known(&f::FRONT_LIMIT, counts.front_limit.get());
        page.one(&f::FRONT_LISTENERS, counts.listening.get().saturating_sub(counts.listened.get()));
        page.one_known(&f::FRONT_LISTENERS_LIMIT, counts.listener_limit.get());
        let kept =
            [("kept", &counts.cache_fresh), ("stale", &counts.cache_stale), ("application", &counts.cache_asked)];
        labelled(page, &f::FRONT_CACHE, "from", &kept);
        page.one_known(&f::FRONT_CERTIFICATE, counts.certificate_ends.get().map(seconds));
        page.one(&f::FRONT_ACCEPTED, counts.accepted.get());
        let refused = [
            ("connections", &counts.refused_all),
            ("client", &counts.refused_client),
            ("request", &counts.refused_request),
            ("busy", &counts.refused_busy),
            ("idle", &counts.evicted),
            ("listener", &counts.refused_listener),
        ];
        labelled(page, &f::FRONT_REFUSED, "reason", &refused);
        let throttled =
            [("sign_in", &counts.refused_sign_in), ("ping", &counts.refused_ping), ("api", &counts.refused_api)];
        labelled(page, &f::THROTTLED, "what", &throttled);
        page.one(&f::AUDIT_LOST, counts.audit_lost.get());
        labelled(page, &f::BADGES, "from", &[("memory", &counts.badges_kept), ("database", &counts.badges_made)]);
    }
}

fn labelled(page: &mut Page, family: &Family, label: &str, counters: &[(&str, &crate::metrics::Counter)]) {
    page.family(family);
    for (value, counter) in counters {
        page.sample(family, &[(label, value)], counter.get());
    }
}

fn requests(page: &mut Page, counts: &Counts) {
    const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    page.family(&f::REQUESTS);
    counts.routes(|method, route, answered| {
        for (class, counter) in CLASSES.iter().zip(&answered.by_class).filter(|(_, counter)| counter.get() > 0) {
            page.sample(&f::REQUESTS, &[("method", method), ("route", route), ("status", class)], counter.get());
        }
    });
    page.family(&f::REQUEST_TIMES);
    counts.routes(|method, route, answered| {
        page.times(&f::REQUEST_TIMES, &[("method", method), ("route", route)], &answered.times);
    });
}

#[allow(clippy::cast_precision_loss, reason = "checks of one worker are far below 2^52")]
fn workers(page: &mut Page, regions: &[Region]) {
    let all: Vec<_> =
        regions.iter().flat_map(|region| region.workers.iter().map(move |worker| (region, worker))).collect();
    let all = all.get(..all.len().min(WORKERS)).unwrap_or_default();
    let mut each = |family: &Family, value: fn(&crate::model::Worker) -> f64| {
        page.family(family);
        for (region, worker) in all {
            let labels = [("region", region.region_id.as_str()), ("worker", worker.worker_id.as_str())];
            page.sample(family, &labels, value(worker));
        }
    };
    each(&f::WORKER_SEEN, |worker| seconds(worker.seen_at));
    each(&f::WORKER_WORKS, |worker| match worker.network {
        NetworkState::CutOff | NetworkState::NoNames => 0.0,
        NetworkState::Unasked | NetworkState::Works => 1.0,
    });
    each(&f::WORKER_CLOCK, |worker| seconds(worker.clock_offset_ms));
    each(&f::WORKER_CONCURRENCY, |worker| f64::from(worker.concurrency));
    each(&f::WORKER_CHECKS, |worker| worker.checks as f64);
    each(&f::WORKER_EXCUSED, |worker| worker.excused as f64);
}
