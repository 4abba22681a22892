//! Addresses of receivers, and which of them lead into our own network.

use ::url::Url;

use super::super::{FieldError, FieldErrors, TargetRules, url};

/// What the address of a receiver has to be.
pub(super) struct UrlRule<'a> {
    /// One of these, over https; empty: any.
    pub(super) hosts: &'a [&'a str],
    /// Its path begins so.
    pub(super) path: &'a str,
    pub(super) rules: &'a TargetRules,
}

impl UrlRule<'_> {
    pub(super) fn remedy(&self) -> String {
        match self.hosts.first() {
            Some(host) => format!("Give the webhook's address: https://{host}{}…", self.path),
            None => "Give the receiver's address, for example https://alerts.example.com/hook.".to_owned(),
        }
    }
}

/// The normal form of a receiver's address. Nothing of it is repeated in an error but scheme and host.
pub(super) fn receiver(
    field: &'static str,
    typed: &str,
    rule: &UrlRule<'_>,
    errors: &mut FieldErrors,
) -> Option<String> {
    let url = match url::normalise(typed) {
        Ok(url) => url,
        Err(error) => {
            let remedy = if error.remedy.contains("password") {
                "Leave name and password out of the address.".to_owned()
            } else if error.remedy.contains("to watch") {
                rule.remedy()
            } else {
                error.remedy
            };
            errors.push(FieldError::new(field, "", remedy));
            return None;
        }
    };
    let parsed = Url::parse(&url).ok()?;
    let host = parsed.host_str().unwrap_or_default();
    let mut wrong = |remedy: String| {
        errors.push(FieldError::new(field, &format!("{}://{host}/…", parsed.scheme()), remedy));
        None
    };
    if !rule.hosts.is_empty() {
        let is_theirs = rule.hosts.contains(&host)
            && parsed.scheme() == "https"
            && parsed.port().is_none()
            && parsed.path().starts_with(rule.path);
        if !is_theirs {
            return wrong(rule.remedy());
        }
    }
    if rule.rules.refuse(&url) || is_inside(&parsed, rule.rules) {
        return wrong("This leads into our own network; give a public address.".to_owned());
    }
    Some(url)
}

/// Whether it is an address, not a name, where strangers may not send anything. Names are judged when they are resolved.
pub(super) fn is_inside(url: &Url, rules: &TargetRules) -> bool {
    use probe::engine::{AddressKind, AddressPolicy};
    let address = match url.host() {
        Some(::url::Host::Ipv4(address)) => std::net::IpAddr::V4(address),
        Some(::url::Host::Ipv6(address)) => std::net::IpAddr::V6(address),
        Some(::url::Host::Domain(_)) | None => return false,
    };
    // Metadata and link-local addresses are nobody's.
    let policy = if rules.is_shared { AddressPolicy::public_only() } else { AddressPolicy::owner() };
    AddressKind::of(address) == AddressKind::Never || !policy.allows(address)
}
