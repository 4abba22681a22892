//! A tick in the bytes its entry may have: what tells least is left out first, and the tick itself never.

use super::{Hop, Phases, Tick, WireError, encode};

/// URL of a hop, once the whole does not fit.
const HOP_URL_BYTES: usize = 128;
/// Text of a certificate, then.
const CERTIFICATE_TEXT_BYTES: usize = 64;
/// Sentence of a failure, then.
const DETAIL_BYTES: usize = 200;

/// In this order, each only while the tick does not fit.
const STEPS: [fn(&mut Tick); 7] = [
    without_chain,
    without_names,
    short_hop_urls,
    short_certificate_texts,
    without_answer,
    first_and_last_hop,
    short_detail,
];

/// The JSON body of a tick: all of it when that has at most `limit` bytes, else with less beside what counts. In 4 KiB
/// any tick of an engine fits, whatever JSON makes of its texts.
///
/// # Errors
/// It is still over `limit`, or a value cannot be JSON, which the wire types rule out.
pub fn encode_tick(tick: &Tick, limit: usize) -> Result<String, WireError> {
    let mut found = encode(tick, limit);
    let mut shorter = None;
    for step in STEPS {
        let Err(WireError::TooLarge { .. }) = found else { break };
        let shorter = shorter.get_or_insert_with(|| tick.clone());
        step(shorter);
        found = encode(shorter, limit);
    }
    found
}

fn without_chain(tick: &mut Tick) {
    if let Some(certificate) = &mut tick.certificate {
        certificate.chain.clear();
    }
}

/// How many there are is still told.
fn without_names(tick: &mut Tick) {
    if let Some(certificate) = &mut tick.certificate {
        certificate.names.clear();
    }
}

fn short_hop_urls(tick: &mut Tick) {
    for hop in &mut tick.hops {
        cut(&mut hop.url, HOP_URL_BYTES);
    }
}

fn short_certificate_texts(tick: &mut Tick) {
    if let Some(certificate) = &mut tick.certificate {
        cut(&mut certificate.issuer, CERTIFICATE_TEXT_BYTES);
        cut(&mut certificate.subject, CERTIFICATE_TEXT_BYTES);
        if let Some(organization) = &mut certificate.issuer_organization {
            cut(organization, CERTIFICATE_TEXT_BYTES);
        }
    }
}

fn without_answer(tick: &mut Tick) {
    tick.answer = None;
}

/// One hop stands for those between, with their times: the sums stay what they are.
fn first_and_last_hop(tick: &mut Tick) {
    if tick.hops.len() < 3 {
        return;
    }
    let between = 1..tick.hops.len() - 1;
    let mut phases = Phases::default();
    tick.hops[between.clone()].iter().for_each(|hop| phases.add(&hop.phases));
    let url = format!("({} hops left out)", between.len());
    tick.hops.splice(between, [Hop { url, status: None, phases }]);
}

fn short_detail(tick: &mut Tick) {
    if let Some(failure) = &mut tick.failure {
        cut(&mut failure.detail, DETAIL_BYTES);
    }
}

/// At most `limit` bytes, the last of which tell that there was more.
fn cut(text: &mut String, limit: usize) {
    const MORE: &str = "...";
    if text.len() > limit {
        let mut end = limit.saturating_sub(MORE.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(MORE);
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::encode_tick;

    /// As large as an engine's tick can be, of texts that double in JSON.
    fn largest() -> Tick {
        let text = |bytes| "\\".repeat(bytes);
        let most = Some(u32::MAX);
        let phases =
            Phases { dns_us: most, connect_us: most, tls_us: most, send_us: most, wait_us: most, receive_us: most };
        Tick {
            website_id: WebsiteId(uuid::Uuid::max()),
            slot_at: i64::MIN,
            attempt: u16::MAX,
            kind: CheckKind::ALL.iter().copied().max_by_key(|kind| kind.as_str().len()).unwrap(),
            started_at: i64::MIN,
            outcome: Outcome::Degraded,
            failure: Some(Failure {
                class: Class::ALL.iter().copied().max_by_key(|class| class.as_str().len()).unwrap(),
                phase: Phase::ALL.iter().copied().max_by_key(|phase| phase.as_str().len()).unwrap(),
                blame: Blame::ALL.iter().copied().max_by_key(|blame| blame.as_str().len()).unwrap(),
                detail: text(512),
            }),
            phases,
            total_us: u32::MAX,
            status: Some(u16::MAX),
            remote: Some("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap()),
            body_bytes: u32::MAX,
            truncated: true,
            hops: vec![Hop { url: text(512), status: Some(u16::MAX), phases }; 12],
            certificate: Some(Certificate {
                not_after_at: i64::MIN,
                not_before_at: i64::MIN,
                issuer: text(256),
                issuer_organization: Some(text(256)),
                subject: text(256),
                names: vec![text(256); 8],
                names_total: u32::MAX,
                chain: vec![text(256); 4],
                tls_version: Some("TLSv1.3".to_owned()),
            }),
            answer: Some(text(200)),
            notes: Note::ALL.to_vec(),
            delays: Delays { publish_ms: most, queue_ms: most, thread_us: most, report_us: most },
        }
    }

    fn read(json: &str) -> Tick {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_largest_tick_fits_with_all_that_counts() {
        let tick = largest();
        let json = encode_tick(&tick, MAX_TICK_BYTES).unwrap();
        assert!(json.len() <= MAX_TICK_BYTES, "{}", json.len());
        let found = read(&json);
        assert_eq!((found.outcome, found.total_us, found.notes.len()), (tick.outcome, tick.total_us, 2));
        assert_eq!(found.failure, tick.failure, "there was room for all of it");
        assert_eq!(found.certificate.unwrap().names_total, u32::MAX);
        assert!(found.hops.iter().all(|hop| hop.url.len() == 128 && hop.url.ends_with("\\...")));
    }

    #[test]
    fn any_limit_of_4_kib_or_more_is_kept() {
        let mut tick = largest();
        for limit in (4 * 1024..20 * 1024).step_by(61) {
            let json = encode_tick(&tick, limit).unwrap();
            assert!(json.len() <= limit, "{limit}");
            assert_eq!(read(&json).outcome, tick.outcome);
        }
        // Not what an engine writes: six bytes each.
        for hop in &mut tick.hops {
            hop.url = "\u{1}".repeat(512);
        }
        let certificate = tick.certificate.as_mut().unwrap();
        (certificate.issuer, certificate.subject) = ("\u{1}".repeat(256), "\u{1}".repeat(256));
        tick.failure.as_mut().unwrap().detail = "\u{1}".repeat(512);
        assert!(encode_tick(&tick, MAX_TICK_BYTES).is_ok());
        // And two bytes that are one letter.
        tick.failure.as_mut().unwrap().detail = "\u{e4}".repeat(512);
        assert!(encode_tick(&tick, 4 * 1024).is_ok());
    }

    #[test]
    fn hops_that_are_left_out_are_told_with_their_times() {
        let mut tick = largest();
        for (hop, us) in tick.hops.iter_mut().zip(1..) {
            hop.phases = Phases { dns_us: Some(us), ..Phases::default() };
        }
        let found = read(&encode_tick(&tick, 4 * 1024).unwrap());
        let hops: Vec<_> = found.hops.iter().map(|hop| (hop.url.as_str(), hop.phases.dns_us)).collect();
        assert_eq!(hops.len(), 3);
        assert_eq!((hops[0].1, hops[1], hops[2].1), (Some(1), ("(10 hops left out)", Some(65)), Some(12)));
    }

    #[test]
    fn a_tick_that_fits_is_written_as_it_is() {
        let whole = encode(&largest(), usize::MAX).unwrap();
        assert!(whole.len() > MAX_TICK_BYTES);
        assert_eq!(encode_tick(&largest(), whole.len()).unwrap(), whole);
        // One byte less costs what tells least.
        let found = read(&encode_tick(&largest(), whole.len() - 1).unwrap()).certificate.unwrap();
        assert_eq!((found.chain.len(), found.names.len()), (0, 8));
        let mut small = largest();
        small.hops.truncate(1);
        small.certificate = None;
        assert_eq!(encode_tick(&small, MAX_TICK_BYTES).unwrap(), encode(&small, MAX_TICK_BYTES).unwrap());
    }
}
