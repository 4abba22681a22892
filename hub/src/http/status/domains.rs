//! Pages on hosts of their own. Whoever asks under such a host reaches that page and what belongs to it, and nothing else of the
//! hub; under all other names there is what there always was.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

use crate::clock;
use crate::http::{App, Request};
use crate::store::Store;

/// Whoever asks under a new host finds it within so long.
const FRESH_MS: i64 = 5_000;
/// Says in a request for whom its host is, and what that is; clients cannot send it (`relay`).
pub(super) const BY_HOST: &str = "x-betteruptime-page-host";

/// Which hosts are pages' own.
#[derive(Debug)]
pub struct Domains {
    /// Without it no page has a host of its own: nobody knows which name is the hub's.
    own: Option<String>,
    known: RwLock<HashMap<String, String>>,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    at_ms: i64,
    is_asking: bool,
    is_read: bool,
}

impl Domains {
    /// Of an installation that people know by this address.
    #[must_use]
    pub fn new(public_url: Option<&str>) -> Self {
        let own = public_url.and_then(|url| url.split_once("://")).map(|(_, host)| name(host));
        Self { own, known: RwLock::default(), asked: Mutex::default() }
    }

    /// The name in a `Host`, where it may be a page's.
    fn candidate(&self, host: &str) -> Option<String> {
        let (own, host) = (self.own.as_ref()?, name(host));
        let is_address = host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[');
        (!is_address && host != *own && host.contains('.')).then_some(host)
    }

    /// Whether a page has this host, as far as is known here.
    #[must_use]
    pub fn knows(&self, host: &str) -> bool {
        let Some(host) = self.candidate(host) else { return false };
        self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(&host)
    }

    fn slug_of(&self, app: &App, host: &str) -> Option<String> {
        let host = self.candidate(host)?;
        self.refresh(app);
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&host).cloned()
    }

    /// Reads them again where that is due. The first time it is waited for, from then on what was known is used meanwhile.
    fn refresh(&self, app: &App) {
        let now_ms = clock::steady_us().div_euclid(1_000);
        let is_first = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.is_asking || (asked.is_read && now_ms - asked.at_ms < FRESH_MS) {
                return;
            }
            (asked.is_asking, asked.at_ms) = (true, now_ms);
            !asked.is_read
        };
        let (domains, store) = (app.domains.clone(), app.store.clone());
        let reading = async move { domains.read(&store).await };
        if is_first {
            app.wait(reading);
        } else {
            app.spawn(reading);
        }
    }

    async fn read(&self, store: &Store) {
        let found = store.page_domains().await;
        let is_read = match found {
            Ok(found) => {
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = found.into_iter().collect();
                true
            }
            Err(error) => {
                tracing::warn!(%error, "Hosts of status pages could not be read.");
                false
            }
        };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.is_asking = false;
        asked.is_read |= is_read;
    }

    /// A page's host was changed here.
    pub(in crate::http) fn changed(&self) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).at_ms = i64::MIN / 2;
    }
}

/// Without port, in lower case.
fn name(host: &str) -> String {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a target may be answered alike to everybody on a page's own host.
#[must_use]
pub fn is_kept(path: &str) -> bool {
    matches!(path, "/" | "/feed.atom" | "/feed.json" | "/accent.css" | "/logo")
}

/// Leads a request under a page's own host to that page; false: nothing is there.
pub(in crate::http) fn at_home(app: &App, request: &mut Request) -> bool {
    let Some(slug) = request.header("host").and_then(|host| app.domains.slug_of(app, host)) else { return true };
    if request.path.starts_with("/static/") {
        return true;
    }
    let inside = request.path.strip_prefix('/').unwrap_or_default();
    if inside.contains('/') {
        return false;
    }
    request.path = if inside.is_empty() { format!("/s/{slug}") } else { format!("/s/{slug}/{inside}") };
    request.headers.push((BY_HOST.to_owned(), slug));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_not_ours_may_be_a_pages() {
        let domains = Domains::new(Some("https://hub.example.org:8443"));
        for ours in [
            "hub.example.org",
            "HUB.example.org:443",
            "hub.example.org.",
            "127.0.0.1:3001",
            "[::1]:80",
            "localhost",
            "hub",
            "",
        ] {
            assert_eq!(domains.candidate(ours), None, "{ours}");
        }
        assert_eq!(domains.candidate("Status.Example.com:80"), Some("status.example.com".to_owned()));
        assert_eq!(Domains::new(None).candidate("status.example.com"), None);
    }
}
