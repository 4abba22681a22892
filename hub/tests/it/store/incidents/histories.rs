//! Random histories: I3 and I9.

use super::*;

on_both! {
    i3_every_opening_and_every_end_that_is_told_is_told_once_a_channel
    i9_the_incidents_are_the_same_for_every_order_and_repetition
}

/// Numbers that are random enough, and the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn outcome(&mut self, before: Outcome) -> Outcome {
        match self.roll(10) {
            0..6 => before,
            6..8 => Outcome::Up,
            _ => Outcome::Down,
        }
    }
}

const TURNS: i64 = 30;

/// A round a minute of each website; hosts fail together more often than not.
fn history(dice: &mut Dice, websites: &[Website], start: UtcMs) -> Vec<Vec<StoredTick>> {
    let mut said = vec![Outcome::Up; websites.len()];
    (0..TURNS)
        .map(|n| {
            let mut ticks = Vec::new();
            for (place, website) in websites.iter().enumerate() {
                said[place] =
                    if place % 2 == 1 && dice.roll(3) > 0 { said[place - 1] } else { dice.outcome(said[place]) };
                let o = said[place];
                let odd = if dice.roll(5) == 0 { Outcome::Up } else { o };
                ticks.extend(round(website, start + n * MINUTE, [("a", o), ("b", o), ("c", odd)]));
            }
            ticks
        })
        .collect()
}

async fn websites(f: &Fixture, account: AccountId) -> Vec<Website> {
    let mut all = Vec::new();
    for host in ["one", "two"] {
        for path in ["x", "y"] {
            all.push(f.website_at(account, &format!("https://{host}.example/{path}")).await);
        }
    }
    all
}

async fn i3_every_opening_and_every_end_that_is_told_is_told_once_a_channel(f: Fixture) {
    let account = f.account("ann").await.account_id;
    f.channel("mail", true, true, 0).await;
    f.channel("chat", true, true, 0).await;
    f.channel("off", false, true, 0).await;
    let websites = websites(&f, account).await;
    let start = f.now - 50 * MINUTE;
    let mut dice = Dice(0x5eed);
    for (n, ticks) in history(&mut dice, &websites, start).into_iter().enumerate() {
        let at = start + n as i64 * MINUTE + 2_000;
        f.store.ingest(&ticks, at).await.expect("ingest");
        if dice.roll(4) == 0 {
            f.store.ingest(&ticks, at).await.expect("given again");
        }
        f.store.review_incidents(at).await.expect("a review");
        if dice.roll(3) == 0 {
            f.deliver().await;
        }
    }
    let all = f.incidents(account).await;
    assert!(all.len() > 5, "this test is about many: {}", all.len());
    let wrong = |what: &str, event: &str| {
        format!(
            "select count(*) from incident i where {what} and muted_by is null and (select count(*) from alert a \
             where a.incident_id = i.incident_id and a.event = '{event}' and a.state <> 'cancelled') <> 2"
        )
    };
    assert_eq!(f.count(wrong("opened_at > 0", "opened").leak()).await, 0);
    assert_eq!(f.count(wrong("closed_at is not null", "resolved").leak()).await, 0);
    let silent = "select count(*) from alert join incident using (incident_id) where muted_by is not null \
        or channel_name = 'off' or (event = 'resolved' and closed_at is null)";
    assert_eq!(f.count(silent).await, 0);
    let lost = "select count(*) from website_state s where (verdict = 'down') <> exists (select 1 from incident_website w \
        join incident i using (incident_id) where w.website_id = s.website_id and w.ended_at is null \
        and i.closed_at is null and i.kind = 'outage')";
    assert_eq!(f.count(lost).await, 0, "what is down is in an outage, and nothing else is");
    let over = "select count(*) from incident i where (closed_at is null) <> exists (select 1 from incident_website w \
        where w.incident_id = i.incident_id and w.ended_at is null)";
    assert_eq!(f.count(over).await, 0);
    let counted = "select count(*) from incident i where websites <> (select count(*) from incident_website w \
        where w.incident_id = i.incident_id)";
    assert_eq!(f.count(counted).await, 0);
}

async fn i9_the_incidents_are_the_same_for_every_order_and_repetition(f: Fixture) {
    let mut known: Option<Vec<_>> = None;
    for turn in 0..4_u64 {
        let account = f.account(&format!("ann{turn}")).await.account_id;
        let websites = websites(&f, account).await;
        let start = f.now - 50 * MINUTE;
        let turns = history(&mut Dice(0xface), &websites, start);
        let mut dice = Dice(turn + 1);
        // The first as they come, the others as backlogs of a few minutes, shuffled, and given again.
        let some = if turn == 0 { 1 } else { 10 };
        for ticks in turns.chunks(some) {
            let mut ticks = ticks.concat();
            let at = ticks.iter().map(|t| t.received_at).max().unwrap_or(f.now);
            if turn > 0 {
                for n in (1..ticks.len()).rev() {
                    let other = dice.roll(n as u64 + 1) as usize;
                    ticks.swap(n, other);
                }
                let again = ticks[..ticks.len() / 3].to_vec();
                ticks.extend(again);
            }
            f.store.ingest(&ticks, at).await.expect("ingest");
            f.store.ingest(&ticks, at + 1).await.expect("given again");
        }
        let mut all: Vec<_> = f.incidents(account).await.iter().map(essence).collect();
        // Websites' ids are other ones in each turn.
        for (place, website) in websites.iter().enumerate() {
            let id = website.website_id.to_string();
            all.iter_mut().for_each(|essence| essence.1 = essence.1.replace(&id, &place.to_string()));
        }
        all.sort_by(|a, b| (a.3, &a.1, a.4).cmp(&(b.3, &b.1, b.4)));
        assert!(all.len() > 5, "{all:?}");
        match &known {
            None => known = Some(all),
            Some(known) => assert_eq!(&all, known, "turn {turn}"),
        }
    }
}
