//! The decoder of Redis entries.

use probe::wire::{MAX_CHECK_BYTES, MAX_TICK_BYTES, Report, decode_check, decode_report, encode};

use super::fuzz;
use super::generate::{any_check, any_report, any_tick};

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

fn entry(kind: &str, body: &str) -> Fields {
    [("v", "1"), ("kind", kind), ("body", body)].map(|(k, v)| (k.into(), v.into())).to_vec()
}

fn borrowed(fields: &Fields) -> impl Iterator<Item = (&[u8], &[u8])> {
    fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
}

#[test]
fn fuzz_what_is_encoded_is_what_is_decoded() {
    fuzz(|random| {
        let order = any_check(random);
        if let Ok(body) = encode(&order, MAX_CHECK_BYTES) {
            assert_eq!(decode_check(borrowed(&entry("check", &body))), Ok(order));
        }
        let report = any_report(random);
        let (kind, body) = match &report {
            Report::Tick(tick) => ("tick", encode(tick, MAX_TICK_BYTES)),
            Report::Heartbeat(heartbeat) => ("heartbeat", encode(heartbeat, MAX_TICK_BYTES)),
            Report::DeadLetter(letter) => ("dead_letter", encode(letter, MAX_TICK_BYTES)),
        };
        if let Ok(body) = body {
            assert_eq!(decode_report(borrowed(&entry(kind, &body))), Ok(report));
        }
    });
}

#[test]
fn fuzz_the_decoder_survives_any_entry_and_means_what_it_took() {
    let words: [&[u8]; 12] = [
        b"null",
        b"\"up\"",
        b"-1",
        b"1e999",
        b"{",
        b"[[[[",
        b"\"\\ud800\"",
        b"99999999999999999999",
        b"\xff\xfe",
        b"\"target\":",
        b",\"x\":1",
        b"\0",
    ];
    fuzz(|random| {
        let body = serde_json::to_string(&any_check(random)).unwrap();
        let report = serde_json::to_string(&any_tick(random)).unwrap();
        for (kind, body) in [("check", body), ("tick", report)] {
            let mut fields = entry(kind, "");
            fields[2].1 = if random.one_in(8) { random.bytes(300) } else { random.mutate(body.as_bytes(), &words) };
            if random.one_in(4) {
                let at = random.below(fields.len());
                let changed = random.mutate(&fields[at].0.clone(), &words);
                fields[at].0 = changed;
            }
            if random.one_in(4) {
                let at = random.below(2);
                let changed = random.mutate(&fields[at].1.clone(), &words);
                fields[at].1 = changed;
            }
            if random.one_in(8) {
                let twice = random.pick(&fields).clone();
                fields.push(twice);
            }
            // What was taken is taken again when it is written anew.
            if let Ok(order) = decode_check(borrowed(&fields)) {
                let again = serde_json::to_string(&order).unwrap();
                if again.len() <= MAX_CHECK_BYTES {
                    assert_eq!(decode_check(borrowed(&entry("check", &again))), Ok(order));
                }
            }
            if let Ok(Report::Tick(tick)) = decode_report(borrowed(&fields)) {
                let again = serde_json::to_string(&tick).unwrap();
                if again.len() <= MAX_TICK_BYTES {
                    assert_eq!(decode_report(borrowed(&entry("tick", &again))), Ok(Report::Tick(tick)));
                }
            }
        }
    });
}
