//! What a worker would have seen: results and their durations, from the story and from chance.

use std::net::{Ipv4Addr, SocketAddr};

use super::dice::{below, tail};
use super::scene::{Manner, PLACES, Place, SITES, Site, Where};
use super::story::{DAY, Fault, HOUR, MINUTE, Story};
use crate::model::roll_up::CountedTick;
use crate::model::{
    Blame, Certificate, CheckKind, Class, Delays, Failure, Outcome, Phase, Phases, StoredTick, Tick, UtcMs, WebsiteId,
};

/// Who signs the certificates of the demo.
pub(super) const ISSUER: &str = "Plain Trust R3";
pub(super) const ISSUER_ORGANIZATION: &str = "Plain Trust";
/// The timeout of its checks.
const TIMEOUT_US: u32 = 10_000_000;

/// A look at a website.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Its place in [`SITES`], and its id.
    pub site: usize,
    pub website_id: WebsiteId,
    /// Its place in [`PLACES`].
    pub place: usize,
    pub slot_at: UtcMs,
    pub attempt: u16,
    pub kind: CheckKind,
}

/// What is seen at an instant, without its label.
pub(super) struct Seen {
    pub outcome: Outcome,
    failure: Option<Failure>,
    pub phases: Phases,
    status: Option<u16>,
    answer: Option<String>,
    body_bytes: u32,
}

impl Seen {
    pub(super) fn counted(&self) -> CountedTick {
        CountedTick { outcome: self.outcome, late: false, phases: self.phases, total_us: self.phases.sum_us() }
    }
}

/// When the certificate of a website that it shows at `at` begins and ends, in a history that ends at `end`.
pub(super) fn certificate_span(n: usize, site: &Site, end: UtcMs, at: UtcMs) -> (UtcMs, UtcMs) {
    if site.manner == Manner::CertificateEnds {
        // Nobody renews it.
        return (end - 110 * DAY, end + 5 * DAY + 3 * HOUR);
    }
    // Renewed every 60 days, as most do.
    let renewed = end - (n as i64 * 37 % 55) * DAY - 7 * HOUR;
    let begins = renewed - (renewed - at).max(0).div_euclid(60 * DAY) * 60 * DAY;
    let begins = if begins > at { begins - 60 * DAY } else { begins };
    (begins, begins + 90 * DAY)
}

fn phases(n: usize, site: &Site, place: &Place, at: UtcMs) -> Phases {
    let of = |what: i64| [n as i64, place.way_us, at / 1_000, what];
    // Busier by day, and a little slower each month.
    let hour = at.rem_euclid(DAY) / HOUR;
    let busy = [0, 0, 0, 0, 1, 3, 6, 10, 14, 17, 18, 18, 19, 18, 17, 16, 16, 15, 14, 12, 9, 6, 3, 1];
    let busy = busy.get(usize::try_from(hour).unwrap_or(0)).copied().unwrap_or(0);
    let way = place.way_us + n as i64 * 130 + below(place.way_us / 12 + 400, &of(1));
    let work = site.work_us * (100 + busy * 2) / 100 + below(site.work_us / 4, &of(2)) + tail(site.work_us * 6, &of(3));
    let us = |us: i64| u32::try_from(us.max(1)).ok();
    Phases {
        dns_us: us(900 + below(3_000, &of(4)) + tail(30_000, &of(5))),
        connect_us: us(way),
        tls_us: if site.is_https { us(way + 1_400 + below(900, &of(6))) } else { None },
        send_us: us(40 + below(50, &of(7))),
        wait_us: us(way + work),
        receive_us: us(120 + below(2_000, &of(8)) + way / 20),
    }
}

/// What is seen of a website from a place.
pub(super) fn seen(story: &Story, site_at: usize, place_at: usize, at: UtcMs) -> Option<Seen> {
    let (site, place) = (SITES.get(site_at)?, PLACES.get(place_at)?);
    let phases = phases(site_at, site, place, at);
    let body_bytes = u32::try_from(6_000 + site_at * 3_300).unwrap_or(0);
    let well = Seen { outcome: Outcome::Up, failure: None, phases, status: Some(200), answer: None, body_bytes };
    let down = |class, phase, detail: String, seen: Seen| {
        let failure = Some(Failure { class, phase, blame: Blame::Target, detail });
        Seen { outcome: Outcome::Down, failure, ..seen }
    };
    let (_, ends_at) = certificate_span(site_at, site, story.end, at);
    let Some(fault) = story.fault(site_at, place_at, at) else {
        if site.is_https && ends_at - at < 7 * DAY {
            let day = jiff::Timestamp::from_millisecond(ends_at).map(|at| at.strftime("%Y-%m-%d").to_string());
            let detail = format!("The certificate ends on {}.", day.unwrap_or_default());
            let seen = down(Class::CertificateEnding, Phase::Judge, detail, well);
            return Some(Seen { outcome: Outcome::Degraded, ..seen });
        }
        return Some(well);
    };
    let cut = |phases: Phases| Seen { phases, status: None, body_bytes: 0, ..seen_nothing() };
    let unanswered = Phases { receive_us: None, ..phases };
    Some(match fault {
        Fault::Status(status) => {
            let text = match status {
                503 => "Service temporarily unavailable. Please try again in a few minutes.",
                502 => "Bad gateway",
                _ => "Internal server error",
            };
            let seen = Seen { status: Some(status), answer: Some(text.to_owned()), body_bytes: 311, ..well };
            down(Class::HttpStatus, Phase::Judge, format!("The website answered with status {status}."), seen)
        }
        Fault::Empty => {
            let detail = "The server closed the connection without an answer.".to_owned();
            down(Class::EmptyReply, Phase::Wait, detail, cut(unanswered))
        }
        Fault::Refused => {
            let only = Phases { tls_us: None, send_us: None, wait_us: None, ..unanswered };
            down(Class::ConnectRefused, Phase::Connect, "Connection refused.".to_owned(), cut(only))
        }
        Fault::Silence => {
            let spent = Phases { wait_us: None, ..unanswered }.sum_us();
            let waited = Phases { wait_us: Some(TIMEOUT_US.saturating_sub(spent)), ..unanswered };
            down(Class::FirstByteTimeout, Phase::Wait, "No first byte in time.".to_owned(), cut(waited))
        }
        Fault::Content => {
            let detail = "The answer does not contain \"Pay now\".".to_owned();
            let answer = Some("Your cart Kenya AA 250 g Your order cannot be paid at the moment.".to_owned());
            down(Class::KeywordMissing, Phase::Judge, detail, Seen { answer, ..well })
        }
        Fault::Slow => {
            let wait_us = phases.wait_us.map(|us| us + 950_000 + u32::try_from(below(900_000, &[at, 9])).unwrap_or(0));
            let phases = Phases { wait_us, ..phases };
            let detail = format!("The answer took {} ms; more than 900 ms counts as slow.", phases.sum_us() / 1_000);
            let seen = down(Class::Slow, Phase::Judge, detail, Seen { phases, ..well });
            Seen { outcome: Outcome::Degraded, ..seen }
        }
    })
}

fn seen_nothing() -> Seen {
    let (failure, phases, status, answer) = (None, Phases::default(), None, None);
    Seen { outcome: Outcome::Down, failure, phases, status, answer, body_bytes: 0 }
}

/// The result of a look, as it would have been received.
pub(super) fn tick(story: &Story, host: Where, look: &Look) -> anyhow::Result<Option<StoredTick>> {
    let (Some(site), Some(place)) = (SITES.get(look.site), PLACES.get(look.place)) else { return Ok(None) };
    let Some(seen) = seen(story, look.site, look.place, look.slot_at) else { return Ok(None) };
    let shows_certificate = site.is_https && seen.phases.tls_us.is_some();
    let (not_before_at, not_after_at) = certificate_span(look.site, site, story.end, look.slot_at);
    let certificate = shows_certificate.then(|| Certificate {
        not_after_at,
        not_before_at,
        issuer: ISSUER.to_owned(),
        issuer_organization: Some(ISSUER_ORGANIZATION.to_owned()),
        subject: host.host(site.host),
        names: vec![host.host(site.host)],
        names_total: 1,
        chain: Vec::new(),
        tls_version: Some("TLSv1.3".to_owned()),
    });
    let last = u8::try_from(look.site + 10).unwrap_or(10);
    let port = if site.is_https { 443 } else { 80 };
    let total_us = seen.phases.sum_us();
    let of = |what: i64| below(40, &[look.slot_at, look.site as i64, look.place as i64, what]);
    let publish_ms = u32::try_from(of(1) / 4).ok().filter(|_| look.kind == CheckKind::Scheduled);
    let delays = Delays {
        publish_ms,
        queue_ms: u32::try_from(1 + of(2) / 3).ok(),
        thread_us: u32::try_from(60 + of(3) * 5).ok(),
        report_us: u32::try_from(90 + of(4) * 9).ok(),
    };
    let tick = Tick {
        website_id: look.website_id,
        slot_at: look.slot_at,
        attempt: look.attempt,
        kind: look.kind,
        started_at: look.slot_at + 12,
        outcome: seen.outcome,
        failure: seen.failure,
        phases: seen.phases,
        total_us,
        status: seen.status,
        remote: Some(SocketAddr::from((Ipv4Addr::new(203, 0, 113, last), port))),
        body_bytes: seen.body_bytes,
        truncated: false,
        hops: Vec::new(),
        certificate,
        answer: seen.answer.filter(|_| seen.outcome == Outcome::Down),
        notes: Vec::new(),
        delays,
    };
    let (region, worker) = place.names()?;
    let received_at = look.slot_at + 20 + i64::from(total_us / 1_000);
    Ok(Some(StoredTick::received(region, worker, received_at, tick)))
}

/// Between two looks of the demo's websites.
pub(super) fn interval_ms(site: usize) -> i64 {
    if SITES.get(site).is_some_and(|site| site.manner == Manner::Flaps) { MINUTE } else { 3 * MINUTE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_follows_the_story() {
        let story = Story::until(1_795_000_000_000);
        let n = |key: &str| SITES.iter().position(|site| site.key == key).unwrap();
        let now = |key: &str, place| seen(&story, n(key), place, story.end).unwrap();
        assert_eq!(now("www", 0).outcome, Outcome::Up);
        assert_eq!(now("checkout", 2).failure.unwrap().class, Class::KeywordMissing);
        assert_eq!((now("tiles", 0).outcome, now("tiles", 1).outcome), (Outcome::Up, Outcome::Down));
        assert_eq!(now("images", 1).failure.unwrap().class, Class::Slow);
        assert_eq!(now("northpay", 1).failure.unwrap().class, Class::CertificateEnding);
        let silence = now("tiles", 1);
        assert_eq!(silence.phases.sum_us(), TIMEOUT_US);
        for (n, site) in SITES.iter().enumerate().filter(|(_, site)| site.is_https) {
            for days in 0..90 {
                let at = story.end - days * DAY;
                let (from, to) = certificate_span(n, site, story.end, at);
                assert!(from <= at && at < to, "{} {days}", site.key);
                let is_near = to - at < 21 * DAY;
                assert!(!is_near || site.manner == Manner::CertificateEnds, "{} {days}", site.key);
            }
        }
    }
}
