//! `replay <website>`: counts its verdicts again from the stored ticks, by today's rules, and holds them against what was
//! decided when the ticks came. Reads only.

use anyhow::bail;
use serde_json::json;

use super::table;
use crate::clock;
use crate::config::Config;
use crate::model::recount::{Compared, Recount, Recounted, compare, is_changed_unseen};
use crate::model::{Transition, UtcMs, Website, WebsiteId, WebsiteKind, WebsiteState, host_of};
use crate::run;
use crate::store::{Store, TickWalk};

const DAY_MS: i64 = 86_400_000;
/// Changes compared at once, a few MB of them.
const MOST_CHANGES: usize = 10_000;
/// Ticks in memory, beside those that wait for their turn.
const PAGE: i64 = 1_000;

/// What is asked for.
#[derive(Debug)]
pub struct Asked {
    /// Which website, of whatever account: who can run this owns the installation.
    pub website_id: WebsiteId,
    /// From when on; a day before the end if not said.
    pub from: Option<jiff::Timestamp>,
    /// Until when; now if not said.
    pub to: Option<jiff::Timestamp>,
    /// As JSON.
    pub json: bool,
}

/// `replay`: whether all changes of verdict come out as they are stored.
///
/// # Errors
/// There is no such website, the time is none, there is too much in it, or the database is away.
pub async fn replay(config: &Config, asked: &Asked) -> anyhow::Result<bool> {
    let now = clock::now();
    let to = asked.to.map_or(now, |at| at.as_millisecond()).min(now);
    let from = asked.from.map_or(to.saturating_sub(DAY_MS), |at| at.as_millisecond());
    if from >= to {
        bail!("--from has to be before --to, and in the past");
    }
    let store = run::open_store_beside(config).await?;
    let told = count(&store, asked.website_id, from, to).await;
    store.close().await;
    let told = told?;
    if asked.json {
        println!("{}", serde_json::to_string_pretty(&told.as_json())?);
    } else {
        print!("{}", told.as_text());
    }
    Ok(told.agrees())
}

/// What is told.
#[derive(Debug)]
struct Told {
    website: Website,
    from: UtcMs,
    to: UtcMs,
    /// The last change before, from which the count began.
    began_with: Option<Transition>,
    lines: Vec<Compared>,
    counted: u64,
    late: u64,
    /// What could not be known.
    caveats: Vec<&'static str>,
}

async fn count(store: &Store, id: WebsiteId, from: UtcMs, to: UtcMs) -> anyhow::Result<Told> {
    let Some((website, watched_since_at)) = store.website_of_any(id).await? else {
        bail!("there is no website {id}; its id is in the address of its page");
    };
    if website.kind == WebsiteKind::Job {
        bail!("{id} is a job that reports itself: what it said is what holds, and there is nothing to count again");
    }
    let account = website.account_id;
    let most = i64::try_from(MOST_CHANGES).unwrap_or(i64::MAX);
    let within = store.transitions_in_order(account, id, &(from..=to), most + 1).await?;
    if within.len() > MOST_CHANGES {
        bail!(
            "its verdict changed more than {MOST_CHANGES} times in this time; choose a shorter one with --from and --to"
        );
    }
    let kept = i64::try_from(WebsiteState::CHANGES).unwrap_or(i64::MAX) + 1;
    let before = store.transitions_before(account, id, 0, from, kept).await?;
    let mut again = Recount::new(website.clone(), watched_since_at, from, &before, &within);
    let slots = from.saturating_sub(Recount::warm_up_ms(&website))..=to;
    let mut walk = TickWalk::new(account, id, slots);
    loop {
        let page = store.next_ticks(&mut walk, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for tick in page {
            again.add(tick);
        }
        if again.changes() > MOST_CHANGES {
            bail!("counted again, its verdict changes more than {MOST_CHANGES} times; choose a shorter time");
        }
    }
    let Recounted { transitions, counted, late } = again.finish(to);
    let near_ms = website.settings.interval_ms + website.settings.timeout_ms;
    let mut caveats = vec!["Its settings are those of now, and so is how often it is checked on a crowded host."];
    if watched_since_at > from {
        caveats.push("It was edited, paused or resumed in this time: what was asked before is not known any more.");
    }
    if is_changed_unseen(watched_since_at, from, &within) {
        caveats.push("The last such change came while its state was unknown; others like it left no trace.");
    }
    if before.is_empty() && website.created_at < from {
        caveats.push("No change is stored from before: the count begins with nothing known.");
    }
    Ok(Told {
        lines: compare(&within, &transitions, near_ms),
        began_with: before.into_iter().next(),
        website,
        from,
        to,
        counted,
        late,
        caveats,
    })
}

impl Told {
    fn differences(&self) -> usize {
        self.lines.iter().filter(|line| !line.agrees()).count()
    }

    fn agrees(&self) -> bool {
        self.differences() == 0
    }

    fn as_text(&self) -> String {
        let host = host_of(&self.website.settings.url).unwrap_or_default();
        let mut text = format!(
            "Website {} on {host}, from {} to {} UTC.\n",
            self.website.website_id,
            utc(self.from),
            utc(self.to)
        );
        text += &match &self.began_with {
            Some(change) => format!("Before, it was {} since {} UTC.\n", change.to, utc(change.at)),
            None => "Before, nothing was known.\n".to_owned(),
        };
        text += &format!("Ticks counted again: {}; too late to have a vote: {}.\n", self.counted, self.late);
        for caveat in &self.caveats {
            text += &format!("Note: {caveat}\n");
        }
        text.push('\n');
        if self.lines.is_empty() {
            text += "No change of verdict is stored, and none is counted.\n";
            return text;
        }
        let rows = self.lines.iter().map(|line| {
            let cells = |change: &Option<Transition>| match change {
                Some(change) => [utc(change.at), change.to.to_string()],
                None => ["-".to_owned(), "-".to_owned()],
            };
            let [stored_at, stored] = cells(&line.stored);
            let [again_at, again] = cells(&line.again);
            let why = line.again.as_ref().or(line.stored.as_ref()).map_or("", |change| change.reason.as_str());
            let sign = if line.agrees() { "=" } else { "!" };
            [sign.to_owned(), stored_at, stored, again_at, again, why.to_owned()].to_vec()
        });
        text += &table(&["", "STORED (UTC)", "VERDICT", "COUNTED AGAIN (UTC)", "VERDICT", "WHY"], rows);
        text.push('\n');
        text += &match (self.differences(), self.lines.len()) {
            (0, all) => format!("All agree: {all}.\n"),
            (some, all) => format!("Differences: {some} of {all}; they are marked with an exclamation mark.\n"),
        };
        text
    }

    fn as_json(&self) -> serde_json::Value {
        let change = |change: &Option<Transition>| {
            change.as_ref().map(|change| {
                json!({
                    "at": rfc3339(change.at),
                    "decided_at": rfc3339(change.decided_at),
                    "from": change.from,
                    "to": change.to,
                    "reason": change.reason,
                })
            })
        };
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|line| json!({"agrees": line.agrees(), "stored": change(&line.stored), "counted_again": change(&line.again)}))
            .collect();
        json!({
            "website_id": self.website.website_id,
            "from": rfc3339(self.from),
            "to": rfc3339(self.to),
            "began_with": change(&self.began_with),
            "ticks_counted": self.counted,
            "ticks_late": self.late,
            "notes": self.caveats,
            "differences": self.differences(),
            "changes": lines,
        })
    }
}

/// To the millisecond, as slots are.
fn utc(at: UtcMs) -> String {
    let at = jiff::Timestamp::from_millisecond(at);
    at.map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
}

fn rfc3339(at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}
