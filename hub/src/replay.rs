//! Dead letters, tried again: a result is taken in as if it came now, a check is a look at its website now. Pages and API
//! replay one at once; many, and those of the command line, are asked for in the database, and whichever hub sees them
//! first takes them, a few at a time.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock;
use crate::model::{KeptLetter, LetterFilter, Replay, StoredTick, UtcMs, WebsiteId};
use crate::schedule::Scheduler;
use crate::store::{Store, StoreError};

/// Between two looks for replays that were asked for.
const EVERY: Duration = Duration::from_secs(1);
/// Letters replayed in one turn.
const AT_ONCE: i64 = 200;
/// Checks asked for in one turn: what went stale while a region was away must not come as a burst (I8).
const CHECKS_AT_ONCE: usize = 10;
/// Between two lines that remind of letters.
const REMIND_EVERY: Duration = Duration::from_secs(3_600);
/// The first one: a hub that has just started has other things to say.
const REMIND_FIRST: Duration = Duration::from_secs(60);
/// Letters are counted up to here: beyond it nobody wants to know how many more there are.
pub const COUNTED: i64 = 1_000;

/// What a replay did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The result is stored; the letter is gone.
    Stored,
    /// The result had been stored before; the letter is gone.
    Known,
    /// The website is being checked; the letter is gone.
    Checked,
    /// It is a worker's word about a check, and is understood now: another letter has taken its place.
    Understood,
    /// The letter stays: why.
    Stays(String),
    /// There is no such letter any more.
    Gone,
}

impl Replayed {
    /// In words for people.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Stored => "The result was stored; the letter is gone.",
            Self::Known => "The result had been stored before; the letter is gone.",
            Self::Checked => "The website is being checked; the letter is gone.",
            Self::Understood => "It is understood now: a worker tells why it did not run a check.",
            Self::Stays(why) => why,
            Self::Gone => "There is no such letter any more.",
        }
    }
}

/// Replays one letter. Doing it twice has the effect of doing it once: a result has its key, and a check that was asked
/// for a moment ago is not asked for again.
///
/// # Errors
/// The database is away: the letter is as it was, or its effect is stored and the next replay finds it so.
pub async fn replay(
    store: &Store,
    scheduler: &Scheduler,
    letter: &KeptLetter,
    now: UtcMs,
) -> Result<Replayed, StoreError> {
    let replayed = match letter.replay() {
        Replay::Tick { region, worker, tick } => {
            let website = store.websites_of_letters(&[tick.website_id]).await?.pop();
            if website.is_none() {
                stays(WEBSITE_GONE)
            } else {
                // Received now: whether it comes too late to have a vote is for the rule that all ticks have.
                let (region_id, worker_id) = (region, worker);
                let tick = StoredTick::received(region_id, worker_id, now, *tick);
                take_in(store, scheduler, letter, tick, now).await?
            }
        }
        Replay::Check(id) => check(store, scheduler, id, now).await?,
        Replay::Letter(told) => {
            let reason = format!("{}: {}", told.reason, told.detail);
            let raw = serde_json::to_vec(&told).unwrap_or_default();
            store.replace_dead_letter(letter, &reason, &raw).await?;
            return Ok(Replayed::Understood);
        }
        Replay::StillNot(why) => {
            store.note_replay(letter.letter_id, &noted("It is still not understood.", now), Some(&why)).await?;
            return Ok(Replayed::Stays("It is still not understood.".to_owned()));
        }
        Replay::Nothing(why) => stays(&format!("{why} It can only be discarded.")),
    };
    match &replayed {
        Replayed::Stored | Replayed::Known | Replayed::Checked => {
            store.discard_dead_letter(letter.letter_id).await?;
        }
        Replayed::Stays(why) => store.note_replay(letter.letter_id, &noted(why, now), None).await?,
        Replayed::Understood | Replayed::Gone => {}
    }
    Ok(replayed)
}

const WEBSITE_GONE: &str = "The website it was about is gone. It can only be discarded.";

fn stays(why: &str) -> Replayed {
    Replayed::Stays(why.to_owned())
}

fn noted(why: &str, now: UtcMs) -> String {
    let at = jiff::Timestamp::from_millisecond(now).map(|at| at.strftime("%Y-%m-%d %H:%M").to_string());
    format!("Replayed {} UTC: {why}", at.unwrap_or_default())
}

/// A result, the way all results go. One that still cannot be stored is a letter with its new reason.
async fn take_in(
    store: &Store,
    scheduler: &Scheduler,
    letter: &KeptLetter,
    tick: StoredTick,
    now: UtcMs,
) -> Result<Replayed, StoreError> {
    // By itself: what made the hub fail once may do so again (D29).
    let alone = tokio::spawn({
        let (store, tick) = (store.clone(), tick.clone());
        async move { store.ingest(std::slice::from_ref(&tick), now).await }
    });
    let done = match alone.await {
        Ok(done) => done?,
        Err(panic) => {
            tracing::error!(stream = letter.stream, %panic, "A dead letter made the hub fail again.");
            return Ok(stays("The hub failed on it again; its log has the cause."));
        }
    };
    for confirm in done.confirm {
        scheduler.confirm(confirm);
    }
    for change in &done.transitions {
        tracing::info!(website.id = %change.website_id, from = %change.from, to = %change.to, reason = change.reason, "The verdict changed.");
    }
    match (done.new, done.known) {
        (1.., _) => return Ok(Replayed::Stored),
        (0, 1..) => return Ok(Replayed::Known),
        (0, 0) => {}
    }
    // It was put aside again, perhaps under the name of what is understood of it now.
    match store.letter_of_tick(&tick).await? {
        Some(again) if again.letter_id != letter.letter_id => {
            let why = format!("It was understood, and then put aside: {}", again.explained());
            store.note_replay(again.letter_id, &noted(&why, now), None).await?;
            store.discard_dead_letter(letter.letter_id).await?;
            Ok(stays(&why))
        }
        Some(again) => Ok(stays(&format!("It was put aside again: {}", again.explained()))),
        None => Ok(stays("It could not be stored just now; try again.")),
    }
}

/// A look at the website now, in the place of a check of the past.
async fn check(store: &Store, scheduler: &Scheduler, id: WebsiteId, now: UtcMs) -> Result<Replayed, StoreError> {
    let Some(website) = store.websites_of_letters(&[id]).await?.pop() else { return Ok(stays(WEBSITE_GONE)) };
    if website.paused {
        return Ok(stays("The website is paused: there is nothing to check. Resume it, or discard the letter."));
    }
    // Asked for a moment ago, by a person or by another letter: that look serves this one too.
    let _ = scheduler.check_now(id, now);
    Ok(Replayed::Checked)
}

/// One turn over the replays that were asked for. Returns how many there were.
///
/// # Errors
/// The database is away; what is left will be found again.
pub async fn step(store: &Store, scheduler: &Scheduler, now: UtcMs) -> Result<usize, StoreError> {
    let (mut done, mut checks) = (0, 0);
    for letter in store.asked_letters(AT_ONCE).await? {
        if !store.take_replay(letter.letter_id).await? {
            continue;
        }
        let replayed = match replay(store, scheduler, &letter, now).await {
            Ok(replayed) => replayed,
            // It would fail for ever, and stand before all others.
            Err(error) if !error.is_passing() => {
                tracing::error!(letter = %letter.letter_id, %error, "A dead letter cannot be replayed.");
                store
                    .note_replay(letter.letter_id, &noted("It cannot be replayed; the hub's log says why.", now), None)
                    .await?;
                continue;
            }
            Err(error) => {
                // Asked for still.
                store.ask_for_replay_of(letter.letter_id, letter.replay_asked_at.unwrap_or(now)).await?;
                return Err(error);
            }
        };
        tracing::debug!(letter = %letter.letter_id, result = replayed.words(), "A dead letter was replayed.");
        done += 1;
        checks += usize::from(replayed == Replayed::Checked);
        if checks >= CHECKS_AT_ONCE {
            break;
        }
    }
    Ok(done)
}

/// Replays what is asked for, and reminds of letters once an hour, until told to stop.
///
/// # Errors
/// Never by itself: trouble is logged and tried again.
pub async fn run(store: Store, scheduler: Scheduler, mut stopping: watch::Receiver<bool>) -> anyhow::Result<()> {
    // As ingest: what a result is worth follows from how often its website is looked at.
    tokio::select! {
        () = scheduler.loaded() => {}
        _ = stopping.wait_for(|is_stopping| *is_stopping) => {}
    }
    let mut remind_at = Instant::now() + REMIND_FIRST;
    let mut is_failing = false;
    while !*stopping.borrow() {
        let turn = {
            let (store, scheduler) = (store.clone(), scheduler.clone());
            // Its own task, awaited to the end: a transaction must not be cancelled half-way (D18).
            tokio::spawn(async move { step(&store, &scheduler, clock::now()).await })
        };
        match turn.await {
            Ok(Ok(letters)) => {
                if letters > 0 {
                    tracing::info!(letters, "Dead letters were replayed.");
                }
                is_failing = false;
            }
            // Others tell of a database that is away, every few seconds.
            Ok(Err(error)) if !is_failing => {
                tracing::warn!(%error, "Dead letters could not be replayed; trying again.");
                is_failing = true;
            }
            Ok(Err(_)) => {}
            Err(panic) => tracing::error!(%panic, "Replaying dead letters failed."),
        }
        if Instant::now() >= remind_at {
            remind_at = Instant::now() + REMIND_EVERY;
            remind(&store).await;
        }
        let _ = tokio::time::timeout(EVERY, stopping.changed()).await;
    }
    Ok(())
}

/// A line for whoever runs this, while there are letters.
async fn remind(store: &Store) {
    match store.count_dead_letters(&LetterFilter::default(), COUNTED).await {
        Ok(0) => {}
        Ok(letters) => tracing::warn!(
            letters,
            "There are dead letters, messages that could not be processed (no more than {COUNTED} are counted). See the \
             page /dead-letters, or: betteruptime-hub dead-letters list"
        ),
        Err(error) => tracing::debug!(%error, "Dead letters could not be counted."),
    }
}
