//! The form in which a URL is stored, and what is refused at save time (T065 to T079).

use url::{Host, Url};

use super::{FieldError, FieldErrors, RegionId, WebsiteSettings};

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
        return wrong("Leave name and password out of the address; they would be shown to everyone who sees it.");
    }
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
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

/// The address without what may be secret, to be shown in an error.
fn masked(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') { "(an address with a password)".to_owned() } else { text.to_owned() }
}

impl WebsiteSettings {
    /// Settings from what a form or a program sent, as text; empty means the default.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn from_input(url: &str, interval_s: &str, timeout_s: &str, regions: &[&str]) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let url = normalise(url).unwrap_or_else(|error| {
            errors.push(error);
            String::new()
        });
        let mut seconds = |field, text: &str, default_ms: i64, low: i64, high: i64, remedy: &str| {
            if text.trim().is_empty() {
                return default_ms;
            }
            match text.trim().parse::<i64>() {
                Ok(s) if (low..=high).contains(&s) => s * 1_000,
                Ok(_) | Err(_) => {
                    errors.push(FieldError::new(field, text, remedy));
                    default_ms
                }
            }
        };
        let interval_remedy = "Give whole seconds from 10 to 86400 (a day).";
        let interval_ms = seconds("interval_s", interval_s, Self::DEFAULT_INTERVAL_MS, 10, 86_400, interval_remedy);
        let timeout_remedy = "Give whole seconds from 1 to 60.";
        let mut timeout_ms = seconds("timeout_s", timeout_s, Self::DEFAULT_TIMEOUT_MS, 1, 60, timeout_remedy);
        if timeout_ms > interval_ms {
            if timeout_s.trim().is_empty() {
                timeout_ms = interval_ms;
            } else {
                errors.push(FieldError::new("timeout_s", timeout_s, "The timeout cannot be longer than the interval."));
            }
        }
        let mut chosen = Vec::new();
        for region in regions.iter().filter(|r| !r.is_empty()).take(1_000) {
            match region.parse::<RegionId>() {
                Ok(region) => chosen.push(region),
                Err(error) => errors.push(FieldError::new("regions", region, format!("{error}."))),
            }
        }
        chosen.sort();
        chosen.dedup();
        if errors.is_empty() { Ok(Self { url, interval_ms, timeout_ms, regions: chosen }) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t065_to_t071_what_is_no_website_is_refused() {
        let long = format!("http://a.example/{}", "x".repeat(2_048));
        for bad in [
            "",
            "example.com",
            "ftp://a/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:,x",
            "ws://a/",
            "//a/",
            "http://",
            "http://a:0/",
            "http://a:65536/",
            "http://a:-1/",
            "http://a:8o80/",
            "http://a:25/",
            "http://a:6667/",
            "http://a..b/",
            "http://[::1",
            "http://[v1.x]/",
            "http://[fe80::1%25eth0]/",
            "http:// a/",
            &long,
            &format!("http://{}/", "x".repeat(64)),
        ] {
            let error = normalise(bad).expect_err(bad);
            assert!(error.field == "url" && !error.remedy.is_empty());
        }
    }

    #[test]
    fn t066_a_password_in_the_address_is_refused_and_not_repeated() {
        let error = normalise("http://user:pa%20ss@host/").unwrap_err();
        assert!(!error.to_string().contains("pa%20ss") && error.remedy.contains("password"));
    }

    #[test]
    fn t067_t070_t073_one_spelling_is_stored() {
        for (typed, stored) in [
            ("HTTP://EXAMPLE.com", "http://example.com/"),
            (" https://example.com:443/a/../b?q#f ", "https://example.com/b?q"),
            ("http://m\u{fc}nchen.example/", "http://xn--mnchen-3ya.example/"),
            ("http://2130706433/", "http://127.0.0.1/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://0177.0.0.1/", "http://127.0.0.1/"),
            ("http://[::ffff:10.0.0.1]/", "http://[::ffff:a00:1]/"),
        ] {
            assert_eq!(normalise(typed).unwrap(), stored);
        }
    }

    #[test]
    fn t114_numbers_and_regions_are_checked_together() {
        for bad in ["0", "-1", "9", "1e9", "59.9", "86401", "abc"] {
            assert!(WebsiteSettings::from_input("http://a.example", bad, "", &[]).is_err(), "{bad}");
        }
        let errors = WebsiteSettings::from_input("a", "5", "99", &["not a region"]).unwrap_err();
        assert_eq!(errors.0.iter().map(|e| e.field).collect::<Vec<_>>(), ["url", "interval_s", "timeout_s", "regions"]);
        let fine = WebsiteSettings::from_input("http://a.example", "10", "", &["B", "A", "A"]).unwrap();
        assert_eq!((fine.interval_ms, fine.timeout_ms, fine.regions.len()), (10_000, 10_000, 2));
    }
}
