//! The few shapes of DER (X.690) in which a certificate describes itself (RFC 5280, 4.1). Everything is read in place:
//! a certificate may have thousands of names, and comes from a stranger.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::UtcMs;

/// 2.5.4.3, 2.5.4.10, 2.5.29.17.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 17];
/// More of a text is never shown.
const TEXT_BYTES: usize = 512;

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

/// Elements one after another; ends at the first that is broken.
#[derive(Clone)]
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.content)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            0x80 | 0x84..=0xff => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag: *tag, content })
    }
}

/// What is read of a certificate.
pub(super) struct Body<'a> {
    pub(super) issuer: Name<'a>,
    pub(super) not_before_at: UtcMs,
    pub(super) not_after_at: UtcMs,
    pub(super) subject: Name<'a>,
    /// SubjectPublicKeyInfo, as it is encoded.
    pub(super) key_info: &'a [u8],
    alternative_names: &'a [u8],
}

impl<'a> Body<'a> {
    /// `None` when it is no certificate.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Elements(Elements(der).expect(SEQUENCE)?);
        let mut fields = Elements(certificate.expect(SEQUENCE)?);
        // A version, and the serial number; without the former it is the first version.
        if fields.next()?.tag == 0xa0 {
            fields.next()?;
        }
        fields.expect(SEQUENCE)?;
        let issuer = Name(fields.expect(SEQUENCE)?);
        let mut validity = Elements(fields.expect(SEQUENCE)?);
        let not_before_at = instant(validity.next()?)?;
        let not_after_at = instant(validity.next()?)?;
        let subject = Name(fields.expect(SEQUENCE)?);
        let from_key = fields.0;
        fields.expect(SEQUENCE)?;
        let key_info = from_key.strip_suffix(fields.0)?;
        let extensions = fields.find(|field| field.tag == 0xa3);
        let alternative_names = extensions.and_then(|field| extension(field.content, ALTERNATIVE_NAMES));
        let alternative_names =
            alternative_names.and_then(|value| Elements(value).expect(SEQUENCE)).unwrap_or_default();
        Some(Self { issuer, not_before_at, not_after_at, subject, key_info, alternative_names })
    }

    /// Content of the key's AlgorithmIdentifier, and the key.
    pub(super) fn key(&self) -> Option<(&'a [u8], &'a [u8])> {
        let mut parts = Elements(Elements(self.key_info).expect(SEQUENCE)?);
        let kind = parts.expect(SEQUENCE)?;
        // Before the bits of a string stands how many are missing to the last byte.
        Some((kind, parts.expect(BIT_STRING)?.strip_prefix(&[0])?))
    }

    /// DNS names and addresses, in order.
    pub(super) fn alternative_names(&self) -> impl Iterator<Item = Alternative<'a>> {
        Elements(self.alternative_names).filter_map(|name| match name.tag {
            0x82 => Some(Alternative::Dns(name.content)),
            0x87 => match name.content.len() {
                4 => <[u8; 4]>::try_from(name.content).ok().map(|ip| Alternative::Ip(Ipv4Addr::from(ip).into())),
                _ => <[u8; 16]>::try_from(name.content).ok().map(|ip| Alternative::Ip(Ipv6Addr::from(ip).into())),
            },
            _ => None,
        })
    }
}

/// A name a certificate is for.
pub(super) enum Alternative<'a> {
    Dns(&'a [u8]),
    Ip(IpAddr),
}

impl Alternative<'_> {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Dns(name) => String::from_utf8_lossy(cut(name)).into_owned(),
            Self::Ip(address) => address.to_string(),
        }
    }
}

/// A distinguished name. Two are the same when their encodings are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a>(&'a [u8]);

impl Name<'_> {
    /// Common name, or else the organisation; empty when there is neither.
    pub(super) fn text(&self) -> String {
        self.attribute(COMMON_NAME).or_else(|| self.organization()).unwrap_or_default()
    }

    /// The organisation.
    pub(super) fn organization(&self) -> Option<String> {
        self.attribute(ORGANIZATION)
    }

    /// The common name.
    pub(super) fn common_name(&self) -> Option<String> {
        self.attribute(COMMON_NAME)
    }

    /// The last is the most specific (RFC 4514, 2.1).
    fn attribute(&self, kind: &[u8]) -> Option<String> {
        let sets = Elements(self.0).flat_map(|set| Elements(set.content));
        let values = sets.filter_map(|pair| {
            let mut pair = Elements(pair.content);
            pair.next().filter(|id| id.content == kind).and_then(|_| pair.next())
        });
        values.last().map(|value| text(value)).filter(|text| !text.is_empty())
    }
}

fn cut(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(TEXT_BYTES)]
}

fn text(value: Element<'_>) -> String {
    let bytes = cut(value.content);
    match value.tag {
        // BMPString: two bytes per character.
        0x1e => {
            let units: Vec<u16> = bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Value of an extension.
fn extension<'a>(list: &'a [u8], kind: &[u8]) -> Option<&'a [u8]> {
    Elements(Elements(list).expect(SEQUENCE)?).find_map(|extension| {
        let mut parts = Elements(extension.content);
        // Between the two it may say that it is critical.
        parts.next().filter(|id| id.content == kind).and_then(|_| parts.last()).map(|value| value.content)
    })
}

/// UTCTime or GeneralizedTime in the only forms certificates may use (RFC 5280, 4.1.2.5).
fn instant(time: Element<'_>) -> Option<UtcMs> {
    let digits = time.content.strip_suffix(b"Z").filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let (year, rest) = match (time.tag, digits.len()) {
        (0x17, 12) => {
            let (year, rest) = digits.split_at(2);
            let year = number(year);
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (0x18, 14) => {
            let (year, rest) = digits.split_at(4);
            (number(year), rest)
        }
        (_, _) => return None,
    };
    let (month, day) = (number(&rest[..2]), number(&rest[2..4]));
    let (hour, minute, second) = (number(&rest[4..6]), number(&rest[6..8]), number(&rest[8..]));
    // Days since 1970 after Howard Hinnant's `days_from_civil`.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_those_of_the_calendar() {
        let of = |tag, text: &str| instant(Element { tag, content: text.as_bytes() });
        assert_eq!(of(0x17, "700101000000Z"), Some(0));
        assert_eq!(of(0x17, "491231235959Z"), Some(2_524_607_999_000));
        assert_eq!(of(0x17, "500101000000Z"), Some(-631_152_000_000));
        assert_eq!(of(0x18, "20000229000000Z"), Some(951_782_400_000));
        assert_eq!(of(0x18, "99991231235959Z"), Some(253_402_300_799_000));
        for (tag, text) in [(0x17, "7001010000Z"), (0x17, "700101000000+0100"), (0x18, "700101000000Z"), (2, "")] {
            assert_eq!(of(tag, text), None, "{text}");
        }
    }

    #[test]
    fn lengths_that_lie_end_the_reading() {
        for bytes in [&[0x30u8][..], &[0x30, 1], &[0x30, 0x80, 0, 0], &[0x30, 0x84, 0, 0, 0, 0], &[0x30, 0x82, 1]] {
            assert!(Elements(bytes).next().is_none(), "{bytes:?}");
            assert!(Body::read(bytes).is_none());
        }
        assert_eq!(Elements(&[4, 0x81, 1, 7, 5, 0]).map(|e| e.content.len()).collect::<Vec<_>>(), [1, 0]);
    }
}
