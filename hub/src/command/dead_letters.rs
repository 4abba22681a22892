//! `dead-letters list | show | replay | discard`, beside a running hub on either database. A replay is asked for in the
//! database, and the hub that runs does it: only a hub can have a website checked.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::{record, table};
use crate::clock;
use crate::config::Config;
use crate::http::api::dead_letters::shown;
use crate::model::{LetterFilter, LetterId, masked};
use crate::run;
use crate::store::Store;

/// Letters in one statement.
const AT_ONCE: i64 = 1_000;
/// Counted no further.
const COUNTED: i64 = 1_000_000;
/// For a hub to do something about what was asked.
const PATIENCE: Duration = Duration::from_secs(15);
const PAYLOAD_BYTES: usize = 256 * 1024;

/// One letter, or all that fit.
#[derive(Debug)]
pub enum Which {
    /// This one.
    One(LetterId),
    /// All that fit.
    All(LetterFilter),
}

/// `dead-letters list`: newest first.
///
/// # Errors
/// The database cannot be reached.
pub async fn list(config: &Config, filter: &LetterFilter, limit: u16, json: bool) -> anyhow::Result<()> {
    let store = run::open_store_beside(config).await?;
    let letters = store.kept_letters(filter, None, i64::from(limit)).await?;
    if json {
        let letters: Vec<_> = letters.iter().map(|letter| shown(letter, 4 * 1024)).collect();
        println!("{}", serde_json::to_string_pretty(&letters)?);
    } else if letters.is_empty() {
        println!("There are no dead letters.");
    } else {
        let rows = letters.iter().map(|letter| {
            let at = jiff::Timestamp::from_millisecond(letter.created_at);
            let at = at.map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string());
            let (region, worker) = letter.origin().map_or((None, None), |(region, worker)| (Some(region), worker));
            let from = [region.map(|r| r.to_string()), worker.map(|w| w.to_string())];
            let from: Vec<String> = from.into_iter().flatten().collect();
            let reason: String = masked::text(&letter.reason).chars().take(80).collect();
            vec![letter.letter_id.to_string(), at, letter.kind.clone(), from.join("/"), reason.replace('\n', " ")]
        });
        print!("{}", table(&["ID", "WHEN (UTC)", "KIND", "FROM", "REASON"], rows));
        let all = store.count_dead_letters(filter, COUNTED).await?;
        if usize::try_from(all).is_ok_and(|all| all > letters.len()) {
            println!("\nThe newest {} of {all}; --limit shows more.", letters.len());
        }
    }
    store.close().await;
    Ok(())
}

/// `dead-letters show`: all that is kept of one, secrets masked.
///
/// # Errors
/// There is no such letter.
pub async fn show(config: &Config, id: LetterId) -> anyhow::Result<()> {
    let store = run::open_store_beside(config).await?;
    let Some(letter) = store.kept_letter(id).await? else { bail!("there is no dead letter {id}") };
    store.close().await;
    println!("{}", serde_json::to_string_pretty(&shown(&letter, PAYLOAD_BYTES))?);
    Ok(())
}

/// `dead-letters discard`.
///
/// # Errors
/// There is no such letter.
pub async fn discard(config: &Config, which: &Which) -> anyhow::Result<()> {
    let store = run::open_store_beside(config).await?;
    match which {
        Which::One(id) => {
            if !store.discard_dead_letter(*id).await? {
                bail!("there is no dead letter {id}");
            }
            println!("Discarded.");
            record(&store, "dead-letters discard", "discarded", "dead letter", &id.to_string()).await;
        }
        Which::All(filter) => {
            let (now, mut count) = (clock::now(), 0);
            loop {
                match store.discard_dead_letters(filter, now, AT_ONCE).await? {
                    0 => break,
                    done => count += done,
                }
            }
            println!("Discarded: {count}.");
            record(&store, "dead-letters discard", "discarded", "dead letter", &format!("{count} of them")).await;
        }
    }
    store.close().await;
    Ok(())
}

/// `dead-letters replay`: asks, and waits a while for a hub to do it.
///
/// # Errors
/// There is no such letter, it cannot be replayed, or no hub runs.
pub async fn replay(config: &Config, which: &Which) -> anyhow::Result<()> {
    let store = run::open_store_beside(config).await?;
    match which {
        Which::One(id) => replay_one(&store, *id).await?,
        Which::All(filter) => replay_all(&store, filter).await?,
    }
    store.close().await;
    Ok(())
}

const NO_HUB: &str = "asked for, and no hub has got to it; does one run on this database? It is done when one does";

async fn replay_one(store: &Store, id: LetterId) -> anyhow::Result<()> {
    if !store.ask_for_replay_of(id, clock::now()).await? {
        bail!("there is no dead letter {id}");
    }
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match store.kept_letter(id).await? {
            None => {
                println!("Replayed; the letter is gone.");
                return Ok(());
            }
            // Taken, and not noted yet: a moment.
            Some(letter) if letter.replay_asked_at.is_none() && !letter.replay_note.is_empty() => {
                bail!("the letter stays. {}", letter.replay_note);
            }
            Some(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
    bail!(NO_HUB)
}

async fn replay_all(store: &Store, filter: &LetterFilter) -> anyhow::Result<()> {
    let (now, mut asked) = (clock::now(), 0);
    loop {
        match store.ask_for_replay(filter, now, clock::now(), AT_ONCE).await? {
            0 => break,
            done => asked += done,
        }
    }
    let before = store.count_dead_letters(filter, COUNTED).await?;
    let (mut left, mut since) = (i64::MAX, Instant::now());
    loop {
        match store.count_asked_letters(filter, COUNTED).await? {
            0 => break,
            fewer if fewer < left => (left, since) = (fewer, Instant::now()),
            _ if since.elapsed() >= PATIENCE => bail!("{left} of {asked}: {NO_HUB}"),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let stay = store.count_dead_letters(filter, COUNTED).await?;
    println!("Asked for: {asked}. Replayed: {}. Still here, each with the reason: {stay}.", (before - stay).max(0));
    Ok(())
}
