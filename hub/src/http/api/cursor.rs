//! Lists in pages: how many entries, from where on, and the way to the next ones. A cursor is opaque: its text is the place in
//! a form of ours with a check over it and the list it is of, so that one that was made up or taken from another list is
//! refused. It is no secret and grants nothing: whose entries are shown is decided by who asks.

use std::fmt::Display;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::http::{HttpError, Request, Response};
use crate::model::{FieldError, FieldErrors};

/// Entries of a page of a list, when nothing is said.
pub const LIMIT: i64 = 50;
/// At most.
pub const MOST: i64 = 200;
/// Longer ones are none of ours.
const CHARACTERS: usize = 256;
const CHECK_BYTES: usize = 6;

/// How many entries of a list are asked for.
///
/// # Errors
/// What is no number, or too large.
pub fn limit(request: &Request) -> Result<i64, HttpError> {
    let given = request.query("limit").unwrap_or_default();
    match given.parse() {
        Ok(limit @ 1..=MOST) => Ok(limit),
        Err(_) if request.query("limit").is_none() => Ok(LIMIT),
        Ok(_) | Err(_) => {
            let remedy = format!("Give a whole number from 1 to {MOST}.");
            Err(HttpError::Fields(FieldErrors(vec![FieldError::new("limit", given, remedy)])))
        }
    }
}

/// Where a list goes on: the cursor of its query; `None`: at its begin.
///
/// # Errors
/// It is none of this list.
pub fn after<T: FromStr>(request: &Request, list: &str) -> Result<Option<T>, HttpError> {
    let Some(given) = request.query("after") else { return Ok(None) };
    read(list, given).map(Some).ok_or_else(|| {
        let shown = FieldError::new("after", given, "take it from \"next\" of the page before, or leave it out.");
        HttpError::BadRequest(shown.to_string())
    })
}

/// The cursor of a place.
pub fn write(list: &str, place: &impl Display) -> String {
    let place = place.to_string();
    let mut bytes = check(list, place.as_bytes()).to_vec();
    bytes.extend_from_slice(place.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read<T: FromStr>(list: &str, given: &str) -> Option<T> {
    if given.len() > CHARACTERS {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(given).ok()?;
    let (checked, place) = bytes.split_at_checked(CHECK_BYTES)?;
    if check(list, place) != *checked {
        return None;
    }
    std::str::from_utf8(place).ok()?.parse().ok()
}

fn check(list: &str, place: &[u8]) -> [u8; CHECK_BYTES] {
    let digest =
        Sha256::new().chain_update("cursor ").chain_update(list).chain_update([0]).chain_update(place).finalize();
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}

/// Cuts what was looked for with one entry more than `limit`; whether there are more.
pub fn cut<T>(entries: &mut Vec<T>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = entries.len() > limit;
    entries.truncate(limit);
    has_more
}

/// A page of a list as an answer, with the address of the next one in `Link`.
pub fn page<T: Serialize>(request: &Request, body: &T, next: Option<&str>) -> Response {
    let answer = Response::json(200, body);
    let Some(next) = next else { return answer };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in request.query.iter().filter(|(name, _)| name != "after") {
        query.append_pair(name, value);
    }
    query.append_pair("after", next);
    answer.with("link", &format!("<{}?{}>; rel=\"next\"", request.path, query.finish()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::WebsiteCursor;

    #[test]
    fn t116_a_cursor_is_of_one_list_and_as_it_was_given() {
        let place = WebsiteCursor { created_at: 7, id: crate::model::WebsiteId(uuid::Uuid::from_u128(9)) };
        let given = write("websites", &place);
        assert_eq!(read("websites", &given), Some(place));
        assert_eq!(read::<WebsiteCursor>("jobs", &given), None);
        for at in 0..given.len() {
            let mut other = given.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            // The last character has bits that stand for nothing; then it is no base64 of ours either.
            assert_eq!(read::<WebsiteCursor>("websites", std::str::from_utf8(&other).unwrap()), None, "{at}");
        }
        for odd in ["", "7_9", "' or 1=1 --", "%00", "AAAAAAAA", &"A".repeat(10_000)] {
            assert_eq!(read::<WebsiteCursor>("websites", odd), None, "{odd}");
        }
    }
}
