//! One column of texts that may be missing: each text once, in order of appearance, then which of them each tick has.

use std::collections::HashMap;
use std::sync::Arc;

use super::column::{self, Hint};
use super::number::{Numbers, bits};
use super::range::{Chance, Coder, Cost, Decoder, Encoder};
use super::{Damage, MAX_TEXT, MAX_TEXTS};

/// What texts of ticks look like: letters are learned from this before those of a block. Part of the format.
const SAMPLE: &str = "scheduled up first up confirm down manual up degraded down unknown connect_refused connect target \
    The connection was refused. 203.0.113.7:443 198.51.100.24:443 192.0.2.1:80 [2001:db8::1]:443 http_status judge target \
    Status 503 instead of 200. first_byte_timeout wait target No answer within 10 s. tls_expired tls dns_nxdomain dns \
    connect_timeout No connection within 10 s. slow keyword_missing TLSv1.3 TLSv1.2 R10 R11 R12 R13 E5 E7 WE1 WR2 WR3 \
    Let's Encrypt Amazon RSA 2048 M02 DigiCert Sectigo www.example.com *.example.org probe worker-1 worker-2 pi-1 local ";

/// What is known of the letters of a block, of all columns together: each by the one before it.
pub(super) struct Letters {
    chances: Vec<[Chance; 256]>,
    lengths: Numbers,
    counts: Numbers,
    /// Bytes of text so far.
    bytes: usize,
}

impl Letters {
    pub(super) fn new() -> Self {
        let mut letters = Self {
            chances: vec![[Chance::EVEN; 256]; 256],
            lengths: Numbers::new(false),
            counts: Numbers::new(false),
            bytes: 0,
        };
        for word in SAMPLE.split(' ') {
            let (mut nowhere, mut before) = (Cost::default(), 0);
            for byte in word.bytes().chain([b' ']) {
                before = letters.code(&mut nowhere, before, byte);
            }
        }
        letters
    }

    fn code<C: Coder>(&mut self, coder: &mut C, before: u8, byte: u8) -> u8 {
        bits(coder, &mut self.chances[usize::from(before)], 8, u64::from(byte)) as u8
    }
}

/// Writes a column.
pub(super) fn write(encoder: &mut Encoder, letters: &mut Letters, hint: &mut Hint, texts: &[Option<&Arc<str>>]) {
    let mut places: HashMap<&str, i64> = HashMap::new();
    let mut words: Vec<&str> = Vec::new();
    let which: Vec<Option<i64>> = texts
        .iter()
        .map(|text| {
            let text: &str = text.as_deref()?;
            Some(*places.entry(text).or_insert_with(|| {
                words.push(text);
                words.len() as i64 - 1
            }))
        })
        .collect();
    letters.counts.code(encoder, words.len() as i64);
    for word in words {
        letters.lengths.code(encoder, word.len() as i64);
        let mut before = 0;
        for byte in word.bytes() {
            before = letters.code(encoder, before, byte);
        }
    }
    column::write(encoder, hint, &which, &vec![0; texts.len()]);
}

/// Reads a column of `count` texts.
pub(super) fn read(
    decoder: &mut Decoder<'_>,
    letters: &mut Letters,
    hint: &mut Hint,
    count: usize,
) -> Result<Vec<Option<Arc<str>>>, Damage> {
    let in_all = usize::try_from(letters.counts.code(decoder, 0)).ok().filter(|words| *words <= count);
    let in_all = in_all.ok_or(Damage::Malformed("more texts than ticks"))?;
    let mut words: Vec<Arc<str>> = Vec::new();
    for _ in 0..in_all {
        let length = usize::try_from(letters.lengths.code(decoder, 0)).ok().filter(|length| *length <= MAX_TEXT);
        let length = length.ok_or(Damage::Malformed("a text is too long"))?;
        letters.bytes += length;
        if letters.bytes > MAX_TEXTS || decoder.is_spent() {
            return Err(Damage::Malformed("too much text"));
        }
        let mut word = Vec::with_capacity(length);
        let mut before = 0;
        for _ in 0..length {
            before = letters.code(decoder, before, 0);
            word.push(before);
        }
        words.push(String::from_utf8(word).map_err(|_| Damage::Malformed("a text is none"))?.into());
    }
    let which = column::read(decoder, hint, &vec![0; count])?;
    let text = |place: Option<i64>| {
        let Some(place) = place else { return Ok(None) };
        let word = usize::try_from(place).ok().and_then(|place| words.get(place));
        word.map(|word| Some(word.clone())).ok_or(Damage::Malformed("there is no such text"))
    };
    which.into_iter().map(text).collect()
}
