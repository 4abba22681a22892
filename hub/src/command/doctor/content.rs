//! What is in the database: hubs that run, channels, room, history, what was given up.

use super::{Finding, with};
use crate::clock;
use crate::config::Config;
use crate::model::UtcMs;
use crate::model::operator::{HubReport, LetterCount};
use crate::operator::capacity::{Capacity, bytes_words};
use crate::store::{ChannelFacts, Store};

/// A hub says every ten seconds that it is there.
const SILENT_MS: i64 = 60_000;
/// A disk that is full within so many days is worth a word, and within so few more than that.
const NOTED_DAYS: u32 = 60;
const WRONG_DAYS: u32 = 7;

pub(super) async fn examine(config: &Config, store: Option<&Store>, found: &mut Vec<Finding>) {
    let now = clock::now();
    found.push(with(store, "hubs", async |store| store.hubs().await, |all| hubs(&all, now)).await);
    found.push(with(store, "channels", async |store| store.channel_facts().await, channels).await);
    let (retention, directory) = (config.retention, config.state_directory.clone());
    let read = async move |store: Store| Capacity::read(&store, retention, &directory, now).await;
    found.push(with(store, "capacity", read, |found| capacity(&found)).await);
    found.push(with(store, "history", async |store| store.count_damaged_blocks().await, history).await);
    found.push(with(store, "dead_letters", async |store| store.letter_count().await, |all| letters(&all)).await);
}

fn hubs(all: &[HubReport], now: UtcMs) -> Finding {
    let check = "hubs";
    let living: Vec<&HubReport> = all.iter().filter(|hub| now.saturating_sub(hub.seen_at) < SILENT_MS).collect();
    let late: Vec<String> = living
        .iter()
        .filter(|hub| hub.late_since_at.is_some())
        .map(|hub| format!("{} ({})", hub.name, hub.late))
        .collect();
    let away: Vec<&str> = living.iter().filter(|hub| hub.queue_away_since_at.is_some()).map(|hub| &*hub.name).collect();
    if living.is_empty() {
        return Finding::note(check, "none runs on this database", "Start one: betteruptime-hub.");
    }
    let names: Vec<&str> = living.iter().map(|hub| &*hub.name).collect();
    if !late.is_empty() {
        let said = format!("stands still: {}", late.join(", "));
        return Finding::wrong(check, said, "Its log says why; systemd and docker start it again when it ends.");
    }
    if !away.is_empty() {
        let said = format!("cannot reach Redis: {}", away.join(", "));
        return Finding::wrong(check, said, "See what is said of Redis, and the hub's log.");
    }
    Finding::fine(check, format!("{} running: {}", names.len(), names.join(", ")))
}

fn channels(facts: ChannelFacts) -> Finding {
    let check = "channels";
    let ChannelFacts { on, unusable, broken } = facts;
    if unusable > 0 {
        let said = format!("{unusable} of {on} lack a mail server, a sender or a receiver, or cannot be read");
        return Finding::wrong(check, said, "Open the channel's page and save it anew.");
    }
    if broken > 0 {
        let said = format!("{on} on; {broken} given up and switched off");
        return Finding::note(check, said, "The channel's page says why: put it right, and switch it on.");
    }
    if on == 0 {
        return Finding::note(check, "none is on: nobody is told", "Add one on the page Channels.");
    }
    Finding::fine(check, format!("{on} on"))
}

fn capacity(found: &Capacity) -> Finding {
    let check = "capacity";
    let (now, full) = found.foretold();
    let mut said = format!(
        "predicted {}, used {}; {} when history is full ({} days); a day adds {}",
        bytes_words(now),
        bytes_words(found.used.total),
        bytes_words(full),
        found.plan.retention_days,
        bytes_words(found.plan.growth_a_day(found.at)),
    );
    let Some((free, total)) = found.space else { return Finding::fine(check, said) };
    let lasts = found.full_in_days();
    let days = lasts.map_or_else(|| "more than ten years".to_owned(), |days| format!("{days} days"));
    said += &format!("; {} of {} free, enough for {days}", bytes_words(free), bytes_words(total));
    let remedy = "Make room, or keep less: a lower RETENTION_DAYS, longer intervals, fewer regions.";
    match lasts {
        Some(..WRONG_DAYS) => Finding::wrong(check, said, remedy),
        Some(WRONG_DAYS..NOTED_DAYS) => Finding::note(check, said, remedy),
        Some(NOTED_DAYS..) | None => Finding::fine(check, said),
    }
}

fn history(damaged: i64) -> Finding {
    let check = "history";
    if damaged == 0 {
        return Finding::fine(check, "no block is known to be damaged");
    }
    let remedy = "Which: betteruptime-hub history show <website>, or the view sealed_tick_summary. Restore their rows of sealed_tick \
                  from a backup, with damaged_at and damage null.";
    Finding::wrong(check, format!("damaged blocks, not shown: {damaged}"), remedy)
}

fn letters(all: &LetterCount) -> Finding {
    let check = "dead_letters";
    if all.count == 0 {
        return Finding::fine(check, "none");
    }
    let kinds: Vec<String> = all.kinds.iter().map(|(words, count)| format!("{count} {words}")).collect();
    let remedy =
        "betteruptime-hub dead-letters list shows them; replay or discard them there or on the page Dead letters.";
    Finding::note(check, format!("{} wait: {}", all.count, kinds.join(", ")), remedy)
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::model::capacity::{Costs, Load, Plan};
    use crate::store::UsedBytes;

    #[test]
    fn channels_that_tell_nobody_are_told() {
        for (on, unusable, broken, level) in
            [(2, 0, 0, Level::Fine), (0, 0, 0, Level::Note), (1, 0, 1, Level::Note), (1, 1, 1, Level::Wrong)]
        {
            assert_eq!(channels(ChannelFacts { on, unusable, broken }).level, level);
        }
    }

    #[test]
    fn a_disk_that_is_full_soon_is_wrong() {
        let loads = vec![Load { websites: 1_000, interval_ms: 60_000, regions: 5, age_ms: 0 }];
        let of = |space: Option<(u64, u64)>| {
            let plan = Plan { loads: loads.clone(), retention_days: 400, costs: Costs::SQLITE };
            capacity(&Capacity { plan, used: UsedBytes::default(), space, at: 1_795_737_600_000 }).level
        };
        let gb = 1_000_000_000;
        assert_eq!(of(None), Level::Fine, "of Postgres nobody here knows");
        assert_eq!((of(Some((gb, gb))), of(Some((100_000 * gb, 100_000 * gb)))), (Level::Wrong, Level::Fine));
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
        let level = |hub: &HubReport, now| hubs(std::slice::from_ref(hub), now).level;
        assert_eq!((level(&hub, 1_005_000), level(&hub, 1_100_000)), (Level::Fine, Level::Note));
        let late = HubReport { late: "ingest".to_owned(), late_since_at: Some(1), ..hub.clone() };
        let away = HubReport { queue_away_since_at: Some(1), ..hub };
        assert_eq!((level(&late, 1_005_000), level(&away, 1_005_000)), (Level::Wrong, Level::Wrong));
    }
}
