//! `history show|export <website>`: what is stored of it, for people and their scripts. Nothing is changed, but that a block
//! that turns out to be damaged is marked so.

use std::io::Write as _;

use anyhow::bail;
use serde_json::json;

use super::table;
use crate::clock;
use crate::config::Config;
use crate::model::{StoredTick, UtcMs, Website, WebsiteId};
use crate::run;
use crate::store::{SealedBlock, Store, TickWalk};

const DAY_MS: i64 = 86_400_000;
/// Ticks in memory.
const PAGE: i64 = 1_000;
/// Blocks shown.
const BLOCKS: i64 = 1_000;

/// What is asked for.
#[derive(Debug)]
pub struct Asked {
    /// Which website, of whatever account: who can run this owns the installation.
    pub website_id: WebsiteId,
    /// From when on; a day before the end if not said.
    pub from: Option<jiff::Timestamp>,
    /// Until when; now if not said.
    pub to: Option<jiff::Timestamp>,
}

impl Asked {
    fn span(&self) -> anyhow::Result<(UtcMs, UtcMs)> {
        let to = self.to.map_or_else(clock::now, |at| at.as_millisecond());
        let from = self.from.map_or(to.saturating_sub(DAY_MS), |at| at.as_millisecond());
        if from >= to {
            bail!("--from has to be before --to");
        }
        Ok((from, to))
    }
}

async fn website(store: &Store, id: WebsiteId) -> anyhow::Result<Website> {
    match store.website_of_any(id).await? {
        Some((website, _)) => Ok(website),
        None => bail!("there is no website {id}; its id is in the address of its page"),
    }
}

/// `history show`: which blocks there are; `false`: some are damaged.
///
/// # Errors
/// There is no such website, the time is none, or the database is away.
pub async fn show(config: &Config, asked: &Asked, json: bool) -> anyhow::Result<bool> {
    let (from, to) = asked.span()?;
    let store = run::open_store_beside(config).await?;
    website(&store, asked.website_id).await?;
    let blocks = store.sealed_blocks(asked.website_id, from, to, BLOCKS).await;
    store.close().await;
    let blocks = blocks?;
    if json {
        let blocks: Vec<_> = blocks.iter().map(as_json).collect();
        println!("{}", serde_json::to_string_pretty(&blocks)?);
    } else {
        print!("{}", as_text(&blocks));
    }
    Ok(blocks.iter().all(|block| block.damage.is_none()))
}

fn as_text(blocks: &[SealedBlock]) -> String {
    if blocks.is_empty() {
        return "No day of this time is packed (yet); `history export` has the ticks.\n".to_owned();
    }
    let rows = blocks.iter().map(|block| {
        let each = block.bytes as f64 / block.ticks.max(1) as f64;
        let damage = block.damage.clone().unwrap_or_default();
        let texts = [rfc3339(block.from_at), rfc3339(block.to_at), block.region_id.clone(), block.ticks.to_string()];
        texts.into_iter().chain([block.bytes.to_string(), format!("{each:.1}"), damage]).collect()
    });
    let mut text = table(&["FIRST SLOT", "LAST SLOT", "REGION", "TICKS", "BYTES", "EACH", "DAMAGE"], rows);
    if blocks.len() as i64 == BLOCKS {
        text += "There may be more; choose a shorter time with --from and --to.\n";
    }
    text
}

fn as_json(block: &SealedBlock) -> serde_json::Value {
    json!({
        "first_slot": rfc3339(block.from_at),
        "last_slot": rfc3339(block.to_at),
        "region": block.region_id,
        "ticks": block.ticks,
        "bytes": block.bytes,
        "damage": block.damage,
    })
}

/// `history export`: all ticks of the time, packed or not, oldest first: one JSON object a line; `false`: there are more, in
/// blocks that are damaged.
///
/// # Errors
/// There is no such website, the time is none, or the database is away.
pub async fn export(config: &Config, asked: &Asked) -> anyhow::Result<bool> {
    let (from, to) = asked.span()?;
    let store = run::open_store_beside(config).await?;
    let account = website(&store, asked.website_id).await?.account_id;
    let mut walk = TickWalk::new(account, asked.website_id, from..=to);
    let mut out = std::io::BufWriter::new(std::io::stdout());
    loop {
        let page = store.next_ticks(&mut walk, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for tick in &page {
            serde_json::to_writer(&mut out, &line(tick))?;
            writeln!(out)?;
        }
    }
    out.flush()?;
    // Known only now: a block is found to be damaged by reading it.
    let missing = store.count_ticks_in_damage(asked.website_id, from, to).await?;
    store.close().await;
    if missing > 0 {
        eprintln!("This is not all: {missing} ticks are in blocks that are damaged, see `history show`.");
    }
    Ok(missing == 0)
}

fn line(tick: &StoredTick) -> serde_json::Value {
    json!({
        "region": tick.region_id,
        "worker": tick.worker_id,
        "received_at": rfc3339(tick.received_at),
        "late": tick.marks.late,
        "clamped": tick.marks.clamped,
        "tick": tick.tick,
    })
}

fn rfc3339(at: UtcMs) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| format!("{at:.3}"))
}
