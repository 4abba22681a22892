//! The settings of a website from what a form or a program sent, as text.

use probe::wire::{Check, CheckKind, MAX_CHECK_BYTES, WireError};

use super::options_input::{Kept, OptionsInput};
use super::{
    FieldError, FieldErrors, Options, RegionId, TargetRules, WebsiteId, WebsiteSettings, host, url::normalise,
};

/// Settings as texts; an empty text means the default.
#[derive(Debug, Clone, Copy, Default)]
pub struct SettingsInput<'a> {
    /// Address.
    pub url: &'a str,
    /// Seconds between two checks of a region.
    pub interval_s: &'a str,
    /// Seconds to wait for an answer.
    pub timeout_s: &'a str,
    /// Slugs; none means all.
    pub regions: &'a [&'a str],
    /// All else; `None`: the product's defaults.
    pub options: Option<&'a OptionsInput>,
}

impl SettingsInput<'_> {
    /// The settings. `before`: what is stored, for values that are not shown and therefore not sent again.
    ///
    /// # Errors
    /// Every field that cannot be accepted.
    pub fn parse(&self, rules: &TargetRules, before: Option<&WebsiteSettings>) -> Result<WebsiteSettings, FieldErrors> {
        let mut errors = FieldErrors::default();
        let url = self.url(rules, &mut errors);
        let (interval_ms, timeout_ms) = self.times(&mut errors);
        let regions = self.regions(&mut errors);
        let options = self.options.map_or_else(Options::default, |input| {
            let kept = match before {
                None => Kept::Nothing,
                // What is wrong with the address is said already.
                Some(before) if url.is_empty() || host::is_same_origin(&before.url, &url) => Kept::Of(&before.options),
                Some(_) => Kept::OtherOrigin,
            };
            input.parse(kept, &mut errors)
        });
        let settings = WebsiteSettings { url, interval_ms, timeout_ms, regions, options: options.shared() };
        together(&settings, &mut errors);
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// Empty when it is wrong.
    fn url(&self, rules: &TargetRules, errors: &mut FieldErrors) -> String {
        match normalise(self.url) {
            Ok(url) if rules.refuse(&url) => {
                let found = host::host_of(&url).unwrap_or_default();
                errors.push(FieldError::new("url", &found, "This name leads into our own network; give a public one."));
                String::new()
            }
            Ok(url) => url,
            Err(error) => {
                errors.push(error);
                String::new()
            }
        }
    }

    fn times(&self, errors: &mut FieldErrors) -> (i64, i64) {
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
        let (interval_s, timeout_s) = (self.interval_s, self.timeout_s);
        let remedy = "Give whole seconds from 10 to 86400 (a day).";
        let interval_ms = seconds("interval_s", interval_s, WebsiteSettings::DEFAULT_INTERVAL_MS, 10, 86_400, remedy);
        let remedy = "Give whole seconds from 1 to 60.";
        let mut timeout_ms = seconds("timeout_s", timeout_s, WebsiteSettings::DEFAULT_TIMEOUT_MS, 1, 60, remedy);
        if timeout_ms > interval_ms {
            if timeout_s.trim().is_empty() {
                timeout_ms = interval_ms;
            } else {
                errors.push(FieldError::new("timeout_s", timeout_s, "The timeout cannot be longer than the interval."));
            }
        }
        (interval_ms, timeout_ms)
    }

    fn regions(&self, errors: &mut FieldErrors) -> Vec<RegionId> {
        let mut chosen = Vec::new();
        for region in self.regions.iter().filter(|r| !r.is_empty()).take(1_000) {
            match region.parse::<RegionId>() {
                Ok(region) => chosen.push(region),
                Err(error) => errors.push(FieldError::new("regions", region, format!("{error}."))),
            }
        }
        chosen.sort();
        chosen.dedup();
        chosen
    }
}

/// What may be alone and may not be together, and what the probe would refuse. A field is named once, but for lines of
/// header fields.
fn together(settings: &WebsiteSettings, errors: &mut FieldErrors) {
    let target = settings.target();
    let add = |errors: &mut FieldErrors, field: &'static str, found: &str, remedy: String| {
        // Rows of `content` were judged one by one.
        let is_known = errors.0.iter().any(|e| e.field.starts_with(field));
        if !is_known {
            errors.push(FieldError::new(field, found, remedy));
        }
    };
    for problem in target.problems() {
        if problem.field == "headers" {
            // Many lines, one field: each is named.
            let remedy = format!("{}: {}", problem.found, problem.remedy);
            errors.push(FieldError::new("headers", &problem.found, remedy));
        } else {
            add(errors, problem.field, &problem.found, problem.remedy);
        }
    }
    let expect = &target.expect;
    if expect.require_https && target.url.starts_with("http:") {
        let remedy = "The address begins with http:// itself; give one with https://.";
        add(errors, "require_https", "", remedy.to_owned());
    }
    if let Some(slow_ms) = expect.slow_ms
        && slow_ms >= target.timeout_ms
    {
        let remedy = format!("Give less than the {} ms after which it counts as down.", target.timeout_ms);
        add(errors, "slow_ms", &slow_ms.to_string(), remedy);
    }
    // The largest check there can be of this website.
    let check = Check {
        website_id: WebsiteId(uuid::Uuid::nil()),
        slot_at: -i64::from(u32::MAX) * 1_000,
        attempt: u16::MAX,
        kind: CheckKind::Scheduled,
        deadline_at: -i64::from(u32::MAX) * 1_000,
        published_at: -i64::from(u32::MAX) * 1_000,
        target,
    };
    if let Err(WireError::TooLarge { found, limit }) = probe::wire::encode(&check, MAX_CHECK_BYTES) {
        let (request, expect) = (&check.target.request, &check.target.expect);
        let parts = [
            ("body", serde_json::to_string(&request.body)),
            ("headers", serde_json::to_string(&request.headers)),
            ("content", serde_json::to_string(&expect.content)),
        ];
        let length = |part: &Result<String, serde_json::Error>| part.as_ref().map_or(0, String::len);
        let largest = parts.iter().max_by_key(|(_, part)| length(part)).map_or("body", |(field, _)| *field);
        let remedy = format!(
            "All settings together have {found} bytes as a check is written, and {limit} may be sent: this is the \
             largest part of them; shorten it."
        );
        add(errors, largest, &format!("{found} bytes"), remedy);
    }
}

#[cfg(test)]
mod tests;
