//! How trouble of the installation is said, and where to look.

use super::Condition;
use crate::model::ClosedAs;

/// A title without a full stop, and sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// In a few words.
    pub title: String,
    /// What it means.
    pub said: String,
}

impl Words {
    fn new(title: impl Into<String>, said: impl Into<String>) -> Self {
        Self { title: title.into(), said: said.into() }
    }
}

impl Condition {
    /// While it holds: what it is, what it means for what is watched, and what to do.
    #[must_use]
    pub fn words(&self) -> Words {
        match self {
            Self::AllSilent => Words::new(
                "No region measures: no worker is heard of",
                "Nobody looks at any website; they are unknown, not down. Look after the workers and their way to Redis.",
            ),
            Self::AllCutOff => Words::new(
                "No region can tell: all workers are cut off from what they watch",
                "None of their canaries answers, so what they see says nothing; websites are unknown, not down. Look after \
                 their networks and name servers, and at CANARIES if those are blocked there.",
            ),
            Self::RegionSilent(region) => Words::new(
                format!("Region {region} is without workers"),
                "Nobody looks from there; it has no vote until a worker reports. Start its workers, or look after their way \
                 to Redis.",
            ),
            Self::RegionCutOff(region) => Words::new(
                format!("Region {region} is cut off from what it watches"),
                "None of its workers' canaries answers, so what it sees says nothing and has no vote. Look after its network \
                 and name servers, and at CANARIES if those are blocked there.",
            ),
            Self::RegionNoNames(region) => Words::new(
                format!("Region {region} finds no names"),
                "The network of its workers works, but their name servers find nothing: from there websites watched by their \
                 name are unknown, not down. Look at /etc/resolv.conf of its workers and the servers named there.",
            ),
            Self::WorkerSilent(region, worker) => Words::new(
                format!("Worker {worker} of region {region} is silent"),
                "Other workers of its region do its work meanwhile. Start it again, or revoke it if it is gone for good.",
            ),
            Self::WorkerCutOff(region, worker) => Words::new(
                format!("Worker {worker} of region {region} is cut off from what it watches"),
                "Its canaries do not answer, while others of its region work: what it sees says nothing. Look after its \
                 network and name servers.",
            ),
            Self::WorkerNoNames(region, worker) => Words::new(
                format!("Worker {worker} of region {region} finds no names"),
                "Its network works, but its name servers find nothing, while those of others of its region do: what it sees of \
                 websites watched by their name says nothing. Look at its /etc/resolv.conf and the servers named there.",
            ),
            Self::WorkerClock(region, worker) => Words::new(
                format!("The clock of worker {worker} of region {region} is wrong by more than a minute"),
                "Its results are put in order by the queue's clock all the same. Set it, or let NTP do it.",
            ),
            Self::WorkerFloods(region, worker) => Words::new(
                format!("Worker {worker} of region {region} writes more than can be read"),
                "Its oldest reports are thrown away. A worker of ours does not do that: if it is none of yours, revoke its \
                 access.",
            ),
            Self::QueueAway => Words::new(
                "The queue cannot be reached",
                "No hub reaches Redis, so no checks go out and no results come in; websites become unknown. Look after \
                 Redis, its password and the way to it.",
            ),
            Self::QueueLag(region) => Words::new(
                format!("The workers of region {region} do not keep up"),
                "Checks wait there for long before a worker takes them, and those that are too late are left out. Add \
                 workers, or raise CONCURRENCY.",
            ),
            Self::DeadLetters => Words::new(
                "Messages were given up and wait as dead letters",
                "Look at why, then replay or discard them.",
            ),
            Self::StoreLow => Words::new(
                "The disk of the database is nearly full",
                "When it is full nothing can be stored: no results, no verdicts, and no alerts. Make room.",
            ),
            Self::StoreFull => Words::new(
                "The database has no room",
                "Results wait in the queue and are not lost for now, but verdicts and alerts stand still. Make room at once.",
            ),
            Self::HistoryDamaged => Words::new(
                "Blocks of history are damaged",
                "What was measured then is not shown; all else is. They are left as they are: put their rows of sealed_tick back \
                 from a backup, with damaged_at and damage null, and look after the disk.",
            ),
            Self::HubSilent(hub) => Words::new(
                format!("Hub {hub} is silent"),
                "It ended without a word, or stands still; the other hubs do its work. Look at its log.",
            ),
            Self::HubLate(hub) => Words::new(
                format!("Hub {hub} stands still"),
                "A part of it has not moved for a minute. Look at its log; start it again if it does not come back.",
            ),
            Self::HubDeaf(hub) => Words::new(
                format!("Hub {hub} cannot reach the queue"),
                "Other hubs can, and do its work. Look after its way to Redis.",
            ),
        }
    }

    fn over(&self) -> Words {
        match self {
            Self::AllSilent => Words::new("A region measures again", "A worker is heard of again."),
            Self::AllCutOff => {
                Words::new("A region can tell again", "The network of a worker works again, by its canaries.")
            }
            Self::RegionSilent(region) => {
                Words::new(format!("Region {region} has workers again"), "It looks and votes again.")
            }
            Self::RegionCutOff(region) => Words::new(
                format!("Region {region} reaches what it watches again"),
                "The network of one of its workers works again; it votes again.",
            ),
            Self::RegionNoNames(region) => Words::new(
                format!("Region {region} finds names again"),
                "The name servers of one of its workers find names again.",
            ),
            Self::WorkerSilent(region, worker) => {
                Words::new(format!("Worker {worker} of region {region} is back"), "It reports again.")
            }
            Self::WorkerCutOff(region, worker) => Words::new(
                format!("Worker {worker} of region {region} reaches what it watches again"),
                "Its network works again, by its canaries.",
            ),
            Self::WorkerNoNames(region, worker) => Words::new(
                format!("Worker {worker} of region {region} finds names again"),
                "Its name servers find names again.",
            ),
            Self::WorkerClock(region, worker) => {
                Words::new(format!("The clock of worker {worker} of region {region} is right again"), "It was set.")
            }
            Self::WorkerFloods(region, worker) => Words::new(
                format!("Worker {worker} of region {region} writes no more than can be read"),
                "Nothing of it had to be thrown away for ten minutes.",
            ),
            Self::QueueAway => Words::new("The queue is reached again", "Checks go out and results come in again."),
            Self::QueueLag(region) => {
                Words::new(format!("The workers of region {region} keep up again"), "Checks are taken in time again.")
            }
            Self::DeadLetters => Words::new("There are no dead letters any more", "All were replayed or discarded."),
            Self::StoreLow => Words::new("The disk of the database has room again", "There is enough of it again."),
            Self::StoreFull => Words::new("The database has room again", "Results are stored again."),
            Self::HistoryDamaged => Words::new(
                "No block of history is damaged any more",
                "All were put back, or are past the time for which they are kept.",
            ),
            Self::HubSilent(hub) => Words::new(format!("Hub {hub} is back"), "It works again."),
            Self::HubLate(hub) => Words::new(format!("Hub {hub} moves again"), "All parts of it work again."),
            Self::HubDeaf(hub) => {
                Words::new(format!("Hub {hub} reaches the queue again"), "It takes its share of the work again.")
            }
        }
    }

    /// The page that shows more of it.
    #[must_use]
    pub fn page(&self) -> Option<&'static str> {
        match self {
            Self::AllSilent
            | Self::AllCutOff
            | Self::RegionSilent(_)
            | Self::RegionCutOff(_)
            | Self::RegionNoNames(_)
            | Self::WorkerSilent(..)
            | Self::WorkerCutOff(..)
            | Self::WorkerNoNames(..)
            | Self::WorkerClock(..)
            | Self::WorkerFloods(..)
            | Self::QueueLag(_) => Some("/probes"),
            Self::DeadLetters => Some("/dead-letters"),
            Self::QueueAway
            | Self::StoreLow
            | Self::StoreFull
            | Self::HistoryDamaged
            | Self::HubSilent(_)
            | Self::HubLate(_)
            | Self::HubDeaf(_) => None,
        }
    }
}

/// When it is over.
#[must_use]
pub fn over_words(condition: &Condition, closed_as: ClosedAs) -> Words {
    match closed_as {
        ClosedAs::Recovered => condition.over(),
        ClosedAs::Worse | ClosedAs::Changed | ClosedAs::Paused | ClosedAs::Deleted | ClosedAs::Retired => {
            let title = condition.words().title;
            Words::new(
                format!("Not looked at any more: {}", lower(&title)),
                "Nobody expects it any more: it was stopped or revoked, or was not heard of for a day.",
            )
        }
    }
}

/// The page for the incident with this key.
#[must_use]
pub fn page_of(key: &str) -> Option<&'static str> {
    key.parse::<Condition>().ok().and_then(|condition| condition.page())
}

/// With a small letter where it goes on in a sentence.
fn lower(title: &str) -> String {
    let mut chars = title.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
