//! The body against what is expected of it, while it comes in. Texts are searched for on the way; only a pattern or a
//! JSON pointer needs the body whole.

use std::sync::{Mutex, PoisonError};

use memchr::memmem::Finder;
use ureq::http::{HeaderMap, header};

use super::budget::{Budget, Kept};
use super::classify::{Trouble, printable};
use super::gzip::{Corrupt, Gunzip};
use super::json::{self, Found};
use super::limits::{MAX_BODY_BYTES, MAX_PATTERN_BODY_BYTES, MAX_QUOTE_BYTES};
use crate::wire::{self, Blame, Class, Content, Expectations, Phase};

const MAX_BODY: usize = MAX_BODY_BYTES as usize;

/// Hears a body out.
pub(super) struct Listener<'a> {
    expect: &'a Expectations,
    coding: Coding,
    ears: Ears<'a>,
}

enum Coding {
    Identity,
    Gzip(Box<Gunzip>),
    /// It was gzip so far.
    Corrupt(Corrupt),
    Unsupported(String),
}

/// What listens to the decoded body.
struct Ears<'a> {
    /// One per expectation; `None` for those that need no search.
    searches: Vec<Option<Search<'a>>>,
    whole: Option<Kept<'a>>,
    decoded: usize,
    /// More than is read of any body.
    overflowed: bool,
}

impl<'a> Listener<'a> {
    /// `None` when nothing is expected of the body.
    pub(super) fn new(expect: &'a Expectations, headers: &HeaderMap, budget: &'a Budget) -> Option<Self> {
        if !expect.reads_body() {
            return None;
        }
        let search = |content: &'a Content| match content {
            Content::Contains(text) | Content::Lacks(text) => Some(Search::new(text)),
            Content::Matches(_) | Content::JsonEquals { .. } | Content::HeaderEquals { .. } => None,
        };
        let keep = expect.content.iter().map(|content| match content {
            Content::JsonEquals { .. } => MAX_BODY,
            Content::Matches(_) => MAX_PATTERN_BODY_BYTES,
            Content::Contains(_) | Content::Lacks(_) | Content::HeaderEquals { .. } => 0,
        });
        let keep = keep.max().filter(|bytes| *bytes > 0);
        let ears = Ears {
            searches: expect.content.iter().map(search).collect(),
            whole: keep.map(|bytes| Kept::new(budget, bytes)),
            decoded: 0,
            overflowed: false,
        };
        Some(Self { expect, coding: coding(headers), ears })
    }

    /// The next piece of the body as it came.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        let ears = &mut self.ears;
        match &mut self.coding {
            Coding::Identity => {
                ears.hear(bytes);
            }
            Coding::Gzip(_) if ears.overflowed => {}
            Coding::Gzip(gunzip) => {
                if let Err(corrupt) = gunzip.feed(bytes, |decoded| ears.hear(decoded)) {
                    self.coding = Coding::Corrupt(corrupt);
                }
            }
            Coding::Corrupt(_) | Coding::Unsupported(_) => {}
        }
    }

    /// What is wrong with the body, now that it is over. `truncated`: it went on. `patterns` is held while one is tried.
    pub(super) fn judge(mut self, truncated: bool, headers: &HeaderMap, patterns: &Mutex<()>) -> Option<Trouble> {
        let partial = truncated || self.ears.overflowed;
        let undecodable = match &self.coding {
            Coding::Identity => None,
            Coding::Gzip(gunzip) if gunzip.is_done() || partial => None,
            Coding::Gzip(_) => Some(target(Class::BodyDecode, "The body is gzip that breaks off.".to_owned())),
            Coding::Corrupt(Corrupt(why)) => {
                Some(target(Class::BodyDecode, format!("The body is said to be gzip, but {why}.")))
            }
            Coding::Unsupported(coding) => Some(target(
                Class::EncodingUnsupported,
                format!("The body is encoded as \"{coding}\", which was not asked for and is not read."),
            )),
        };
        if undecodable.is_some() {
            return undecodable;
        }
        let is_gzip = matches!(self.coding, Coding::Gzip(_));
        let mut whole = self.ears.whole.take();
        if whole.as_ref().is_some_and(|kept| kept.starved) {
            return Some(Trouble {
                class: Class::ProbeError,
                phase: Phase::Judge,
                blame: Blame::Probe,
                detail: "The probe had no memory left to look into the body; too many long ones came at once."
                    .to_owned(),
            });
        }
        let whole = whole.as_mut().map_or("", Kept::text);
        let pairs = self.expect.content.iter().zip(&self.ears.searches);
        pairs.into_iter().find_map(|(content, search)| {
            let found = search.as_ref().is_some_and(|search| search.found);
            match content {
                Content::Contains(text) if !found => Some(missing("does not contain", text, partial, is_gzip)),
                Content::Lacks(text) if found => {
                    let detail = format!("The answer contains \"{}\".", quote(text));
                    Some(target(Class::KeywordPresent, detail))
                }
                Content::Lacks(_) if self.ears.overflowed && is_gzip => Some(too_large(is_gzip)),
                Content::Matches(pattern) => {
                    let _one = patterns.lock().unwrap_or_else(PoisonError::into_inner);
                    matches(pattern, whole, partial, is_gzip)
                }
                Content::JsonEquals { pointer, value } => {
                    if partial {
                        return Some(too_large(is_gzip));
                    }
                    json_equals(whole, pointer, value)
                }
                Content::Contains(_) | Content::Lacks(_) => None,
                Content::HeaderEquals { name, value } => header_equals(headers, name, value),
            }
        })
    }
}

/// What is wrong with the head, where nothing is expected of the body.
pub(super) fn judge_head(expect: &Expectations, headers: &HeaderMap) -> Option<Trouble> {
    expect.content.iter().find_map(|content| match content {
        Content::HeaderEquals { name, value } => header_equals(headers, name, value),
        Content::Contains(_) | Content::Lacks(_) | Content::Matches(_) | Content::JsonEquals { .. } => None,
    })
}

/// How the body is encoded. Nothing but gzip is read, and only once.
fn coding(headers: &HeaderMap) -> Coding {
    let values = headers.get_all(header::CONTENT_ENCODING).iter().map(|value| value.as_bytes());
    let joined = values.map(|v| String::from_utf8_lossy(v).into_owned()).collect::<Vec<_>>().join(", ");
    let name = joined.trim().to_ascii_lowercase();
    match name.as_str() {
        "" | "identity" => Coding::Identity,
        "gzip" | "x-gzip" => Coding::Gzip(Box::new(Gunzip::new())),
        _ => Coding::Unsupported(printable(&name, MAX_QUOTE_BYTES)),
    }
}

impl Ears<'_> {
    /// False when nothing more is taken.
    fn hear(&mut self, bytes: &[u8]) -> bool {
        let room = MAX_BODY - self.decoded;
        self.overflowed |= bytes.len() > room;
        let bytes = &bytes[..bytes.len().min(room)];
        self.decoded += bytes.len();
        for search in self.searches.iter_mut().flatten() {
            search.hear(bytes);
        }
        if let Some(whole) = &mut self.whole {
            whole.keep(bytes);
        }
        !self.overflowed
    }
}

/// Looks for a text that may lie across two pieces (T028).
struct Search<'a> {
    finder: Finder<'a>,
    found: bool,
    /// End of what came before: one byte less than the text.
    tail: Vec<u8>,
}

impl<'a> Search<'a> {
    fn new(text: &'a str) -> Self {
        Self { finder: Finder::new(text), found: false, tail: Vec::new() }
    }

    fn hear(&mut self, bytes: &[u8]) {
        if self.found {
            return;
        }
        let keep = self.finder.needle().len().saturating_sub(1);
        // What lies across the border lies within this much of both sides.
        self.tail.extend_from_slice(&bytes[..bytes.len().min(keep)]);
        self.found = self.finder.find(&self.tail).is_some() || self.finder.find(bytes).is_some();
        if bytes.len() >= keep {
            self.tail.clear();
            self.tail.extend_from_slice(&bytes[bytes.len() - keep..]);
        } else {
            let surplus = self.tail.len().saturating_sub(keep);
            self.tail.drain(..surplus);
        }
    }
}

fn matches(pattern: &str, text: &str, partial: bool, is_gzip: bool) -> Option<Trouble> {
    let cut = text.len() >= MAX_PATTERN_BODY_BYTES;
    let text = text.get(..text.floor_char_boundary(MAX_PATTERN_BODY_BYTES)).unwrap_or(text);
    match wire::pattern(pattern) {
        Ok(regex) if regex.is_match(text) => None,
        Ok(_) if cut => {
            let detail = format!("The answer does not match \"{}\" within its first 256 KiB.", quote(pattern));
            Some(target(Class::KeywordMissing, detail))
        }
        Ok(_) => Some(missing("does not match", pattern, partial, is_gzip)),
        // The check is not run when it is not a pattern; this is for completeness.
        Err(why) => Some(Trouble {
            class: Class::Unsupported,
            phase: Phase::Judge,
            blame: Blame::Probe,
            detail: format!("\"{}\" is not a usable pattern: {why}.", quote(pattern)),
        }),
    }
}

fn json_equals(text: &str, pointer: &str, value: &serde_json::Value) -> Option<Trouble> {
    let at = if pointer.is_empty() { "as a whole".to_owned() } else { format!("at {}", quote(pointer)) };
    let wanted = quote(&value.to_string());
    let detail = match json::find(text.as_bytes(), pointer) {
        Ok(Found::Value(found)) if json::equal(&found, value) => return None,
        Ok(Found::Value(found)) => format!("The answer's JSON {at} is {}, not {wanted}.", quote(&found.to_string())),
        Ok(Found::TooLong) => format!("The answer's JSON {at} is much longer or deeper than {wanted}."),
        Ok(Found::Nothing) => format!("The answer's JSON has nothing {at}; {wanted} is expected."),
        Err(why) => format!("The answer is not JSON: {why}."),
    };
    Some(target(Class::ExpectationFailed, detail))
}

fn header_equals(headers: &HeaderMap, name: &str, value: &str) -> Option<Trouble> {
    let values: Vec<&[u8]> = headers.get_all(name).iter().map(|v| v.as_bytes().trim_ascii()).collect();
    if values.contains(&value.trim().as_bytes()) {
        return None;
    }
    let found = match values.first() {
        Some(found) => format!("is \"{}\", not", quote(&String::from_utf8_lossy(found))),
        None => "is missing; it should be".to_owned(),
    };
    let detail = format!("The answer's header field {} {found} \"{}\".", quote(name), quote(value));
    Some(target(Class::ExpectationFailed, detail))
}

fn missing(what: &str, wanted: &str, partial: bool, is_gzip: bool) -> Trouble {
    if partial && is_gzip {
        return too_large(is_gzip);
    }
    let within = if partial { " within the first 1 MiB" } else { "" };
    target(Class::KeywordMissing, format!("The answer {what} \"{}\"{within}.", quote(wanted)))
}

fn too_large(is_gzip: bool) -> Trouble {
    let decoded = if is_gzip { " when it is decoded" } else { "" };
    let detail = format!("The body is longer than 1 MiB{decoded}; its end is needed to judge it and is not read.");
    target(Class::BodyTooLarge, detail)
}

fn quote(text: &str) -> String {
    let cut = printable(text, MAX_QUOTE_BYTES);
    if text.chars().nth(MAX_QUOTE_BYTES).is_some() { format!("{cut}...") } else { cut }
}

fn target(class: Class, detail: String) -> Trouble {
    Trouble { class, phase: Phase::Judge, blame: Blame::Target, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judge(content: Content, pieces: &[&[u8]], truncated: bool) -> Option<Class> {
        let expect = Expectations { content: vec![content], ..Expectations::default() };
        let headers = HeaderMap::new();
        let budget = Budget::new(2 * MAX_BODY);
        let mut listener = Listener::new(&expect, &headers, &budget).unwrap();
        pieces.iter().for_each(|piece| listener.hear(piece));
        listener.judge(truncated, &headers, &Mutex::new(())).map(|trouble| trouble.class)
    }

    #[test]
    fn t028_a_text_is_found_across_any_pieces() {
        let body = b"xxneedleyy";
        for size in 1..=body.len() {
            let pieces: Vec<&[u8]> = body.chunks(size).collect();
            assert_eq!(judge(Content::Contains("needle".into()), &pieces, false), None, "{size}");
            let missing = judge(Content::Contains("needles".into()), &pieces, false);
            assert_eq!(missing, Some(Class::KeywordMissing), "{size}");
            assert_eq!(judge(Content::Lacks("needle".into()), &pieces, false), Some(Class::KeywordPresent));
            assert_eq!(judge(Content::Contains("n".into()), &pieces, false), None);
        }
    }

    #[test]
    fn a_pattern_sees_the_beginning_of_a_long_body_and_text_that_is_not_utf8() {
        let body: &[&[u8]] = &[b"\xffversion 12\xfe"];
        assert_eq!(judge(Content::Matches("version [0-9]+".into()), body, false), None);
        let long = vec![b'x'; MAX_PATTERN_BODY_BYTES];
        assert_eq!(judge(Content::Matches("^x".into()), &[&long, b"yes"], false), None);
        assert_eq!(judge(Content::Matches("yes".into()), &[&long, b"yes"], false), Some(Class::KeywordMissing));
    }

    #[test]
    fn a_body_for_which_there_is_no_memory_is_nobodys_outage() {
        let expect = Expectations { content: vec![Content::Matches("x".into())], ..Expectations::default() };
        let (headers, budget) = (HeaderMap::new(), Budget::new(0));
        let mut listener = Listener::new(&expect, &headers, &budget).unwrap();
        listener.hear(b"x");
        let trouble = listener.judge(false, &headers, &Mutex::new(())).unwrap();
        assert_eq!((trouble.class, trouble.blame), (Class::ProbeError, Blame::Probe));
    }

    #[test]
    fn what_needs_the_end_is_not_judged_without_it() {
        let equals = |value| Content::JsonEquals { pointer: "/ok".into(), value };
        let body: &[&[u8]] = &[b"{\"ok\":", b"true}"];
        assert_eq!(judge(equals(json!(true)), body, false), None);
        assert_eq!(judge(equals(json!(false)), body, false), Some(Class::ExpectationFailed));
        assert_eq!(judge(equals(json!(true)), body, true), Some(Class::BodyTooLarge));
        assert_eq!(judge(equals(json!(true)), &[b"<html>"], false), Some(Class::ExpectationFailed));
    }

    #[test]
    fn quotes_are_short() {
        let expect = Expectations { content: vec![Content::Contains("x".repeat(900))], ..Expectations::default() };
        let (headers, budget) = (HeaderMap::new(), Budget::new(0));
        let listener = Listener::new(&expect, &headers, &budget).unwrap();
        let trouble = listener.judge(false, &headers, &Mutex::new(())).unwrap();
        assert!(trouble.detail.len() < 120, "{}", trouble.detail);
    }
}
