//! The history, judged by the rules of the hub: looks around whatever went wrong go through ingest, in the order of time, so that
//! verdicts, incidents and alerts are as they would have been. In between, where nothing happens, there is little to look at.

use std::collections::{BTreeMap, BTreeSet};

use super::made::Made;
use super::people::Deeds;
use super::scene::SITES;
use super::seen::{Look, interval_ms, tick};
use super::story::{DAY, MINUTE, Story, places};
use crate::model::{AfterTry, CheckKind, Outcome, PingId, PingKind, StoredTick, UtcMs, WebsiteId};
use crate::store::{Store, TryRecord};

/// The last part, in which every website is looked at as often as it is from then on.
const LIVELY_MS: i64 = 30 * MINUTE;
/// Before that, for so long, looks are as far apart as this.
const RECENT_MS: i64 = 2 * DAY;
const RECENT_EVERY_MS: i64 = 15 * MINUTE;
/// The last looks come so long before the end.
const LAST_BEFORE_MS: i64 = 21_000;

/// Looks at a trouble that are judged each by itself, since something may follow from each.
const AT_FIRST: i64 = 4;

/// Something that happens.
#[derive(Debug)]
pub(super) enum Act {
    /// Websites are looked at.
    Looks(Vec<StoredTick>),
    /// A job reports.
    Ping(PingId, PingKind, Option<u8>, &'static str),
    /// Jobs that have not reported are looked for.
    Miss,
    /// A person does something.
    Deed(Deeds),
}

/// Acts by their time; those of one instant in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Acts(BTreeMap<UtcMs, Vec<Act>>);

impl Acts {
    pub(super) fn add(&mut self, at: UtcMs, act: Act) {
        self.0.entry(at).or_default().push(act);
    }

    /// Looks at some websites at once, from everywhere.
    fn look(&mut self, made: &Made, story: &Story, at: UtcMs, sites: &[usize], kind: CheckKind) -> anyhow::Result<()> {
        let mut ticks = Vec::new();
        for site in sites {
            ticks.extend(round(made, story, at, *site, kind)?);
        }
        self.looks_came(at, ticks);
        Ok(())
    }

    fn looks_came(&mut self, at: UtcMs, ticks: Vec<StoredTick>) {
        let came_at = ticks.iter().map(|tick| tick.received_at).max().unwrap_or(at);
        self.add(came_at + 1, Act::Looks(ticks));
    }

    /// All looks that are judged.
    pub(super) fn looks(&mut self, made: &Made, story: &Story) -> anyhow::Result<()> {
        let lively = story.end - LIVELY_MS;
        for trouble in story.troubles() {
            let (site, from) = (trouble.site, trouble.during.start);
            let interval_ms = interval_ms(site);
            self.look(made, story, from - interval_ms / 2, &[site], CheckKind::Scheduled)?;
            // Who sees it first, and then the others, asked at once.
            let first = trouble.only.unwrap_or(site % places());
            let seen = one(made, story, site, first, from, CheckKind::Scheduled)?;
            let told_at = seen.as_ref().map_or(from, |tick| tick.received_at);
            self.looks_came(from, seen.into_iter().collect());
            let mut others = Vec::new();
            for place in (0..places()).filter(|place| *place != first) {
                others.extend(one(made, story, site, place, told_at + 40, CheckKind::Confirm)?);
            }
            self.looks_came(told_at, others);
            let end = trouble.during.end.min(lively);
            let rest = from + AT_FIRST * interval_ms;
            let mut at = from + interval_ms;
            while at < end.min(rest) {
                self.look(made, story, at, &[site], CheckKind::Scheduled)?;
                at += interval_ms;
            }
            // As it is by then it stays: a backlog that is taken in at once leaves the same.
            let mut more = Vec::new();
            while at < end {
                more.extend(round(made, story, at, site, CheckKind::Scheduled)?);
                at += interval_ms;
            }
            self.looks_came(at, more);
            for more in 0..2 {
                let at = trouble.during.end + 1_000 + more * interval_ms;
                if at < lively {
                    self.look(made, story, at, &[site], CheckKind::Scheduled)?;
                }
            }
        }
        self.certificates(made, story)?;
        self.lively(made, story)
    }

    /// A certificate that is near its end is told of in steps; at each of them somebody looks.
    fn certificates(&mut self, made: &Made, story: &Story) -> anyhow::Result<()> {
        let near = SITES.iter().position(|site| site.key == "northpay").unwrap_or(0);
        for before in [15 * DAY, 8 * DAY, DAY] {
            self.look(made, story, story.end - before, &[near], CheckKind::Scheduled)?;
        }
        Ok(())
    }

    /// At the end all websites are looked at, as often as they will be.
    fn lively(&mut self, made: &Made, story: &Story) -> anyhow::Result<()> {
        let mut rounds: BTreeMap<UtcMs, Vec<usize>> = BTreeMap::new();
        for site in 0..SITES.len() {
            let mut before = LAST_BEFORE_MS;
            while before < LIVELY_MS {
                rounds.entry(story.end - before).or_default().push(site);
                before += interval_ms(site);
            }
        }
        for (at, sites) in rounds {
            self.look(made, story, at, &sites, CheckKind::Scheduled)?;
        }
        Ok(())
    }

    /// Does all of it. Returns how many changes of verdict came of it.
    pub(super) async fn play(
        self,
        store: &Store,
        made: &Made,
        deeds: impl AsyncFn(Deeds, UtcMs) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let (mut changes, mut seen_at) = (0, BTreeMap::new());
        for (at, acts) in self.0 {
            for act in acts {
                match act {
                    Act::Looks(ticks) if ticks.is_empty() => {}
                    Act::Looks(ticks) => {
                        keep_fresh(store, &ticks, &mut seen_at).await?;
                        let done = store.ingest(&ticks, at).await?;
                        changes += done.transitions.len();
                        if !done.transitions.is_empty() {
                            store.review_incidents(at - at.rem_euclid(5_000) + 5_000).await?;
                            deliver(store, made, at + 400).await?;
                        }
                    }
                    Act::Ping(ping_id, kind, exit_code, said) => {
                        let ping = crate::model::Ping { at, kind, exit_code, said: said.to_owned() };
                        store.take_ping(ping_id, &ping).await?;
                        deliver(store, made, at + 400).await?;
                    }
                    Act::Miss => {
                        store.miss_pings(at).await?;
                        deliver(store, made, at + 400).await?;
                    }
                    Act::Deed(deed) => {
                        deeds(deed, at).await?;
                        deliver(store, made, at + 400).await?;
                    }
                }
            }
        }
        Ok(changes)
    }
}

/// A look at a website from each place.
fn round(made: &Made, story: &Story, at: UtcMs, site: usize, kind: CheckKind) -> anyhow::Result<Vec<StoredTick>> {
    let mut ticks = Vec::new();
    for place in 0..places() {
        ticks.extend(one(made, story, site, place, at, kind)?);
    }
    Ok(ticks)
}

/// A look at a website from a place.
fn one(
    made: &Made,
    story: &Story,
    site: usize,
    place: usize,
    at: UtcMs,
    kind: CheckKind,
) -> anyhow::Result<Option<StoredTick>> {
    let Some(website_id) = made.watched(site, place, at) else { return Ok(None) };
    // Never two of a website at one instant; around a trouble when it is said, otherwise not all websites at once.
    let slot_at = if story.is_told(site, at) && kind != CheckKind::First {
        at + place as i64 * 217
    } else {
        at - (site as i64 * 631 + place as i64 * 217) % 9_000
    };
    let attempt = u16::from(kind == CheckKind::Confirm);
    tick(story, made.host, &Look { site, website_id, place, slot_at, attempt, kind })
}

/// Nobody looked for long, and nothing has changed: what was known holds until this look.
async fn keep_fresh(
    store: &Store,
    ticks: &[StoredTick],
    seen_at: &mut BTreeMap<WebsiteId, UtcMs>,
) -> anyhow::Result<()> {
    let Some(at) = ticks.iter().map(|tick| tick.received_at).max() else { return Ok(()) };
    let ids: BTreeSet<WebsiteId> = ticks.iter().map(|tick| tick.tick.website_id).collect();
    let is_stale = |id: &WebsiteId| seen_at.get(id).is_none_or(|seen| at - seen > 100_000);
    let stale: BTreeSet<WebsiteId> = ids.iter().copied().filter(is_stale).collect();
    if !stale.is_empty() {
        store.put_freshness(&stale, at + 1).await?;
    }
    seen_at.extend(ids.into_iter().map(|id| (id, at)));
    Ok(())
}

/// What is to be told reaches its receivers, most of it at once.
async fn deliver(store: &Store, made: &Made, at: UtcMs) -> anyhow::Result<()> {
    loop {
        let due = store.claim_alerts(at, 50).await?;
        if due.is_empty() {
            return Ok(());
        }
        for alert in due {
            let chance = super::dice::below(40, &[at, i64::from(alert.tries)]);
            let is_old = at < made.end - 20 * DAY;
            let (after, said, took_ms) = match (chance, alert.tries) {
                (0, 0) if is_old => (AfterTry::At(at + 30_000), "No answer within 10 s.", 10_000),
                (_, _) => (AfterTry::Delivered, "204 No Content", 38 + chance * 3),
            };
            let made = TryRecord { at, took_ms, result: after.result(), said, after };
            store.record_try(&alert, made).await?;
        }
    }
}

/// Results of the last days beside those that were judged: nothing happened in them.
pub(super) fn quiet(made: &Made, story: &Story) -> anyhow::Result<Vec<StoredTick>> {
    let mut ticks = Vec::new();
    for site in 0..SITES.len() {
        let mut at = story.end - RECENT_MS;
        while at < story.end - LIVELY_MS - 5 * MINUTE {
            for place in 0..places() {
                if !story.is_told(site, at) {
                    let tick = one(made, story, site, place, at, CheckKind::Scheduled)?;
                    ticks.extend(tick.filter(|tick| tick.tick.outcome != Outcome::Down));
                }
            }
            at += RECENT_EVERY_MS;
        }
    }
    Ok(ticks)
}

/// The first looks of all, a moment after they were added.
pub(super) fn first(acts: &mut Acts, made: &Made, story: &Story) -> anyhow::Result<()> {
    let all: Vec<usize> = (0..SITES.len()).collect();
    acts.look(made, story, made.begin + 12_000, &all, CheckKind::First)
}
