//! DNS messages (RFC 1035): just enough to ask for addresses and to distrust the answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Record types that are asked for or followed.
pub(super) const TYPE_A: u16 = 1;
pub(super) const TYPE_NS: u16 = 2;
const TYPE_CNAME: u16 = 5;
pub(super) const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;

/// Names in a chain of aliases at most.
const MAX_ALIASES: usize = 16;

/// A name as it is sent: lower case, no trailing dot. The root is empty.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

/// A question with recursion desired. `name` has passed [`is_name`], or is empty for the root.
pub(super) fn question(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut message = Vec::with_capacity(name.len() + 18);
    message.extend(id.to_be_bytes());
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(u8::try_from(label.len()).unwrap_or(63));
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message
}

/// What a server said to a question of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Addresses; none when the name has no such record.
    Addresses(Vec<IpAddr>),
    /// The name does not exist.
    Nxdomain,
    /// RCODE other than these.
    Failed(u8),
    /// Did not fit a datagram: ask again over TCP. The addresses that did fit.
    Truncated(Vec<IpAddr>),
    /// Answers our question, but cannot be read.
    Malformed,
}

/// Reads an answer to (id, name, kind). `None`: not an answer to that question, so not to be believed.
pub(super) fn reply(message: &[u8], id: u16, name: &str, kind: u16) -> Option<Reply> {
    let mut reader = Reader { message, at: 0 };
    let found_id = reader.u16()?;
    let flags = reader.u16()?;
    let questions = reader.u16()?;
    let answers = reader.u16()?;
    reader.skip(4)?;
    let is_reply = flags & 0x8000 != 0 && flags & 0x7800 == 0;
    if found_id != id || !is_reply {
        return None;
    }
    let rcode = (flags & 0x000f) as u8;
    // Some servers answer a failure with the header alone.
    if questions == 0 && rcode != 0 && rcode != 3 {
        return Some(Reply::Failed(rcode));
    }
    if questions != 1 || reader.name()? != name || reader.u16()? != kind || reader.u16()? != CLASS_IN {
        return None;
    }
    let truncated = flags & 0x0200 != 0;
    Some(match (rcode, truncated) {
        (0, _) => match reader.addresses(answers, name, kind) {
            (found, _) if truncated => Reply::Truncated(found),
            (found, true) => Reply::Addresses(found),
            (_, false) => Reply::Malformed,
        },
        (_, true) => Reply::Truncated(Vec::new()),
        (3, false) => Reply::Nxdomain,
        (other, false) => Reply::Failed(other),
    })
}

/// A record of an answer, as far as it matters here: with its owner.
enum Record {
    Alias(String, String),
    Address(String, IpAddr),
    Other,
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(bytes)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(|_| ())
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// A name, pointers followed. Pointers must lead backwards, so that there is an end.
    fn name(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut jump: Option<usize> = None;
        let mut floor = self.at;
        let mut at = self.at;
        loop {
            let length = usize::from(*self.message.get(at)?);
            match length {
                0 => {
                    at += 1;
                    break;
                }
                1..=63 => {
                    let label = self.message.get(at + 1..at + 1 + length)?;
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.extend(label.iter().map(|b| char::from(b.to_ascii_lowercase())));
                    if text.len() > 1024 {
                        return None;
                    }
                    at += 1 + length;
                }
                192..=255 => {
                    let low = usize::from(*self.message.get(at + 1)?);
                    let target = (length & 0x3f) << 8 | low;
                    if target >= floor {
                        return None;
                    }
                    jump.get_or_insert(at + 2);
                    floor = target;
                    at = target;
                }
                _ => return None,
            }
        }
        self.at = jump.unwrap_or(at);
        Some(text)
    }

    /// One record. `None` when it cannot be read.
    fn record(&mut self, kind: u16) -> Option<Record> {
        let owner = self.name()?;
        let record = self.u16()?;
        let class = self.u16()?;
        self.skip(4)?;
        let length = usize::from(self.u16()?);
        let start = self.at;
        let data = self.take(length)?;
        let (class_in, end) = (class == CLASS_IN, self.at);
        if class_in && record == TYPE_CNAME {
            // The alias may point into what came before its own data.
            self.at = start;
            let alias = self.name()?;
            self.at = end;
            return Some(Record::Alias(owner, alias));
        }
        if !class_in || record != kind {
            return Some(Record::Other);
        }
        match record {
            TYPE_A => Some(Record::Address(owner, Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into())),
            TYPE_AAAA => Some(Record::Address(owner, Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into())),
            _ => Some(Record::Other),
        }
    }

    /// Addresses of `name`, aliases followed, and whether the whole section could be read.
    fn addresses(&mut self, answers: u16, name: &str, kind: u16) -> (Vec<IpAddr>, bool) {
        let mut aliases: Vec<(String, String)> = Vec::new();
        let mut found: Vec<(String, IpAddr)> = Vec::new();
        let mut complete = true;
        for _ in 0..answers {
            match self.record(kind) {
                Some(Record::Alias(owner, alias)) => aliases.push((owner, alias)),
                Some(Record::Address(owner, address)) => found.push((owner, address)),
                Some(Record::Other) => {}
                None => {
                    complete = false;
                    break;
                }
            }
        }
        let mut wanted = name.to_owned();
        for _ in 0..MAX_ALIASES {
            match aliases.iter().find(|(owner, _)| *owner == wanted) {
                Some((_, alias)) => wanted.clone_from(alias),
                None => break,
            }
        }
        let of_name = found.into_iter().filter(|(owner, _)| *owner == wanted).map(|(_, address)| address).collect();
        (of_name, complete)
    }
}

/// Whether a datagram that answers `id` came from a server that is in touch with the world: it knows the root.
pub(super) fn knows_root(message: &[u8], id: u16) -> Option<bool> {
    reply(message, id, "", TYPE_NS)
        .map(|reply| matches!(reply, Reply::Addresses(_) | Reply::Truncated(_) | Reply::Malformed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_to_another_question_is_not_believed() {
        let mut message = question(7, "a.example", TYPE_A);
        assert_eq!(reply(&message, 7, "a.example", TYPE_A), None, "a question is not a reply");
        message[2] |= 0x80;
        assert_eq!(reply(&message, 7, "a.example", TYPE_A), Some(Reply::Addresses(Vec::new())));
        assert_eq!(reply(&message, 8, "a.example", TYPE_A), None);
        assert_eq!(reply(&message, 7, "b.example", TYPE_A), None);
        assert_eq!(reply(&message, 7, "a.example", TYPE_AAAA), None);
    }

    #[test]
    fn a_pointer_that_leads_nowhere_ends() {
        let mut message = question(7, "a", TYPE_A);
        message[2] |= 0x80;
        message[7] = 1;
        let at = u8::try_from(message.len()).unwrap();
        message.extend([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]);
        assert_eq!(reply(&message, 7, "a", TYPE_A), Some(Reply::Malformed));
    }

    #[test]
    fn a_truncated_reply_gives_the_addresses_that_are_whole() {
        let mut message = question(7, "a", TYPE_A);
        message[2] |= 0x82;
        message[7] = 2;
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4, 0xc0, 12, 0, 1]);
        let whole = vec![IpAddr::from([1, 2, 3, 4])];
        assert_eq!(reply(&message, 7, "a", TYPE_A), Some(Reply::Truncated(whole)));
        message[2] &= !2;
        assert_eq!(reply(&message, 7, "a", TYPE_A), Some(Reply::Malformed));
    }

    #[test]
    fn any_bytes_are_survived() {
        let mut message = question(7, "a.example", TYPE_A);
        message[2] |= 0x80;
        message[7] = 2;
        message.extend([
            0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 0, 0, 2, 0xc0, 14, 0xc0, 14, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4,
        ]);
        for cut in 0..message.len() {
            let _ = reply(&message[..cut], 7, "a.example", TYPE_A);
            for byte in [0, 0x3f, 0x40, 0xc0, 0xff] {
                let mut other = message.clone();
                other[cut] = byte;
                let _ = reply(&other, 7, "a.example", TYPE_A);
            }
        }
    }
}
