//! What an owner chose beside address, interval and regions: how to ask, and what counts as a good answer.

use std::sync::{Arc, LazyLock};

use probe::wire::{Expectations, RequestOptions};

/// The wire types as a website has them. Most websites ask for nothing special, and share one copy: a million of them
/// in the schedule pay a pointer each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How to ask.
    pub request: RequestOptions,
    /// What to expect.
    pub expect: Expectations,
}

static STANDARD: LazyLock<Arc<Options>> = LazyLock::new(Arc::default);

impl Options {
    /// The product's defaults.
    #[must_use]
    pub fn standard() -> Arc<Self> {
        STANDARD.clone()
    }

    /// Whether nothing special is asked for.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        self.request.is_default() && self.expect.is_default()
    }

    /// These options, sharing what can be shared.
    #[must_use]
    pub fn shared(self) -> Arc<Self> {
        if self.is_standard() { Self::standard() } else { Arc::new(self) }
    }
}

/// Whether the value of a header field of this name may be shown again once it is saved. Any other may let somebody in,
/// whatever its name looks like, and is not shown, not even to its owner.
#[must_use]
pub fn is_shown_header(name: &str) -> bool {
    const HARMLESS: [&str; 8] = [
        "accept",
        "accept-language",
        "cache-control",
        "content-type",
        "origin",
        "pragma",
        "referer",
        "x-requested-with",
    ];
    let name = name.to_ascii_lowercase();
    name.starts_with("if-") || HARMLESS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_options_are_one_copy() {
        assert!(Arc::ptr_eq(&Options::default().shared(), &Options::standard()));
        assert!(Options::standard().is_standard());
    }

    #[test]
    fn i11_only_header_fields_known_to_be_harmless_are_shown() {
        for name in ["Accept", "Content-Type", "ACCEPT-LANGUAGE", "If-None-Match", "X-Requested-With"] {
            assert!(is_shown_header(name), "{name}");
        }
        for name in ["Authorization", "COOKIE", "X-Api-Key", "X-Tenant", "X-Pass", "PRIVATE", "Accept-Code", "iffy", ""]
        {
            assert!(!is_shown_header(name), "{name}");
        }
    }
}
