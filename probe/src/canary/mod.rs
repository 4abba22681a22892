//! Canaries: a failure seen while the probe's own network is cut off says nothing about the website (CASES D10, I5).
//!
//! Nobody is asked until a check fails in a way that a broken network can cause. Then some well-known addresses are, once
//! for all checks that fail at the time, and only when nobody answers is the tick excused: it becomes `Unknown`, blame
//! probe. For a website in a private network the gateway on the way to it is asked instead; for this machine nobody is.

mod ask;
mod evidence;
mod gateways;
mod habit;
mod names;
mod review;
mod route;
mod settings;
mod track;
mod websites;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub use settings::{Canaries, Canary, CanaryError};

use crate::engine::{AddressKind, Engine, Seen};
use crate::wire::{NetworkState, Tick};
use evidence::{Evidence, Failed, Families};
use gateways::Gateways;
use names::Names;
use review::{Excuse, Need};
use track::{Track, Words};
use websites::Websites;

/// Asks the canaries when there is need, and remembers what they said. Its threads end on their own when the need does,
/// after [`Keeper::end_soon`], and when it is dropped.
pub struct Keeper {
    canaries: Canaries,
    internet: Option<Arc<Track>>,
    websites: Arc<Websites>,
    gateways: Gateways,
    names: Option<Names>,
    excused: AtomicU64,
}

impl Keeper {
    /// A keeper of these canaries; their names are looked up as `engine` does.
    #[must_use]
    pub fn new(canaries: Canaries, engine: Engine) -> Self {
        let list = canaries.list().to_vec();
        let names = Some(Names::new(engine.clone()));
        let websites = Arc::new(Websites::new());
        let internet = (!list.is_empty()).then(|| {
            let cut_off = format!(
                "The network is cut off: no canary answers ({}). What fails now says nothing about the websites.",
                canaries.speaking_for(Families::default())
            );
            let words = Words { cut_off, back: "The network is back: a canary answers again".to_owned() };
            let ask = move |tell: &ask::Tell<'_>| ask::canaries(&list, &engine, tell);
            Arc::new(Track::new(words, ask::CANARIES_LIMIT, ask).with(websites.clone()))
        });
        Self::of(canaries, internet, websites, names)
    }

    /// Asks nobody and excuses nothing.
    #[must_use]
    pub fn off() -> Self {
        Self::of(Canaries::off(), None, Arc::new(Websites::new()), None)
    }

    fn of(canaries: Canaries, internet: Option<Arc<Track>>, websites: Arc<Websites>, names: Option<Names>) -> Self {
        Self { canaries, internet, websites, gateways: Gateways::default(), names, excused: AtomicU64::new(0) }
    }

    /// The tick of a check that ran from `started` to `ended`, excused when the probe's own network was cut off
    /// meanwhile, or when nobody can tell. May ask and wait for an answer, 8 s at most.
    #[must_use]
    pub fn review(&self, tick: Tick, seen: &Seen, started: Instant, ended: Instant) -> Tick {
        if let Some(names) = &self.names {
            names.note(&tick, seen, ended);
        }
        let Some(internet) = &self.internet else { return tick };
        if let Some((address, at)) = review::witness(&tick, ended) {
            match AddressKind::of(address) {
                AddressKind::Public => self.websites.note(address, at),
                AddressKind::Private | AddressKind::Reserved => self.gateways.note(address, at),
                AddressKind::Loopback | AddressKind::Never => {}
            }
        }
        let why = match review::need(&tick, seen) {
            Need::Nothing => None,
            Need::Note => {
                internet.watch();
                None
            }
            Need::Internet(families) => {
                internet.watch();
                let failed = Failed { started, ended, families };
                let list = || self.canaries.speaking_for(families);
                excuse(internet.judge(&failed), || format!("no canary answered ({})", list()))
            }
            Need::Local(target) => self.trouble_around(target, started, ended),
        };
        match why {
            Some(why) => {
                self.excused.fetch_add(1, Ordering::Relaxed);
                review::excuse(tick, &why)
            }
            None => tick,
        }
    }

    /// What is wrong with the private network around an address, as far as can be told.
    fn trouble_around(&self, target: IpAddr, started: Instant, ended: Instant) -> Option<Excuse> {
        if !route::exists(target) {
            return Some(Excuse::CutOff(format!("it has no way to {target} any more")));
        }
        let gateway = route::gateway_for(target)?;
        let failed = Failed { started, ended, families: Families::default() };
        excuse(self.gateways.judge(gateway, &failed), || format!("the gateway {} could not be reached", gateway.ip()))
    }

    /// What is known of the network now: by the canaries, or by the gateways when no canary was asked lately.
    #[must_use]
    pub fn network(&self) -> NetworkState {
        let by_canaries = self.internet.as_ref().and_then(|track| track.works());
        match by_canaries.or_else(|| self.gateways.works()) {
            None => NetworkState::Unasked,
            Some(true) => NetworkState::Works,
            Some(false) => NetworkState::CutOff,
        }
    }

    /// Whether this machine's name servers find nothing, as far as they were asked lately.
    #[must_use]
    pub fn finds_no_names(&self) -> bool {
        self.names.as_ref().and_then(Names::work) == Some(false)
    }

    /// Failures that were not counted against their website.
    #[must_use]
    pub fn excused(&self) -> u64 {
        self.excused.load(Ordering::Relaxed)
    }

    /// Begins no more rounds: the threads end with the one they are in, within 4 s.
    pub fn end_soon(&self) {
        if let Some(track) = &self.internet {
            track.end_soon();
        }
        self.gateways.end_soon();
        if let Some(names) = &self.names {
            names.end_soon();
        }
    }
}

/// `cut_off` says why it is.
fn excuse(evidence: Evidence, cut_off: impl FnOnce() -> String) -> Option<Excuse> {
    match evidence {
        Evidence::Works => None,
        Evidence::CutOff => Some(Excuse::CutOff(cut_off())),
        Evidence::Nobody(why) => Some(Excuse::Nobody(why)),
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end_soon();
    }
}
