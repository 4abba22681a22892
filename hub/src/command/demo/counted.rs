//! What ninety days come to: hours and days as counting would have left them, of a look every interval.

use super::made::Made;
use super::scene::{PLACES, SITES};
use super::seen::{Seen, interval_ms, seen};
use super::story::{DAY, DAYS, Fault, HOUR, Story, places};
use crate::model::roll_up::{Grain, HOURS_KEPT_DAYS, RollUp};
use crate::model::{RegionId, UtcMs, WebsiteId};
use crate::store::Store;

/// Of which website, since when, from where.
type Key = (WebsiteId, UtcMs, RegionId);
type Row = (Key, RollUp);

/// Instants of an hour that one chooses from, and those of a day of which hours are not kept.
const INSTANTS: i64 = 40;
/// So many of them are looked at.
const DRAWN: usize = 10;

/// Puts hours and days.
pub(super) async fn put(store: &Store, made: &Made, story: &Story) -> anyhow::Result<()> {
    let (hour_until, day_until) = (Grain::Hour.settled_until(story.end), Grain::Day.settled_until(story.end));
    let hours_from = Grain::Day.start_of(hour_until) - i64::from(HOURS_KEPT_DAYS) * DAY;
    let (mut hours, mut days) = (Vec::new(), Vec::new());
    for site in 0..SITES.len() {
        for place in 0..places() {
            let mut at = Grain::Day.start_of(made.begin) + DAY;
            while at < hour_until {
                let step = if at >= hours_from { HOUR } else { DAY };
                let mut day = RollUp::default();
                let day_end = Grain::Day.end_of(at);
                while at < day_end.min(hour_until) {
                    let Some(row) = row(made, story, site, place, at, step)? else { break };
                    day.merge(&row.1);
                    if step == HOUR {
                        hours.push(row);
                    }
                    at += step;
                }
                let of_day = key(made, site, place, day_end - DAY)?;
                days.extend(of_day.filter(|_| day.ticks > 0 && day_end <= day_until).map(|key| (key, day)));
                at = day_end;
            }
        }
    }
    store.put_roll_ups(Grain::Hour, &hours).await?;
    store.put_roll_ups(Grain::Day, &days).await?;
    Ok(())
}

fn key(made: &Made, site: usize, place_at: usize, at: UtcMs) -> anyhow::Result<Option<Key>> {
    let (Some(id), Some(place)) = (made.watched(site, place_at, at), PLACES.get(place_at)) else { return Ok(None) };
    Ok(Some((id, at, place.names()?.0)))
}

/// An hour, or a day.
fn row(made: &Made, story: &Story, site: usize, place: usize, at: UtcMs, ms: i64) -> anyhow::Result<Option<Row>> {
    let Some(key) = key(made, site, place, at)? else { return Ok(None) };
    let looks = ms / interval_ms(site);
    let span = at..at + ms;
    let of = |share_ms: i64| looks * share_ms / ms;
    let down = of(story.share_ms(site, place, &span, Fault::is_down));
    let slow = of(story.share_ms(site, place, &span, Fault::is_slow)).min(looks - down);
    let of_span = if ms > HOUR { 2 * DRAWN } else { DRAWN };
    let sample = |wanted: fn(Option<Fault>) -> bool, count: i64| {
        let mut drawn = RollUp::default();
        let instant = |n: i64| at + n * ms / INSTANTS;
        let chosen: Vec<i64> = (0..INSTANTS).filter(|n| wanted(story.fault(site, place, instant(*n)))).collect();
        for n in chosen.iter().step_by((chosen.len() / of_span).max(1)) {
            if let Some(seen) = seen(story, site, place, instant(*n)) {
                drawn.count(&Seen::counted(&seen));
            }
        }
        scaled(&drawn, count)
    };
    let mut all = sample(|fault| fault.is_none(), looks - down - slow);
    all.merge(&sample(|fault| fault.is_some_and(Fault::is_slow), slow));
    // Those that failed, and of those that were drawn whatever could not be divided.
    let failed = down.max(0);
    all.merge(&RollUp { ticks: failed, down: failed, ..RollUp::default() });
    Ok(Some((key, all)))
}

/// About so many of what was drawn: as many times all of it as fit.
fn scaled(drawn: &RollUp, count: i64) -> RollUp {
    let (mut all, mut doubled) = (RollUp::default(), drawn.clone());
    let mut times = if drawn.ticks > 0 { count / drawn.ticks } else { 0 };
    while times > 0 {
        if times % 2 == 1 {
            all.merge(&doubled);
        }
        times /= 2;
        if times > 0 {
            let again = doubled.clone();
            doubled.merge(&again);
        }
    }
    all
}

/// When the history begins, so that there are whole days of it.
pub(super) fn begin(end: UtcMs) -> UtcMs {
    Grain::Day.start_of(end - DAYS * DAY) - 9 * HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::roll_up::CountedTick;
    use crate::model::{Outcome, Phases};

    #[test]
    fn what_was_drawn_stands_for_as_many_as_there_were() {
        let mut drawn = RollUp::default();
        for us in [1_000, 3_000] {
            let phases = Phases { wait_us: Some(us), ..Phases::default() };
            drawn.count(&CountedTick { outcome: Outcome::Up, late: false, phases, total_us: us });
        }
        let all = scaled(&drawn, 21);
        assert_eq!((all.ticks, all.up, all.latency.count(), all.total_us), (20, 20, 20, 40_000));
        assert_eq!((all.least_us, all.most_us), (Some(1_000), Some(3_000)));
        assert_eq!(scaled(&drawn, 1).ticks, 0);
        assert_eq!(scaled(&RollUp::default(), 5).ticks, 0);
    }
}
