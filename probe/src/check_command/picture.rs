//! A tick for people: what came of it, a waterfall of its phases, the way it went, the certificate.

use std::fmt::Write as _;

use crate::wire::{Certificate, Note, Outcome, Tick};

/// Width of the bars; the whole line stays within 80 columns.
const BAR: u64 = 48;

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
        describe(&mut out, certificate, tick.started_at);
    }
    for note in &tick.notes {
        let words = match note {
            Note::RedirectDowngrade => "an https address redirected to http",
            Note::TlsUnverified => "the certificate was not verified",
        };
        let _ = writeln!(out, "  {} {words}", paint("33", "note:"));
    }
    if tick.body_bytes > 0 {
        let more = if tick.truncated { ", and there is more" } else { "" };
        let _ = writeln!(out, "  {} bytes of body{more}", tick.body_bytes);
    }
    out
}

fn describe(out: &mut String, certificate: &Certificate, now: i64) {
    let days = certificate.not_after_at.saturating_sub(now).div_euclid(86_400_000);
    let version = certificate.tls_version.as_deref().unwrap_or("TLS");
    let when =
        if days < 0 { format!("ended {} days ago", days.unsigned_abs()) } else { format!("ends in {days} days") };
    let _ = writeln!(out, "  {version}, certificate {when}: {}", cut(&certificate.subject, 36));
    if !certificate.names.is_empty() {
        let shown = u32::try_from(certificate.names.len()).unwrap_or(u32::MAX);
        let more = match certificate.names_total.saturating_sub(shown) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(out, "  for {}{more}", cut(&certificate.names.join(", "), 74 - more.len()));
    }
    let chain = match certificate.chain.len() {
        0 => String::new(),
        _ => format!("  chain: {}", certificate.chain.join(", ")),
    };
    let _ = writeln!(out, "  issued by {}", cut(&format!("{}{chain}", certificate.issuer), 66));
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
    use uuid::Uuid;

    use super::*;
    use crate::engine::{AddressPolicy, Engine, EngineConfig};
    use crate::wire::{Check, CheckKind, Target, WebsiteId};

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
