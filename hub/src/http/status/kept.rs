//! Pages in memory: a crowd costs the database one reading every few seconds, and while the database is slow or away people are
//! shown what was there before, with its time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::http::App;
use crate::model::status_page::{DAYS, Day, day_windows};
use crate::model::uptime::DAY_MS;
use crate::model::{Uptime, UtcMs, WebsiteId};
use crate::store::{PageName, PublicPage, Store, StoreError};

/// What was read counts as new for so long. The front keeps answers for ten seconds more: what changes is seen within fifteen.
const FRESH_MS: i64 = 5_000;
/// Days are counted anew so often: but for today they do not change.
const DAYS_FRESH_MS: i64 = 300_000;
/// After trouble the database is left alone for so long.
const AGAIN_MS: i64 = 2_000;
/// How long one waits who could be shown what was there before, and who could not.
const PATIENCE: Duration = Duration::from_millis(400);
const LONG_PATIENCE: Duration = Duration::from_secs(4);
/// Pages, and about how many bytes of them.
const MOST: usize = 1_000;
const BYTES: usize = 16 * 1024 * 1024;

/// A page as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http) struct Shown {
    /// The page.
    pub(in crate::http) public: PublicPage,
    /// How each component spent its days, and all of them; none where the page does not show that.
    pub(in crate::http) days: HashMap<WebsiteId, (Vec<Day>, Uptime)>,
    /// When the days were counted.
    days_at: UtcMs,
    /// When all else was read.
    pub(in crate::http) read_at: UtcMs,
}

impl Shown {
    fn bytes(&self) -> usize {
        let days = self.days.values().map(|(days, _)| days.len() * size_of::<Day>() + 100).sum::<usize>();
        let said = |post: &crate::model::status_page::Post| {
            300 + post.title.len() + post.updates.iter().map(|update| 100 + update.said.len()).sum::<usize>()
        };
        let posts = self.public.posts.iter().map(said).sum::<usize>();
        let logo = self.public.logo.as_ref().map_or(0, |logo| logo.bytes.len());
        let rest =
            self.public.components.len() * 300 + self.public.outages.len() * 50 + self.public.maintenance.len() * 400;
        2_000 + days + posts + logo + rest
    }
}

/// Reads a page. `before`: as it was read last; its days are taken over while they are new.
pub(in crate::http) async fn read(
    store: &Store,
    name: &PageName,
    before: Option<&Shown>,
    now: UtcMs,
) -> Result<Option<Shown>, StoreError> {
    let Some(public) = store.public_page(name, now - DAYS * DAY_MS).await? else { return Ok(None) };
    let mut shown = Shown { public, days: HashMap::new(), days_at: now, read_at: now };
    if !shown.public.page.plan.shows_uptime {
        return Ok(Some(shown));
    }
    let known = before.filter(|before| {
        let is_new = (0..DAYS_FRESH_MS).contains(&(now - before.days_at)) && before.days_at / DAY_MS == now / DAY_MS;
        is_new && shown.public.components.iter().all(|one| before.days.contains_key(&one.website_id))
    });
    if let Some(before) = known {
        (shown.days, shown.days_at) = (before.days.clone(), before.days_at);
        return Ok(Some(shown));
    }
    let account = shown.public.page.account_id;
    let all = store.public_days(account, &shown.public.components, now).await?;
    let windows = day_windows(now);
    for (id, uptimes) in all {
        let mut sum = Uptime::default();
        uptimes.iter().for_each(|uptime| sum.merge(uptime));
        let days = windows.iter().zip(&uptimes).map(|(window, uptime)| Day::of(window.from_at, uptime)).collect();
        shown.days.insert(id, (days, sum));
    }
    Ok(Some(shown))
}

#[derive(Debug, Default)]
struct Slot {
    /// `None`: not read yet, or there was no such page.
    shown: Option<Arc<Shown>>,
    is_read: bool,
    read_at_ms: i64,
    again_at_ms: i64,
    asking: Option<watch::Receiver<()>>,
    used_at_ms: i64,
    bytes: usize,
}

/// All of them.
#[derive(Debug, Default, Clone)]
pub struct KeptPages(Arc<Mutex<HashMap<PageName, Slot>>>);

/// Nothing can be said of a page: the database does not answer, and nothing was there before.
#[derive(Debug)]
pub(super) struct NotNow;

impl KeptPages {
    /// A page as it is, or as it was a moment ago, or, while the database does not answer, as it was before. `None`: there is
    /// none of this name.
    pub(super) fn find(&self, app: &App, name: &PageName) -> Result<Option<Arc<Shown>>, NotNow> {
        let now_ms = steady_ms();
        let (old, waits, starts) = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !all.contains_key(name) {
                make_room(&mut all, now_ms);
            }
            let slot = all.entry(name.clone()).or_default();
            slot.used_at_ms = now_ms;
            if slot.is_read && now_ms - slot.read_at_ms < FRESH_MS {
                return Ok(slot.shown.clone());
            }
            let mut starts = None;
            if slot.asking.is_none() && now_ms >= slot.again_at_ms {
                let (done, waits) = watch::channel(());
                slot.asking = Some(waits);
                starts = Some(done);
            }
            (slot.shown.clone(), slot.asking.clone(), starts)
        };
        let is_first = starts.is_some();
        if let Some(done) = starts {
            let (kept, store, name, old) = (self.clone(), app.store.clone(), name.clone(), old.clone());
            app.spawn(async move {
                let began_ms = steady_ms();
                // A reading that panics must not keep the page from being read again.
                let reading = tokio::spawn({
                    let (name, old) = (name.clone(), old.clone());
                    async move { read(&store, &name, old.as_deref(), clock::now()).await }
                });
                match reading.await {
                    Ok(Ok(found)) => kept.put(&name, found, began_ms),
                    Ok(Err(error)) => {
                        tracing::warn!(%error, "A status page could not be read; what was there before is shown.");
                        kept.failed(&name);
                    }
                    Err(panic) => {
                        tracing::error!(%panic, "Reading a status page made the hub fail.");
                        kept.failed(&name);
                    }
                }
                drop(done);
            });
        }
        if let Some(old) = &old
            && !is_first
        {
            // Somebody else asks already.
            return Ok(Some(old.clone()));
        }
        if let Some(mut waits) = waits {
            let patience = if old.is_some() { PATIENCE } else { LONG_PATIENCE };
            // Ends with an error, when it is done. Made on the runtime: a timer needs one.
            let _ = app.wait(async { tokio::time::timeout(patience, waits.changed()).await });
        }
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(name) {
            Some(slot) if slot.is_read && steady_ms() - slot.read_at_ms < FRESH_MS + 1_000 => Ok(slot.shown.clone()),
            Some(Slot { shown: Some(old), .. }) => Ok(Some(old.clone())),
            Some(_) | None => old.map(Some).ok_or(NotNow),
        }
    }

    fn put(&self, name: &PageName, found: Option<Shown>, read_at_ms: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = all.entry(name.clone()).or_default();
        slot.bytes = found.as_ref().map_or(0, Shown::bytes);
        (slot.shown, slot.is_read) = (found.map(Arc::new), true);
        (slot.read_at_ms, slot.again_at_ms, slot.asking) = (read_at_ms, 0, None);
        make_room(&mut all, read_at_ms);
    }

    fn failed(&self, name: &PageName) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = all.get_mut(name) {
            (slot.asking, slot.again_at_ms) = (None, steady_ms() + AGAIN_MS);
        }
    }

    /// A page was changed here: whoever asks next is shown how it is now. By its id, since its names may be others now.
    pub(in crate::http) fn changed(&self, id: crate::model::status_page::StatusPageId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in all.values_mut() {
            if slot.shown.as_ref().is_some_and(|shown| shown.public.page.status_page_id == id) {
                slot.is_read = false;
            }
        }
    }
}

/// Names that lead nowhere go first, then what nobody asked for for longest.
fn make_room(all: &mut HashMap<PageName, Slot>, now_ms: i64) {
    let bytes = |all: &HashMap<PageName, Slot>| all.values().map(|slot| slot.bytes).sum::<usize>();
    if all.len() < MOST && bytes(all) <= BYTES {
        return;
    }
    all.retain(|_, slot| slot.asking.is_some() || slot.shown.is_some() || now_ms - slot.used_at_ms < FRESH_MS / 5);
    while all.len() >= MOST || bytes(all) > BYTES {
        let oldest = all.iter().filter(|(_, slot)| slot.asking.is_none());
        let Some(name) =
            oldest.min_by_key(|(_, slot)| (slot.shown.is_some(), slot.used_at_ms)).map(|(name, _)| name.clone())
        else {
            return;
        };
        all.remove(&name);
    }
}

fn steady_ms() -> i64 {
    clock::steady_us().div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slug(n: usize) -> PageName {
        PageName::Slug(format!("p{n}"))
    }

    #[test]
    fn names_that_lead_nowhere_push_nothing_out() {
        let kept = KeptPages::default();
        let slot = |used_at_ms, bytes| Slot { is_read: true, used_at_ms, bytes, ..Slot::default() };
        {
            let mut all = kept.0.lock().unwrap();
            all.extend((0..MOST).map(|n| (slug(n), slot(n as i64, 0))));
            make_room(&mut all, 10_000_000);
            assert!(all.is_empty());
            all.insert(slug(1), slot(1, BYTES));
            all.insert(slug(2), slot(2, BYTES / 2));
            make_room(&mut all, 2);
            assert!(all.contains_key(&slug(2)) && !all.contains_key(&slug(1)), "who was asked for last stays");
        }
    }
}
