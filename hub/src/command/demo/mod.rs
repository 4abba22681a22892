//! `demo`: a hub that shows what a hub shows, with nothing to install and nothing to wait for. A database of its own, scripted
//! websites on this machine that misbehave, three regions in this process, and ninety days of history, made by the rules of the
//! hub itself. The same seed and the same end make the same history.

mod certificates;
mod counted;
mod dice;
mod made;
mod past;
mod people;
mod published;
mod scene;
mod seen;
mod still;
mod story;
mod targets;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use probe::canary::Canaries;
use probe::engine::{AddressPolicy, Engine, EngineConfig};

use self::made::Made;
use self::past::Acts;
use self::people::People;
use self::scene::{PLACES, Where};
use self::story::Story;
use self::targets::Targets;
use crate::config::{Config, SignUps};
use crate::model::UtcMs;
use crate::queue::EmbeddedWorker;
use crate::run::{self, Special};
use crate::store::Store;
use crate::{clock, new_id};

pub use people::{PASSWORD, USER};

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// When the history ends, and it is for ever.
    pub now: Option<jiff::Timestamp>,
    /// Nothing happens any more: pages stay as they are.
    pub still: bool,
    /// Where to keep it; a directory that is removed at the end where none is given.
    pub directory: Option<PathBuf>,
}

/// Makes the history, then runs until SIGTERM or SIGINT.
///
/// # Errors
/// The directory holds something, or something could not start.
pub async fn demo(config: Config, asked: &Asked) -> anyhow::Result<()> {
    if asked.now.is_some() && !asked.still {
        bail!("--now stops the clock, so that nothing can happen any more: give --still with it");
    }
    let is_kept = asked.directory.is_some();
    let directory = match &asked.directory {
        Some(directory) => empty(directory)?,
        None => std::env::temp_dir().join(format!("betteruptime-demo-{}", std::process::id())),
    };
    let config = Config {
        state_directory: directory.clone(),
        database_url: None,
        redis_url: None,
        redis_admin_url: None,
        dead_man_url: None,
        sign_ups: SignUps::Closed,
        max_websites: None,
        // Nothing leaves this machine by itself.
        canaries: Canaries::off(),
        ..config
    };
    let done = make_and_run(config, asked).await;
    if !is_kept {
        std::fs::remove_dir_all(&directory).ok();
    }
    done
}

/// A directory of the demo's own: what is in it already is somebody's.
fn empty(directory: &Path) -> anyhow::Result<PathBuf> {
    let is_empty = match std::fs::read_dir(directory) {
        Ok(mut found) => found.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", directory.display())),
    };
    if !is_empty {
        bail!(
            "{} is not empty: a demo makes its data anew; name a directory that is empty or not there",
            directory.display()
        );
    }
    Ok(directory.to_owned())
}

async fn make_and_run(config: Config, asked: &Asked) -> anyhow::Result<()> {
    let end = asked.now.map_or_else(clock::now, jiff::Timestamp::as_millisecond);
    if asked.still {
        clock::stand_still(end);
    }
    let targets = if asked.still { None } else { Some(targets::start(end)?) };
    let store = run::open_store(&config).await?;
    store.migrate(false).await.context("the schema could not be made")?;
    let made = history(&store, targets.as_ref().map_or(Where::Nowhere, |targets| targets.host), end).await;
    store.close().await;
    // It is this process's alone, and is opened anew.
    drop(store);
    made?;
    let greet = greeting(asked.still, !config.listen.ip().is_loopback(), end);
    match targets {
        None => still::serve(&config, greet).await,
        Some(targets) => {
            run::run_special(config, Special { workers: workers(&targets)?, greet: Some(Box::new(greet)) }).await
        }
    }
}

/// A worker a region. They reach websites anywhere on the internet, and those of the demo.
fn workers(targets: &Targets) -> anyhow::Result<Vec<EmbeddedWorker>> {
    let one = |place: &scene::Place| {
        let (region, worker) = place.names()?;
        let config = EngineConfig {
            policy: AddressPolicy::with_allowed(vec!["127.0.0.0/8".parse()?]),
            extra_roots: vec![targets.root.clone()],
            // By which the scripted websites know from where they are asked.
            user_agent: format!("BetterUptime/{} (demo; {})", env!("CARGO_PKG_VERSION"), place.region),
            ..EngineConfig::default()
        };
        Ok(EmbeddedWorker { region, worker, engine: Engine::new(config)? })
    };
    PLACES.iter().map(one).collect()
}

/// All there is before anything happens.
async fn history(store: &Store, host: Where, end: UtcMs) -> anyhow::Result<()> {
    let began = Instant::now();
    let told = |what: &str| println!("  {:>5.1} s  {what}", began.elapsed().as_secs_f64());
    println!("\n  Making {} days of history.", story::DAYS);
    let _ids = new_id::InSeries::begin(end);
    let story = Story::until(end);
    let people = People::come(store, counted::begin(end)).await?;
    let made = Made::of_file(store, people.owner.clone(), host, end).await?;
    made.beat(store, made.begin).await?;
    told("Websites, jobs, channels and people are there.");
    let mut acts = Acts::default();
    past::first(&mut acts, &made, &story)?;
    acts.looks(&made, &story)?;
    made.pings(store, &mut acts).await?;
    people.deeds(&mut acts, end);
    let changes = acts.play(store, &made, async |deed, at| people::do_one(store, &made, deed, at).await).await?;
    told(&format!("What went wrong was judged: {changes} changes of verdict."));
    store.put_ticks(&past::quiet(&made, &story)?).await?;
    counted::put(store, &made, &story).await?;
    store.put_days(made.account.account_id, made.begin, end).await?;
    told("Hours and days are counted.");
    people.settle(store, end).await?;
    people.log(store, &made).await?;
    people.letters(store, &made).await?;
    published::publish(store, &made).await?;
    made.beat(store, end).await?;
    store.put_listening(clock::now()).await?;
    told("Ready.");
    Ok(())
}

/// What a person reads who has started it.
fn greeting(is_still: bool, is_open: bool, end: UtcMs) -> impl FnOnce(SocketAddr) + Send + 'static {
    move |address| {
        println!("\n  BetterUptime {} is running at http://{address}  (a demo)", env!("CARGO_PKG_VERSION"));
        println!("  Sign in as {USER} with {PASSWORD}  (also: lena may edit, omar may look)\n");
        for (path, what) in [
            ("/", "25 websites and 3 jobs; some are in trouble, each in its own way"),
            ("/incidents", "open ones, one that somebody took on, one that maintenance keeps quiet, and old ones"),
            ("/s/lantern", "the status page that customers see"),
            ("/maintenance", "work that goes on, was and is to come"),
            ("/reports", "how the last months were"),
            ("/channels", "who is told, and what was said"),
            ("/probes", "three regions inside this process"),
            ("/dead-letters", "messages that were given up"),
            ("/settings", "people, keys and the log of who did what"),
        ] {
            println!("  http://{address}{path:<14} {what}");
        }
        if is_still {
            let at = jiff::Timestamp::from_millisecond(end).map(|at| at.to_string()).unwrap_or_default();
            println!("\n  Nothing happens any more: it is {at} for ever.");
        } else {
            println!("\n  Websites are looked at every three minutes; \"Check now\" on a page does it at once.");
        }
        if is_open {
            println!("  Others reach it, and everybody knows the password: end it when you have seen it.");
        }
        println!("  Stop: Ctrl-C\n");
    }
}
