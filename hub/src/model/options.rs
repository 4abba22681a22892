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

/// Whether the value of a header field of this name is likely to let somebody in: it is not shown again once it is
/// saved, not even to its owner.
#[must_use]
pub fn is_secret_header(name: &str) -> bool {
    const SIGNS: [&str; 10] =
        ["auth", "cookie", "credential", "csrf", "key", "passw", "secret", "session", "signature", "token"];
    let name = name.to_ascii_lowercase();
    SIGNS.iter().any(|sign| name.contains(sign))
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
    fn header_fields_that_let_somebody_in_are_known_by_their_name() {
        for name in ["Authorization", "COOKIE", "X-Api-Key", "x-auth-token", "X-Vault-Token", "X-Hub-Signature"] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["Accept", "Content-Type", "X-Tenant", "Accept-Language"] {
            assert!(!is_secret_header(name), "{name}");
        }
    }
}
