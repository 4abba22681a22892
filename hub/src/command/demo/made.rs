//! What the account of the demo has from its first day on: its websites, jobs, channels and windows, from a file as everybody
//! could write one.

use std::cell::Cell;
use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use super::counted;
use super::past::{Act, Acts};
use super::scene::{PLACES, SITES, Where};
use super::story::{DAY, DAYS, HOUR, MINUTE};
use crate::model::manifest::{Context, Manifest, Plan, Reference, Spec, Write};
use crate::model::retention::Retention;
use crate::model::{
    Account, Heartbeat, NetworkState, PingKind, RegionId, SecretText, TargetRules, UtcMs, WebsiteId, WorkerId,
};
use crate::new_id;
use crate::store::{Applied, Store};

/// What was made.
#[derive(Debug)]
pub(super) struct Made {
    pub host: Where,
    /// The history, from when to when.
    pub begin: UtcMs,
    pub end: UtcMs,
    pub account: Account,
    /// Websites and jobs by the key they have in the file.
    ids: BTreeMap<String, WebsiteId>,
    /// Where a website is watched from, where that is not everywhere.
    regions: BTreeMap<WebsiteId, Vec<RegionId>>,
}

/// When the old shop was switched off.
pub(super) const PAUSED_BEFORE_MS: i64 = 12 * DAY + 3 * HOUR;

impl Made {
    /// Adds all of it to the account.
    pub(super) async fn of_file(store: &Store, account: Account, host: Where, end: UtcMs) -> anyhow::Result<Self> {
        let begin = counted::begin(end);
        let regions = PLACES.iter().map(|place| Ok(place.names()?.0)).collect::<anyhow::Result<Vec<_>>>()?;
        let state = store.managed_state(account.account_id).await?;
        let drawn = Cell::new(0_u32);
        let secrets = |reference: &Reference| Ok(secret(host, &reference.to_string()));
        let context = Context {
            rules: &TargetRules::default(),
            retention: Retention::DEFAULT,
            regions: &regions,
            now: begin,
            secrets: &secrets,
            new_id: &new_id::ordered,
            random: &|| {
                drawn.set(drawn.get() + 1);
                Sha256::digest(drawn.get().to_be_bytes()).into()
            },
        };
        let text = host.file(end);
        let manifest = match Manifest::read(&text, &state, &context) {
            Ok(manifest) => manifest,
            Err(problems) => {
                let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
                bail!("the file of the demo is wrong: {}", told.join("; "));
            }
        };
        let plan = Plan::new(&manifest, &state, false, begin);
        match store.apply_manifest(account.account_id, &plan.name, &plan.writes, begin).await? {
            Applied::Done => {}
            other => bail!("the file of the demo could not be applied: {other:?}"),
        }
        store.release(account.account_id).await?;
        let mut made = Self { host, begin, end, account, ids: BTreeMap::new(), regions: BTreeMap::new() };
        for write in &plan.writes {
            let Write::Add { id, key, spec, .. } = write else { continue };
            match spec {
                Spec::Website(website) => {
                    made.ids.insert(key.clone(), WebsiteId(*id));
                    made.regions.insert(WebsiteId(*id), website.settings.regions.clone());
                }
                Spec::Job(_) => drop(made.ids.insert(key.clone(), WebsiteId(*id))),
                Spec::Channel(_) | Spec::Maintenance(_) | Spec::StatusPage(_) => {}
            }
        }
        Ok(made)
    }

    /// The website or job with this key.
    pub(super) fn id(&self, key: &str) -> anyhow::Result<WebsiteId> {
        self.ids.get(key).copied().with_context(|| format!("the file of the demo has no {key}"))
    }

    /// The website at a place of [`SITES`], if it is looked at from a place of [`PLACES`] at that time.
    pub(super) fn watched(&self, site: usize, place: usize, at: UtcMs) -> Option<WebsiteId> {
        let (site, place) = (SITES.get(site)?, PLACES.get(place)?);
        let id = self.ids.get(site.key).copied()?;
        let regions = self.regions.get(&id)?;
        let is_paused = site.key == "legacy" && at >= self.end - PAUSED_BEFORE_MS;
        let is_there = regions.is_empty() || regions.iter().any(|region| region.as_str() == place.region);
        (is_there && !is_paused).then_some(id)
    }

    /// Signs of life of all workers at `at`.
    pub(super) async fn beat(&self, store: &Store, at: UtcMs) -> anyhow::Result<()> {
        let mut beats: Vec<(RegionId, WorkerId, Heartbeat, UtcMs)> = Vec::new();
        for (n, place) in PLACES.iter().enumerate() {
            let (region, worker) = place.names()?;
            let received_at = at - 1_000 * (2 + n as i64);
            let beat = Heartbeat {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started_at: self.begin,
                sent_at: received_at + [3, -11, 6].get(n).copied().unwrap_or(0),
                concurrency: 50,
                checks: u64::try_from((at - self.begin) / 7_400 + n as i64 * 311).unwrap_or(0),
                network: NetworkState::Works,
                excused: if n == 1 { 4 } else { 0 },
                in_flight: [2, 1, 0].get(n).copied().unwrap_or(0),
                ..Heartbeat::default()
            };
            beats.push((region, worker, beat, received_at));
        }
        store.record_heartbeats(&beats, at).await?;
        Ok(())
    }

    /// What the jobs reported.
    pub(super) async fn pings(&self, store: &Store, acts: &mut Acts) -> anyhow::Result<()> {
        let of = async |key: &str| -> anyhow::Result<crate::model::Job> {
            let known = store.job(self.account.account_id, self.id(key)?).await?;
            Ok(known.with_context(|| format!("there is no job {key}"))?.job)
        };
        let backup = of("nightly-backup").await?;
        let mut at = self.begin;
        while let Some(due) = backup.plan.expected_after(at).filter(|due| *due < self.end - HOUR) {
            let start = due + 4_000;
            let took = 11 * MINUTE + super::dice::below(6 * MINUTE, &[due]);
            acts.add(start, Act::Ping(backup.ping_id, PingKind::Start, None, ""));
            let is_bad = (8 * DAY..9 * DAY).contains(&(self.end - due));
            if is_bad {
                acts.add(
                    start + took,
                    Act::Ping(backup.ping_id, PingKind::Fail, Some(28), "rsync: No space left on device (28)"),
                );
                acts.add(
                    start + took + 47 * MINUTE,
                    Act::Ping(backup.ping_id, PingKind::Success, Some(0), "after clean-up: 41.2 GiB"),
                );
            } else {
                acts.add(
                    start + took,
                    Act::Ping(backup.ping_id, PingKind::Success, Some(0), "41.0 GiB, 3 tables skipped"),
                );
            }
            at = due;
        }
        let invoices = of("invoice-export").await?;
        let last = self.end - 31 * HOUR;
        for day in (0..DAYS).rev() {
            acts.add(last - day * DAY, Act::Ping(invoices.ping_id, PingKind::Success, None, "214 invoices"));
        }
        acts.add(last + DAY + HOUR + MINUTE, Act::Miss);
        let feed = of("feed-sync").await?;
        for n in (0..4 * DAYS).rev() {
            let at = self.end - 13 * MINUTE - n * 6 * HOUR;
            acts.add(at, Act::Ping(feed.ping_id, PingKind::Success, Some(0), "1,204 products"));
        }
        Ok(())
    }
}

/// What stands for the secrets that the file names.
fn secret(host: Where, name: &str) -> Option<SecretText> {
    Some(SecretText::new(match name {
        "ON_CALL" => host.receiver("on-call"),
        "SECOND_LINE" => host.receiver("second-line"),
        "CHAT" => "https://hooks.slack.com/services/T0DEM0/B0DEM0/lantern".to_owned(),
        _ => return None,
    }))
}
