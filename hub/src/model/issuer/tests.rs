use uuid::Uuid;

use super::*;
use crate::model::{CheckKind, Delays, Outcome, Phases, Tick};

const DAY_MS: i64 = 86_400_000;
const ID: WebsiteId = WebsiteId(Uuid::from_u128(1));

struct World {
    state: WebsiteState,
    /// End of the certificate each region saw last.
    before: BTreeMap<String, UtcMs>,
}

impl World {
    fn new() -> Self {
        let state = WebsiteState::new(ID, Outcome::Up, 0, String::new());
        Self { state, before: BTreeMap::new() }
    }

    /// "from > to" of what is noted.
    fn see(&mut self, region: &str, at: UtcMs, issuer: &str, ends_at: UtcMs) -> Option<String> {
        let tick = Tick {
            website_id: ID,
            slot_at: at,
            attempt: 0,
            kind: CheckKind::Scheduled,
            started_at: at,
            outcome: Outcome::Up,
            failure: None,
            phases: Phases::default(),
            total_us: 1,
            status: None,
            remote: None,
            body_bytes: 0,
            truncated: false,
            hops: Vec::new(),
            certificate: None,
            answer: None,
            notes: Vec::new(),
            delays: Delays::default(),
        };
        let tick = StoredTick::received(region.parse().unwrap(), "w".parse().unwrap(), at, tick);
        let organization = Some(issuer.to_owned()).filter(|name| !name.is_empty());
        let certificate =
            Certificate { not_after_at: ends_at, issuer_organization: organization, ..Certificate::default() };
        let before = self.before.insert(region.to_owned(), ends_at);
        let regions: Vec<RegionState> = self
            .before
            .keys()
            .map(|name| {
                let mut region = crate::model::verdict::absorb(None, &tick, at).unwrap();
                region.region_id = name.parse().unwrap();
                region
            })
            .collect();
        match judge(ID, &mut self.state, &regions, &tick, &certificate, before) {
            None => None,
            Some(Notice::IssuerChanged { change, .. }) => Some(format!("{} > {}", change.from, change.to)),
            Some(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_changed_issuer_is_noted_once_for_all_regions() {
    let mut world = World::new();
    assert_eq!(world.see("a", 0, "Let's Encrypt", 90), None, "what is new is learnt");
    assert_eq!(world.see("b", 1, "Let's Encrypt", 90), None);
    assert_eq!(world.see("a", DAY_MS, "Let's Encrypt", 180), None, "renewed");
    assert_eq!(world.see("b", DAY_MS, "Let's Encrypt", 180), None);
    let noted = world.see("a", 2 * DAY_MS, "ZeroSSL GmbH", 270);
    assert_eq!(noted.as_deref(), Some("Let's Encrypt > ZeroSSL GmbH"));
    assert_eq!(world.see("b", 2 * DAY_MS + 9, "ZeroSSL GmbH", 270), None, "the same change");
    let changed = world.state.certificates.read().changed.unwrap();
    assert_eq!((changed.at, changed.to.as_str()), (2 * DAY_MS, "ZeroSSL GmbH"));
}

#[test]
fn the_same_organisation_in_other_words_is_no_change() {
    for (one, other) in [
        ("DigiCert Inc", "DigiCert, Inc."),
        ("Google Trust Services LLC", "Google Trust Services"),
        ("Sectigo Limited", "SECTIGO"),
    ] {
        let mut world = World::new();
        assert_eq!(world.see("a", 0, one, 1), None);
        assert_eq!(world.see("a", DAY_MS, other, 2), None, "{one} {other}");
    }
    assert_ne!(normal("GmbH"), "");
}

#[test]
fn two_issuers_in_turns_are_noted_once_a_day_at_most() {
    let mut world = World::new();
    let noted = (0..1_000).filter(|n| {
        let (issuer, end) = if n % 2 == 0 { ("One CA", 50) } else { ("Two CA", 70) };
        world.see("a", n * DAY_MS / 200, issuer, end).is_some()
    });
    assert!((1..=6).contains(&noted.count()));
    // Regions that each see another one all the time, through many renewals.
    let mut world = World::new();
    for n in 0..50 {
        assert_eq!(world.see("a", n * 60 * DAY_MS, "One CA", n), None);
        assert_eq!(world.see("b", n * 60 * DAY_MS, "Two CA", n), None);
    }
}

#[test]
fn what_is_remembered_is_bounded_and_may_be_lost() {
    let mut world = World::new();
    assert_eq!(world.see("a", 0, "", 1), None);
    assert_eq!(world.state.certificates.as_str(), "", "an old probe names no organisation");
    for n in 0..40 {
        world.see(&format!("r{n}"), 0, &"x\0\n\"".repeat(100), 1);
    }
    let book = world.state.certificates.read();
    assert_eq!(book.issuers.len(), REGIONS);
    assert!(book.issuers.values().all(|name| name.chars().count() <= CHARS && !name.contains('\0')));
    assert!(world.state.certificates.as_str().len() < 4_096);
    for broken in ["{", "[]", "{\"issuers\": 7}", "null"] {
        let mut world = World::new();
        world.state.certificates = Certificates::stored(broken.to_owned());
        assert_eq!(world.state.certificates.read(), CertificateBook::default());
        assert_eq!(world.see("a", 0, "One CA", 1), None);
    }
}
