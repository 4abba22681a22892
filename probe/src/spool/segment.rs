//! The bytes of one file of the spool: ticks as they will be sent, each with a check sum. What is damaged is told and
//! passed over; nothing here can fail.
//!
//! A record is a mark (4 bytes), the length of what follows the next field (4, little-endian), its CRC-32 (4,
//! little-endian); then the length of the entry id (1), the entry id, and the body of the tick.

use std::ops::Range;

use crate::wire::MAX_TICK_BYTES;

/// Its first and last byte occur in no UTF-8, so that a search for it finds few others.
const MARK: [u8; 4] = [0xFF, b'B', b'U', 0xFE];
const HEAD: usize = 12;
/// Of what follows the head: more is none of ours, and Redis or the hub would refuse it for ever.
const MAX_CONTENT: usize = 1 + MAX_ID + MAX_TICK_BYTES;
/// Of an id of Redis: two numbers of at most 20 digits.
const MAX_ID: usize = 41;

/// Adds a record.
pub(super) fn append(bytes: &mut Vec<u8>, entry_id: &str, body: &str) {
    let id = &entry_id.as_bytes()[..entry_id.len().min(MAX_ID)];
    let mut content = Vec::with_capacity(1 + id.len() + body.len());
    content.push(u8::try_from(id.len()).unwrap_or(0));
    content.extend_from_slice(id);
    content.extend_from_slice(body.as_bytes());
    bytes.extend_from_slice(&MARK);
    bytes.extend_from_slice(&u32::try_from(content.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(&crc32(&content).to_le_bytes());
    bytes.extend_from_slice(&content);
}

/// Where things are in the bytes of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub entry_id: Range<usize>,
    pub body: Range<usize>,
}

/// All records that are whole, in order, and how many places are damaged: a torn end is one.
pub(super) fn records(bytes: &[u8]) -> (Vec<Record>, u32) {
    let (mut found, mut damaged, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        if let Some((record, next)) = record(bytes, at) {
            found.push(record);
            at = next;
            continue;
        }
        damaged += 1;
        // The length may be wrong, too: the next whole record is looked for.
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let next = memchr::memmem::find_iter(rest, &MARK).map(|n| at + 1 + n).find(|n| record(bytes, *n).is_some());
        at = next.unwrap_or(bytes.len());
    }
    (found, damaged)
}

fn record(bytes: &[u8], at: usize) -> Option<(Record, usize)> {
    let head = bytes.get(at..at.checked_add(HEAD)?)?;
    let (mark, numbers) = head.split_first_chunk::<4>()?;
    let (length, sum) = numbers.split_first_chunk::<4>()?;
    let start = at + HEAD;
    // Before its sum is looked at: of many false marks each would cost the whole file.
    let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length <= MAX_CONTENT)?;
    let end = start.checked_add(length)?;
    let content = bytes.get(start..end)?;
    if *mark != MARK || sum != crc32(content).to_le_bytes() {
        return None;
    }
    let (id_length, rest) = content.split_first()?;
    let id = rest.get(..usize::from(*id_length))?;
    let body = &rest[id.len()..];
    (is_id(id) && std::str::from_utf8(body).is_ok()).then(|| {
        let body_at = start + 1 + id.len();
        (Record { entry_id: start + 1..body_at, body: body_at..end }, end)
    })
}

/// Whether Redis takes it for an id: one that it does not would fail every acknowledgement.
fn is_id(id: &[u8]) -> bool {
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u64>().is_ok();
    let parts = std::str::from_utf8(id).ok().and_then(|id| id.split_once('-'));
    parts.is_some_and(|(ms, count)| is_number(ms) && is_number(count))
}

const TABLE: [u32; 256] = {
    let mut table = [0_u32; 256];
    let mut n = 0;
    while n < 256 {
        let (mut value, mut bit) = (n as u32, 0);
        while bit < 8 {
            value = if value & 1 == 1 { 0xEDB8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
};

/// CRC-32 as in gzip.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| TABLE[((sum ^ u32::from(*byte)) & 0xFF) as usize] ^ (sum >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        (0..count).for_each(|n| append(&mut bytes, &format!("{n}-0"), &format!("{{\"tick\":{n}}}")));
        bytes
    }

    fn ids(bytes: &[u8]) -> (Vec<String>, u32) {
        let (records, damaged) = records(bytes);
        let id = |r: &Record| String::from_utf8(bytes[r.entry_id.clone()].to_vec()).unwrap();
        (records.iter().map(id).collect(), damaged)
    }

    #[test]
    fn the_check_sum_is_that_of_gzip() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn what_was_written_is_read_and_a_torn_end_is_told() {
        let bytes = segment(3);
        let (found, damaged) = records(&bytes);
        assert_eq!((found.len(), damaged), (3, 0));
        assert_eq!(&bytes[found[2].body.clone()], b"{\"tick\":2}");
        assert_eq!(ids(&[]), (vec![], 0));
        // Torn anywhere: never more than one record is lost, and nothing is made up.
        for end in 1..bytes.len() {
            let (found, damaged) = ids(&bytes[..end]);
            let whole = ["0-0", "1-0", "2-0"];
            assert_eq!(found, whole[..found.len()], "{end}");
            assert!(damaged <= 1 && found.len() <= 2, "{end}");
        }
    }

    #[test]
    fn a_damaged_record_is_passed_over_whatever_byte_it_is() {
        let bytes = segment(3);
        let one = bytes.len() / 3;
        for at in one..2 * one {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(ids(&damaged), (vec!["0-0".to_owned(), "2-0".to_owned()], 1), "{at} {bit}");
            }
        }
        let garbage: Vec<u8> = (0..10_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert_eq!(ids(&garbage), (vec![], 1));
        // A length that reaches beyond everything.
        let mut huge = MARK.to_vec();
        huge.extend_from_slice(&[0xFF; 8]);
        huge.extend_from_slice(&segment(1));
        assert_eq!(ids(&huge), (vec!["0-0".to_owned()], 1));
    }
}
