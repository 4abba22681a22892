//! Bot challenges: an edge in front of the website answers a program instead of the website. It says nothing about
//! the website (`edge_blocked`), and an owner who reads the name of the edge knows where to let the probe in.

use ureq::http::HeaderMap;

/// How much of the body of an answer that does not count is looked at.
pub(super) const LOOK_BYTES: usize = 4 * 1024;

/// The edge that answered, if one did. `body` is the beginning of the body where it was kept.
pub(super) fn edge(status: u16, headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
    let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let is = |name: &str, value: &str| field(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    // Fields that exist for nothing else, whatever the status: AWS WAF challenges with 202.
    if is("cf-mitigated", "challenge") {
        return Some("Cloudflare");
    }
    if is("x-amzn-waf-action", "challenge") || is("x-amzn-waf-action", "captcha") {
        return Some("AWS WAF");
    }
    if is("x-vercel-mitigated", "challenge") {
        return Some("Vercel");
    }
    // Marks that also stand on answers of the website itself (`x-datadome`, scripts in its pages) are no challenge: an
    // outage behind an edge is an outage.
    let body = String::from_utf8_lossy(body);
    let has = |marks: &[&str]| marks.iter().any(|mark| body.contains(mark));
    let refuses = matches!(status, 403 | 429);
    if (refuses || status == 503)
        && is("server", "cloudflare")
        && has(&["<title>Just a moment...</title>", "/challenge-platform/h/", "_cf_chl_opt"])
    {
        return Some("Cloudflare");
    }
    if refuses && field("x-datadome").is_some() && has(&["captcha-delivery.com"]) {
        return Some("DataDome");
    }
    if refuses && field("x-sucuri-block").is_some() {
        return Some("Sucuri");
    }
    if refuses && field("x-iinfo").is_some() && has(&["Incapsula incident ID"]) {
        return Some("Imperva");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_known_by_their_marks_and_plain_refusals_are_not_challenges() {
        for (status, fields, body, expected) in [
            (403, &[("cf-mitigated", "challenge")][..], "", Some("Cloudflare")),
            (503, &[("server", "cloudflare")], "<title>Just a moment...</title>", Some("Cloudflare")),
            (
                503,
                &[("server", "cloudflare")],
                "<script src=\"/cdn-cgi/challenge-platform/scripts/jsd/main.js\">",
                None,
            ),
            (202, &[("x-amzn-waf-action", "challenge")], "", Some("AWS WAF")),
            (405, &[("x-amzn-waf-action", "captcha")], "", Some("AWS WAF")),
            (429, &[("x-vercel-mitigated", "challenge")], "", Some("Vercel")),
            (403, &[("x-vercel-mitigated", "deny")], "", None),
            (403, &[("X-DataDome", "protected")], "", None),
            (403, &[("X-DataDome", "protected")], "https://geo.captcha-delivery.com/captcha", Some("DataDome")),
            (200, &[("X-DataDome", "protected")], "", None),
            (403, &[("x-iinfo", "1-2")], "Request unsuccessful. Incapsula incident ID: 1", Some("Imperva")),
            (503, &[("x-iinfo", "1-2")], "<script src=\"/_Incapsula_Resource?x\">", None),
            (403, &[("server", "nginx")], "Forbidden", None),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(ureq::http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            assert_eq!(edge(status, &headers, body.as_bytes()), expected, "{status} {fields:?}");
        }
    }
}
