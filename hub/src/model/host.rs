//! Names of hosts: which are never a stranger's to watch, which may be written in their own script.

use url::{Host, Url};

/// Names that mean the machine itself, or the cloud it runs in (T078). The engine refuses the addresses behind them
/// too; here a person is told at once.
const OURS: [&str; 6] =
    ["localhost", "localhost.localdomain", "metadata", "metadata.google.internal", "metadata.goog", "instance-data"];

/// Lower-case host of a URL or of a bare name, without the dot at its end: what spellings of one host have in common
/// (T080). `None`: no host.
#[must_use]
pub fn host_of(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok()?;
    Some(without_dot(parsed.host_str()?))
}

/// Lower case, and without the dot at the end, which leads to the same place.
fn without_dot(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether two URLs have scheme, host and port in common.
#[must_use]
pub(super) fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |url: &str| Url::parse(url).ok().map(|url| url.origin());
    origin(one).is_some_and(|of_one| of_one.is_tuple() && Some(of_one) == origin(other))
}

/// What may be watched where strangers may add websites.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetRules {
    /// Strangers may make an account, or once could and have one: names of the inside are refused.
    pub is_shared: bool,
    /// Names of the hub, its queue and its database.
    pub own_names: Vec<String>,
}

impl TargetRules {
    /// Whether a URL in normal form leads to a name of the inside.
    #[must_use]
    pub fn refuse(&self, url: &str) -> bool {
        let Some(host) = host_of(url).filter(|_| self.is_shared) else { return false };
        let is_local = host.ends_with(".localhost") || host.ends_with(".metadata.google.internal");
        is_local || OURS.contains(&host.as_str()) || self.own_names.iter().any(|own| without_dot(own) == host)
    }
}

/// How an internationalised name reads, beside its stored form (punycode), which is always shown: nothing unless all
/// its letters are of one script, the end of the name included, so that no look-alike is ever spelled out (T070).
#[must_use]
pub fn unicode(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let Some(Host::Domain(name)) = url.host() else { return None };
    if !name.split('.').any(|label| label.starts_with("xn--")) {
        return None;
    }
    let shown = url::quirks::domain_to_unicode(name);
    let mut scripts = shown.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | '-')).map(script);
    let first = scripts.next()??;
    scripts.all(|script| script == Some(first)).then_some(shown)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    Devanagari,
    Thai,
    Georgian,
    Hangul,
    /// Han with the kana it is written with.
    Japanese,
}

/// The script of a letter by its Unicode block; `None` for whatever is not in the table, which is then not spelled out.
fn script(c: char) -> Option<Script> {
    Some(match c {
        'a'..='z' | 'A'..='Z' | '\u{df}'..='\u{f6}' | '\u{f8}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Script::Latin,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Script::Greek,
        '\u{400}'..='\u{52f}' => Script::Cyrillic,
        '\u{530}'..='\u{58f}' => Script::Armenian,
        '\u{5d0}'..='\u{5ea}' => Script::Hebrew,
        '\u{620}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => Script::Arabic,
        '\u{900}'..='\u{97f}' => Script::Devanagari,
        '\u{e00}'..='\u{e7f}' => Script::Thai,
        '\u{10d0}'..='\u{10ff}' => Script::Georgian,
        '\u{ac00}'..='\u{d7a3}' => Script::Hangul,
        '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' => Script::Japanese,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t070_a_name_is_spelled_out_only_where_it_is_of_one_script() {
        let shown = |url: &str| unicode(&super::super::url::normalise(url).unwrap());
        assert_eq!(shown("https://münchen.example/").as_deref(), Some("münchen.example"));
        assert_eq!(shown("https://пример.испытание/").as_deref(), Some("пример.испытание"));
        assert_eq!(shown("https://日本語.テスト/").as_deref(), Some("日本語.テスト"));
        // Cyrillic а in a Latin word; a whole Cyrillic word before a Latin end.
        for hidden in ["https://p\u{430}ypal.example/", "https://\u{430}\u{440}\u{440}\u{4cf}\u{435}.com/"] {
            assert_eq!(shown(hidden), None);
        }
        assert_eq!(shown("https://example.com/"), None, "nothing to spell out");
        assert_eq!(unicode("http://[::1]/"), None);
    }

    #[test]
    fn t078_names_of_the_inside_are_refused_where_strangers_may_come() {
        let rules = TargetRules { is_shared: true, own_names: vec!["hub.example.org".into(), "Redis".into()] };
        for inside in [
            "http://localhost/",
            "http://LOCALHOST:8080/",
            "http://localhost./",
            "http://a.b.localhost/",
            "http://a.localhost./x",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://metadata.google.internal./",
            "https://hub.example.org/",
            "https://hub.example.org./",
            "http://redis:6379/",
        ] {
            let url = super::super::url::normalise(inside).unwrap();
            assert!(rules.refuse(&url), "{inside}");
            assert!(!TargetRules::default().refuse(&url), "{inside}: an owner watches his own network");
        }
        for outside in
            ["https://example.com/", "https://localhost.example/", "https://notlocalhost/", "http://192.0.2.1/"]
        {
            assert!(!rules.refuse(outside), "{outside}");
        }
    }

    #[test]
    fn names_of_our_own_services_are_found_in_their_addresses() {
        for (address, name) in [
            ("redis://:password@Redis:6379/0", Some("redis")),
            ("rediss://queue.example.org", Some("queue.example.org")),
            ("postgres://user:password@db./betteruptime", Some("db")),
            ("https://hub.example.org", Some("hub.example.org")),
            ("nonsense", None),
        ] {
            assert_eq!(host_of(address).as_deref(), name, "{address}");
        }
    }

    #[test]
    fn origins_are_compared_whole() {
        assert!(is_same_origin("https://a.example/x", "https://a.example:443/y"));
        for other in ["http://a.example/x", "https://b.example/x", "https://a.example:8443/x", "", "data:,x"] {
            assert!(!is_same_origin("https://a.example/x", other), "{other}");
        }
        assert!(!is_same_origin("", ""));
    }
}
