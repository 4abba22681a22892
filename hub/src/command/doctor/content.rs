//! What is in the database: hubs that run, channels, room, history, what was given up.

use probe::doctor::Finding;

use super::{Schema, with};
use crate::clock;
use crate::config::Config;
use crate::model::UtcMs;
use crate::model::operator::{HubReport, LetterCount};
use crate::operator::capacity::{Capacity, bytes_words};
use crate::store::{ChannelFacts, Store};

/// A hub says every ten seconds that it is there.
pub(super) const SILENT_MS: i64 = 60_000;
/// A disk that is full within so many days is worth a word, and within so few more than that.
const NOTED_DAYS: u32 = 60;
const WRONG_DAYS: u32 = 7;

pub(super) async fn examine(config: &Config, store: &Store, schema: Schema, found: &mut Vec<Finding>) {
    let (now, retention, directory) = (clock::now(), config.retention, config.state_directory.clone());
    let [a, b, c, d, e] = [(); 5].map(|()| store.clone());
    found.push(with("hubs", schema, async move { a.hubs().await }, |all| hubs(&all, now)).await);
    found.push(with("channels", schema, async move { b.channel_facts().await }, channels).await);
    let read = async move { Capacity::read(&c, retention, &directory, now).await };
    found.push(with("capacity", schema, read, |found| capacity(&found)).await);
    found.push(with("history", schema, async move { d.count_damaged_blocks().await }, history).await);
    found.push(with("letters", schema, async move { e.letter_count().await }, |all| letters(&all)).await);
}

fn hubs(all: &[HubReport], now: UtcMs) -> Finding {
    let area = "hubs";
    let living: Vec<&HubReport> = all.iter().filter(|hub| now.saturating_sub(hub.seen_at) < SILENT_MS).collect();
    let late: Vec<String> = living
        .iter()
        .filter(|hub| hub.late_since_at.is_some())
        .map(|hub| format!("{} ({})", hub.name, hub.late))
        .collect();
    let away: Vec<&str> = living.iter().filter(|hub| hub.queue_away_since_at.is_some()).map(|hub| &*hub.name).collect();
    if living.is_empty() {
        return Finding::warn(area, "no hub runs on this database", "start one: betteruptime-hub");
    }
    let names: Vec<&str> = living.iter().map(|hub| &*hub.name).collect();
    if !late.is_empty() {
        let said = format!("stands still: {}", late.join(", "));
        return Finding::fail(area, said, "its log says why; systemd and docker start it again when it ends");
    }
    if !away.is_empty() {
        let said = format!("cannot reach Redis: {}", away.join(", "));
        return Finding::fail(area, said, "see what is said of Redis, and the hub's log");
    }
    Finding::ok(area, format!("hubs that run: {}", names.join(", ")))
}

fn channels(facts: ChannelFacts) -> Finding {
    let area = "channels";
    let ChannelFacts { on, unusable, broken } = facts;
    if unusable > 0 {
        let said = format!("{unusable} of {on} channels lack a mail server, a sender or a receiver, or cannot be read");
        return Finding::fail(area, said, "open the channel's page and save it anew");
    }
    if broken > 0 {
        let said = format!("channels on: {on}; given up and switched off: {broken}");
        return Finding::warn(area, said, "the channel's page says why: put it right, and switch it on");
    }
    if on == 0 {
        return Finding::warn(area, "no channel is on: nobody is told", "add one on the page Channels");
    }
    Finding::ok(area, format!("channels on: {on}"))
}

fn capacity(found: &Capacity) -> Finding {
    let area = "capacity";
    let (now, full) = found.foretold();
    let mut said = format!(
        "predicted {}, used {}; {} when history is full ({} days); a day adds {}",
        bytes_words(now),
        bytes_words(found.used.total),
        bytes_words(full),
        found.plan.retention_days,
        bytes_words(found.plan.growth_a_day(found.at)),
    );
    let Some((free, total)) = found.space else { return Finding::ok(area, said) };
    let lasts = found.full_in_days();
    let days = lasts.map_or_else(|| "more than ten years".to_owned(), |days| format!("{days} days"));
    said += &format!("; {} of {} free, enough for {days}", bytes_words(free), bytes_words(total));
    let remedy = "make room, or keep less: a lower RETENTION_DAYS, longer intervals, fewer regions";
    match lasts {
        Some(..WRONG_DAYS) => Finding::fail(area, said, remedy),
        Some(WRONG_DAYS..NOTED_DAYS) => Finding::warn(area, said, remedy),
        Some(NOTED_DAYS..) | None => Finding::ok(area, said),
    }
}

fn history(damaged: i64) -> Finding {
    let area = "history";
    if damaged == 0 {
        return Finding::ok(area, "no block is known to be damaged");
    }
    let remedy = "which: betteruptime-hub history show <website>, or the view sealed_tick_summary. Restore their rows of sealed_tick \
                  from a backup, with damaged_at and damage null";
    Finding::fail(area, format!("damaged blocks, not shown: {damaged}"), remedy)
}

fn letters(all: &LetterCount) -> Finding {
    let area = "letters";
    if all.count == 0 {
        return Finding::ok(area, "there are no dead letters");
    }
    let kinds: Vec<String> = all.kinds.iter().map(|(words, count)| format!("{count} {words}")).collect();
    let remedy =
        "betteruptime-hub dead-letters list shows them; replay or discard them there or on the page Dead letters";
    Finding::warn(area, format!("{} dead letters wait: {}", all.count, kinds.join(", ")), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::capacity::{Costs, Load, Plan};
    use crate::store::UsedBytes;
    use probe::doctor::State;

    #[test]
    fn channels_that_tell_nobody_are_told() {
        for (on, unusable, broken, level) in
            [(2, 0, 0, State::Ok), (0, 0, 0, State::Warn), (1, 0, 1, State::Warn), (1, 1, 1, State::Fail)]
        {
            assert_eq!(channels(ChannelFacts { on, unusable, broken }).state, level);
        }
    }

    #[test]
    fn a_disk_that_is_full_soon_is_wrong() {
        let loads = vec![Load { websites: 1_000, interval_ms: 60_000, regions: 5, age_ms: 0, retention_days: None }];
        let of = |space: Option<(u64, u64)>| {
            let plan = Plan { loads: loads.clone(), retention_days: 400, costs: Costs::SQLITE };
            capacity(&Capacity { plan, used: UsedBytes::default(), space, at: 1_795_737_600_000 }).state
        };
        let gb = 1_000_000_000;
        assert_eq!(of(None), State::Ok, "of Postgres nobody here knows");
        assert_eq!((of(Some((gb, gb))), of(Some((100_000 * gb, 100_000 * gb)))), (State::Fail, State::Ok));
    }

    #[test]
    fn hubs_are_running_late_or_none() {
        let hub = HubReport {
            name: "a-3001".to_owned(),
            seen_at: 1_000_000,
            hears_since_at: Some(1),
            queue_away_since_at: None,
            late: String::new(),
            late_since_at: None,
            late_at: None,
            space: None,
            full_at: None,
        };
        let level = |hub: &HubReport, now| hubs(std::slice::from_ref(hub), now).state;
        assert_eq!((level(&hub, 1_005_000), level(&hub, 1_100_000)), (State::Ok, State::Warn));
        let late = HubReport { late: "ingest".to_owned(), late_since_at: Some(1), ..hub.clone() };
        let away = HubReport { queue_away_since_at: Some(1), ..hub };
        assert_eq!((level(&late, 1_005_000), level(&away, 1_005_000)), (State::Fail, State::Fail));
    }
}
