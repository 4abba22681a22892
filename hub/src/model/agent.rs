//! What a session was given to, in the few words by which its owner knows it again. Of the rest of the header nothing is kept.

/// Longest words, in characters.
const MOST: usize = 40;

/// "Firefox on Linux", "curl", or "an unknown program", of a `User-Agent` (RFC 9110 section 10.1.5). It says what it likes, so
/// this is a help for memory and no proof.
#[must_use]
pub fn agent_words(header: &str) -> String {
    let browser = browser(header);
    let system = system(header);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(_) | None) => program(header),
    }
}

/// Browsers name those before them too: the order is from the most particular to the least.
fn browser(header: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 9] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Vivaldi/", "Vivaldi"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("FxiOS/", "Firefox"),
        ("Firefox/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    let is_browser = header.starts_with("Mozilla/");
    KNOWN.iter().find(|(mark, _)| is_browser && header.contains(mark)).map(|(_, name)| *name)
}

fn system(header: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 8] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
        ("BSD", "BSD"),
    ];
    KNOWN.iter().find(|(mark, _)| header.contains(mark)).map(|(_, name)| *name)
}

/// The first product of the header, without its version.
fn program(header: &str) -> String {
    let first = header.split(['/', ' ', '(']).next().unwrap_or_default();
    let name: String = first.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(MOST).collect();
    if name.is_empty() { "an unknown program".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::agent_words;

    #[test]
    fn a_session_is_known_again_by_few_words() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (header, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/139.0 Safari/537.36"),
                "Chrome on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/139.0 Safari/537.36 Edg/139.0"),
                "Edge on Windows",
            ),
            (
                &format!("Mozilla/5.0 (Linux; Android 15; Pixel 9) {webkit} Chrome/139.0 Mobile Safari/537.36"),
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1",
                "Safari on iPhone",
            ),
            ("Mozilla/5.0 (Haiku; x86_64)", "Mozilla"),
            ("curl/8.14.1", "curl"),
            ("python-requests/2.32", "python-requests"),
            ("<script>alert(1)</script>", "scriptalert"),
            ("", "an unknown program"),
            ("\u{202e}\u{1f512} (x", "an unknown program"),
            (&"x".repeat(5_000), &"x".repeat(40)),
        ] {
            assert_eq!(agent_words(header), words, "{header}");
        }
    }
}
