//! DNS messages, as far as a name server in a test needs them.

use super::{Answer, Kind, Over, Question, Record};

/// The question, and where it ends. Clients do not compress names in questions.
pub(super) fn read(message: &[u8], over: Over) -> Option<(Question, usize)> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = match u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?) {
        1 => Kind::A,
        2 => Kind::Ns,
        28 => Kind::Aaaa,
        other => Kind::Other(other),
    };
    message.get(at + 2..at + 4)?;
    Some((Question { name: labels.join("."), kind, over, before: 0 }, at + 4))
}

/// The answer to a message that ends with its question.
pub(super) fn write(question: &[u8], answer: &Answer) -> Option<Vec<u8>> {
    let mut message = question.to_vec();
    message[2] |= 0x80;
    // No authority, no additional records, whatever the client sent.
    message[6..12].fill(0);
    match answer {
        Answer::Silence | Answer::Later(..) => return None,
        Answer::Raw(bytes) => return Some(bytes.clone()),
        Answer::Rcode(rcode) => message[3] |= rcode,
        Answer::Garbage(bytes) => {
            message[7] = 1;
            message.extend(bytes);
        }
        Answer::Records(records) => add(&mut message, records),
        Answer::Truncated(records) => {
            message[2] |= 2;
            add(&mut message, records);
        }
    }
    Some(message)
}

fn add(message: &mut Vec<u8>, records: &[Record]) {
    message[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
    // A pointer to the name in the question.
    let mut owner = vec![0xc0, 12];
    for record in records {
        let (kind, ttl, data) = match record {
            Record::A(address, ttl) => (1u16, ttl, address.octets().to_vec()),
            Record::Aaaa(address, ttl) => (28, ttl, address.octets().to_vec()),
            Record::Cname(name, ttl) => (5, ttl, encode(name)),
        };
        message.extend(&owner);
        message.extend(kind.to_be_bytes());
        message.extend(1u16.to_be_bytes());
        message.extend(ttl.to_be_bytes());
        message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend(&data);
        if matches!(record, Record::Cname(..)) {
            owner = data;
        }
    }
}

fn encode(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
