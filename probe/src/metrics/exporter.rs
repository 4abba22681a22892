//! `/probe?target=&module=`: one check, told as the blackbox exporter tells it, so that jobs of Prometheus that were made for it
//! go on working. <https://github.com/prometheus/blackbox_exporter>

use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use super::http::{Answer, Request};
use super::page::{Kind, Page};
use crate::engine::Engine;
use crate::wire::{Check, Outcome, Target, Tick};

/// The only one: a GET that is to be answered with 200 to 299, redirects followed.
const MODULE: &str = "http_2xx";
/// Left to the scraper for the answer, as the blackbox exporter does.
const SPARE: Duration = Duration::from_millis(500);
/// P1.
const TIMEOUT: Duration = Duration::from_secs(10);
const LEAST: Duration = Duration::from_secs(1);
const LONGEST_URL: usize = 2_048;

/// Runs it, on this thread.
pub(super) fn answer(engine: &Engine, request: &Request) -> Answer {
    match target(request) {
        Ok(target) => Answer::metrics(text(&engine.run(&Check::by_hand(target)))),
        Err(remedy) => Answer::text(400, remedy + "\n"),
    }
}

/// # Errors
/// What would work.
fn target(request: &Request) -> Result<Target, String> {
    let quoted = |text: &str| text.chars().take(80).flat_map(char::escape_default).collect::<String>();
    if let Some(other) = request.query("module").filter(|module| !module.is_empty() && *module != MODULE) {
        return Err(format!("module is \"{}\"; there is only {MODULE}", quoted(other)));
    }
    let typed = request.query("target").map(str::trim).filter(|text| !text.is_empty());
    let Some(typed) = typed else {
        return Err("target is missing; write /probe?target=https://example.com".to_owned());
    };
    let whole = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
    let mut url =
        Url::parse(&whole).map_err(|error| format!("target is \"{}\", which is no URL: {error}", quoted(typed)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("target is of scheme \"{}\"; only http and https can be checked", quoted(url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("target holds credentials, which are not sent; leave them out".to_owned());
    }
    url.set_fragment(None);
    if url.as_str().len() > LONGEST_URL {
        return Err(format!("target has {} bytes; it may have {LONGEST_URL}", url.as_str().len()));
    }
    let within = request.scrape_timeout.map_or(TIMEOUT, |timeout| timeout.saturating_sub(SPARE)).clamp(LEAST, TIMEOUT);
    let timeout_ms = u32::try_from(within.as_millis()).unwrap_or(10_000);
    Ok(Target { timeout_ms, ..Target::get(String::from(url)) })
}

fn text(tick: &Tick) -> String {
    use Kind::Gauge;
    let mut page = Page::default();
    let seconds = |us: u32| f64::from(us) / 1e6;
    let phases = &tick.phases;
    let us = |us: Option<u32>| us.unwrap_or(0);
    let dns = "Returns the time taken for probe dns lookup in seconds";
    page.one(Gauge, "probe_dns_lookup_time_seconds", dns, seconds(us(phases.dns_us)));
    let total = "Returns how long the probe took to complete in seconds";
    page.one(Gauge, "probe_duration_seconds", total, seconds(tick.total_us));
    const PHASE: &str = "probe_http_duration_seconds";
    page.family(Gauge, PHASE, "Duration of http request by phase, summed over all redirects");
    for (phase, us) in [
        ("resolve", us(phases.dns_us)),
        ("connect", us(phases.connect_us)),
        ("tls", us(phases.tls_us)),
        ("processing", us(phases.send_us).saturating_add(us(phases.wait_us))),
        ("transfer", us(phases.receive_us)),
    ] {
        page.sample(PHASE, &[("phase", phase)], seconds(us));
    }
    let redirects = "The number of redirects";
    page.one(Gauge, "probe_http_redirects", redirects, tick.hops.len().saturating_sub(1));
    let ssl = "Indicates if SSL was used for the final redirect";
    page.one(Gauge, "probe_http_ssl", ssl, u8::from(tick.certificate.is_some()));
    page.one(Gauge, "probe_http_status_code", "Response HTTP status code", tick.status.unwrap_or(0));
    if let Some(remote) = tick.remote {
        let protocol = match remote {
            SocketAddr::V4(_) => 4,
            SocketAddr::V6(_) => 6,
        };
        page.one(Gauge, "probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6", protocol);
    }
    if let Some(certificate) = &tick.certificate {
        let ends = "Returns last SSL certificate expiry in unixtime";
        page.one(Gauge, "probe_ssl_earliest_cert_expiry", ends, certificate.not_after_at.div_euclid(1_000));
        if let Some(version) = &certificate.tls_version {
            const VERSION: &str = "probe_tls_version_info";
            page.family(Gauge, VERSION, "Returns the TLS version used or NaN when unknown");
            // As it writes them: "TLS 1.3".
            page.sample(VERSION, &[("version", &version.replace("TLSv", "TLS "))], 1);
        }
    }
    let succeeded = matches!(tick.outcome, Outcome::Up | Outcome::Degraded);
    page.one(Gauge, "probe_success", "Displays whether or not the probe was a success", u8::from(succeeded));
    page.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)], scrape_timeout: Option<Duration>) -> Result<Target, String> {
        let query = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        target(&Request { path: "/probe".to_owned(), query, scrape_timeout })
    }

    #[test]
    fn a_target_is_read_as_the_blackbox_exporter_reads_it() {
        let plain = asked(&[("target", "a.example"), ("module", "http_2xx")], None).unwrap();
        assert_eq!((plain.url.as_str(), plain.timeout_ms), ("http://a.example/", 10_000));
        let within = |s: f64| asked(&[("target", "https://a.example/x#y")], Some(Duration::from_secs_f64(s))).unwrap();
        assert_eq!((within(5.0).url.as_str(), within(5.0).timeout_ms), ("https://a.example/x", 4_500));
        assert_eq!((within(0.2).timeout_ms, within(60.0).timeout_ms), (1_000, 10_000));
    }

    #[test]
    fn what_cannot_be_checked_is_named() {
        for (pairs, part) in [
            (vec![], "target is missing"),
            (vec![("target", "  ")], "target is missing"),
            (vec![("target", "https://a.example"), ("module", "icmp")], "module is \"icmp\"; there is only http_2xx"),
            (vec![("target", "ftp://a.example")], "only http and https"),
            (vec![("target", "https://u:hunter2@a.example")], "credentials"),
            (vec![("target", "http://[")], "no URL"),
        ] {
            let said = asked(&pairs, None).unwrap_err();
            assert!(said.contains(part) && !said.contains("hunter2"), "{said}");
        }
        let long = format!("https://a.example/{}", "x".repeat(2_048));
        assert!(asked(&[("target", &long)], None).unwrap_err().contains("may have 2048"));
    }
}
