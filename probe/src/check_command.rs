//! `betteruptime-probe check <url>`: one check by hand, drawn as a waterfall.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::process::ExitCode;

use url::Url;
use uuid::Uuid;

use crate::engine::{AddressPolicy, Engine, EngineConfig};
use crate::wire::{Check, CheckKind, Outcome, Target, Tick, WebsiteId};

/// Width of the bars; the whole line stays within 80 columns.
const BAR: u64 = 48;

/// Checks `url` once and prints what came of it, for people or as the tick's JSON. Private and loopback addresses are
/// allowed: the operator sits at this machine. 0: up or degraded, 1: anything else, 2: not a URL to check.
#[must_use]
pub fn run(url: &str, json: bool) -> ExitCode {
    let url = match parse(url) {
        Ok(url) => url,
        Err(why) => {
            eprintln!("betteruptime-probe: {why}");
            return ExitCode::from(2);
        }
    };
    let engine = match Engine::new(EngineConfig { policy: AddressPolicy::owner(), ..EngineConfig::default() }) {
        Ok(engine) => engine,
        Err(e) => {
            eprintln!("betteruptime-probe: {e}");
            return ExitCode::FAILURE;
        }
    };
    let tick = engine.run(&Check {
        website_id: WebsiteId(Uuid::nil()),
        slot_at: 0,
        attempt: 0,
        kind: CheckKind::Manual,
        deadline_at: i64::MAX,
        published_at: 0,
        target: Target::get(url.as_str()),
    });
    if json {
        match serde_json::to_string_pretty(&tick) {
            Ok(text) => println!("{text}"),
            Err(e) => {
                eprintln!("betteruptime-probe: the result cannot be written as JSON: {e}");
                return ExitCode::FAILURE;
            }
        }
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        print!("{}", waterfall(&tick, colour));
    }
    match tick.outcome {
        Outcome::Up | Outcome::Degraded => ExitCode::SUCCESS,
        Outcome::Down | Outcome::Unknown => ExitCode::FAILURE,
    }
}

/// Reads a URL as people type it: the scheme may be missing.
fn parse(text: &str) -> Result<Url, String> {
    let typed: String = text.chars().take(80).flat_map(char::escape_default).collect();
    let example = "write it like https://example.com/";
    let text = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let mut url = Url::parse(&text).map_err(|e| format!("\"{typed}\" is not a URL ({e}); {example}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("\"{}\" URLs cannot be checked, only http and https; {example}", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("the URL holds credentials, which are not sent; {example}"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// The picture of a tick.
#[must_use]
pub fn waterfall(tick: &Tick, colour: bool) -> String {
    let mut out = String::new();
    let paint = |code: &str, text: &str| if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() };
    let code = match tick.outcome {
        Outcome::Up => "32",
        Outcome::Degraded => "33",
        Outcome::Down => "31",
        Outcome::Unknown => "35",
    };
    let status = tick.status.map(|status| format!("  status {status}")).unwrap_or_default();
    let remote = tick.remote.map(|remote| format!("  {remote}")).unwrap_or_default();
    let outcome = paint(code, tick.outcome.as_str());
    // Writing to a String does not fail; here and below.
    let _ = writeln!(out, "{outcome}{status}  {} ms{remote}", ms(tick.total_us));
    if let Some(failure) = &tick.failure {
        for (index, line) in wrap(&failure.detail, 76).iter().enumerate() {
            let _ = writeln!(out, "  {}", if index == 0 { paint(code, line) } else { line.clone() });
        }
        let _ = writeln!(out, "  {} in {}, blame: {}", failure.class, failure.phase, failure.blame);
    }
    let total = u64::from(tick.total_us.max(1));
    let mut before = 0u64;
    for (name, us) in tick.phases.named() {
        let Some(us) = us else { continue };
        let start = (before * BAR / total).min(BAR - 1);
        let end = ((before + u64::from(us)) * BAR / total).clamp(start + 1, BAR);
        before += u64::from(us);
        let space = " ".repeat(usize::try_from(start).unwrap_or(0));
        let bar = "#".repeat(usize::try_from(end - start).unwrap_or(1));
        let _ = writeln!(out, "  {name:<8}{:>12} ms  {space}{}", ms(us), paint("36", &bar));
    }
    if tick.hops.len() > 1 {
        for hop in &tick.hops {
            let status = hop.status.map_or_else(|| "---".to_owned(), |status| status.to_string());
            let _ = writeln!(out, "  {status}  {:>9} ms  {}", ms(hop.phases.sum_us()), cut(&hop.url, 57));
        }
    }
    if let Some(certificate) = &tick.certificate {
        let days = certificate.not_after_at.saturating_sub(tick.started_at).div_euclid(86_400_000);
        let version = certificate.tls_version.as_deref().unwrap_or("TLS");
        let _ = writeln!(out, "  {version}, certificate ends in {days} days: {}", cut(&certificate.subject, 36));
        let _ = writeln!(out, "  issued by {}", cut(&certificate.issuer, 66));
    }
    if tick.body_bytes > 0 {
        let more = if tick.truncated { ", and there is more" } else { "" };
        let _ = writeln!(out, "  {} bytes of body{more}", tick.body_bytes);
    }
    out
}

fn ms(us: u32) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}

/// Our texts are ASCII: bytes are columns.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(width.saturating_sub(3)).collect();
    text.push_str("...");
    text
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let word = cut(word, width);
        let full = lines.last().is_none_or(|line| !line.is_empty() && line.len() + 1 + word.len() > width);
        if full {
            lines.push(word);
        } else if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_lack_its_scheme_but_not_be_nonsense() {
        assert_eq!(parse("example.com").unwrap().as_str(), "https://example.com/");
        for bad in ["", "ftp://example.com", "http://u:p@example.com", "http://example.com:65536/", "http://"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_picture_fits_80_columns() {
        let engine =
            Engine::new(EngineConfig { policy: AddressPolicy::public_only(), ..EngineConfig::default() }).unwrap();
        let mut tick = engine.run(&Check {
            website_id: WebsiteId(Uuid::nil()),
            slot_at: 0,
            attempt: 0,
            kind: CheckKind::Manual,
            deadline_at: 0,
            published_at: 0,
            target: Target::get("http://127.0.0.1/"),
        });
        tick.phases.dns_us = Some(1);
        tick.phases.wait_us = Some(59_999_999);
        tick.total_us = tick.phases.sum_us();
        tick.failure.as_mut().unwrap().detail = "word ".repeat(100);
        let hop = crate::wire::Hop { url: "x".repeat(512), status: None, phases: tick.phases };
        tick.hops = vec![hop.clone(), hop];
        for line in waterfall(&tick, false).lines() {
            assert!(line.len() <= 80, "{line}");
        }
    }
}
