//! The form in which a URL is stored, and what is refused at save time (T065 to T079).

use url::{Host, Url};

use super::FieldError;

/// Longest URL.
const MAX_BYTES: usize = 2_048;

/// Ports browsers refuse to speak HTTP to (Fetch standard, "bad port"): other protocols live there.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// The normal form of an address a person typed.
///
/// # Errors
/// What is wrong with it and what would work.
pub fn normalise(text: &str) -> Result<String, FieldError> {
    let text = text.trim();
    let wrong = |remedy: &str| Err(FieldError::new("url", &masked(text), remedy));
    if text.is_empty() {
        return wrong("Give the address to watch, for example https://example.com.");
    }
    if text.len() > MAX_BYTES {
        return wrong("This address is too long; 2048 characters are the limit.");
    }
    let lower = text.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return wrong("This address needs http:// or https:// in front.");
    }
    let Ok(mut url) = Url::parse(text) else {
        return wrong("This is not an address; check the host name and the port.");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "Leave name and password out of the address, where everyone sees them: put them under More settings, Sign in.",
        );
    }
    // `host:` is not `host`: whoever types a colon means a port (T068). The crate takes it for the default one.
    if authority(text).ends_with(':') {
        return wrong("The port is missing after the colon.");
    }
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name); // one dot at the end is the root
            let is_fine = name.len() <= 253 && name.split('.').all(|l| !l.is_empty() && l.len() <= 63);
            if !is_fine {
                return wrong("This host name is not possible; check the dots.");
            }
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => {}
        None => return wrong("This address has no host name."),
    }
    if url.port().is_some_and(|port| BAD_PORTS.contains(&port)) {
        return wrong("Websites do not live on this port; browsers refuse it too.");
    }
    url.set_fragment(None);
    if url.as_str().len() > MAX_BYTES {
        return wrong("This address is too long; 2048 characters are the limit.");
    }
    Ok(url.into())
}

/// The address without what may be secret, to be shown in an error: the query (T077); and all of it where there is an `@`,
/// for where a password ends in an address that is none, nobody can tell.
fn masked(text: &str) -> String {
    if text.contains('@') {
        return format!("{}…", scheme(text));
    }
    match text.split_once('?') {
        Some((place, _)) => format!("{place}?…"),
        None => text.to_owned(),
    }
}

/// An address as typed, to come back on a form. Of one that was refused nothing does that may be part of a password.
#[must_use]
pub fn without_credentials(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) if normalise(text).is_err() => format!("{}{rest}", scheme(text.trim_start())),
        Some(_) | None => text.to_owned(),
    }
}

/// The scheme as typed, when it is one of ours.
fn scheme(text: &str) -> &str {
    let is = |scheme: &&str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    ["http://", "https://"].iter().find(|scheme| is(scheme)).map_or("", |scheme| &text[..scheme.len()])
}

/// What stands between the scheme and the path; as the crate does, without any more slashes before it.
fn authority(text: &str) -> &str {
    let rest = text[scheme(text).len()..].trim_start_matches(['/', '\\']);
    rest.split(['/', '\\', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
