//! Settings that are secrets: judged without repeating them.

use std::net::SocketAddr;

use super::Config;
use crate::model::{FieldError, FieldErrors};
use crate::secret::Secret;

/// What only the two together tell.
pub(super) fn urls(database: Option<&Secret>, redis: Option<&Secret>, errors: &mut FieldErrors) {
    // The value may hold a password, so only its scheme is repeated.
    let scheme = |secret: &Secret| secret.expose().split_once("://").map_or("", |(s, _)| s).to_owned();
    if let Some(scheme) = database.map(scheme).filter(|s| !matches!(s.as_str(), "postgres" | "postgresql")) {
        let remedy = "Give postgres://user:password@host/database, or leave it out for SQLite.";
        errors.push(FieldError::new("DATABASE_URL", &scheme, remedy));
    }
    if let Some(scheme) = redis.map(scheme).filter(|s| !matches!(s.as_str(), "redis" | "rediss")) {
        let remedy = "Give redis://:password@host:6379 or rediss://... for TLS.";
        errors.push(FieldError::new("REDIS_URL", &scheme, remedy));
    }
    if redis.is_some() && database.is_none() {
        let remedy = "REDIS_URL is set, so probes elsewhere report here: SQLite serves one process only. \
                      Give postgres://..., or leave REDIS_URL out.";
        errors.push(FieldError::new("DATABASE_URL", "", remedy));
    }
}

/// Who may make users, of a Redis that is used.
pub(super) fn admin_url(url: Option<&Secret>, has_redis: bool, errors: &mut FieldErrors) {
    let Some(url) = url else { return };
    let scheme = url.expose().split_once("://").map_or("", |(scheme, _)| scheme);
    if !matches!(scheme, "redis" | "rediss") {
        let remedy = "Give redis://user:password@host:6379 or rediss://... of a user who may make users.";
        errors.push(FieldError::new("REDIS_ADMIN_URL", scheme, remedy));
    } else if !has_redis {
        let remedy = "REDIS_URL is not set, so there is nobody to enrol. Set it, or leave this out.";
        errors.push(FieldError::new("REDIS_ADMIN_URL", "", remedy));
    }
}

/// Who may read how the installation is, addresses of websites included.
pub(super) fn metrics(listen: Option<SocketAddr>, token: Option<&Secret>, errors: &mut FieldErrors) {
    if let Some(listen) = listen.filter(|listen| !listen.ip().is_loopback() && token.is_none()) {
        let remedy = "Others reach that address, and metrics tell of all websites. Set METRICS_TOKEN too, or listen for this \
                      machine alone, for example on 127.0.0.1:9464.";
        errors.push(FieldError::new("METRICS_LISTEN", &listen.to_string(), remedy));
    }
    let is_fine = |token: &Secret| token.expose().len() >= 16 && token.expose().bytes().all(|b| b.is_ascii_graphic());
    if token.is_some_and(|token| !is_fine(token)) {
        // What was found may be the secret.
        let remedy = "Give at least 16 letters, digits or signs, for example the output of: openssl rand -base64 24";
        errors.push(FieldError::new("METRICS_TOKEN", "", remedy));
    }
}

/// Who hears that the hub is alive.
pub(super) fn dead_man_url(url: Option<&Secret>, errors: &mut FieldErrors) {
    let Some(url) = url else { return };
    let parsed = url::Url::parse(url.expose()).ok();
    let is_fine = parsed.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.host().is_some()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if !is_fine {
        // Whatever was found may be the secret.
        let remedy = "Give the address that your dead man's switch names, for example https://hc-ping.com/<uuid>; \
                      http or https, without user and password.";
        errors.push(FieldError::new("DEAD_MAN_URL", "", remedy));
    }
}

/// One that can be guessed lets anybody in (T133).
pub(super) fn signing_keys(config: &Config, errors: &mut FieldErrors) {
    match &config.jwt_secret_key {
        Some(key) => signing_key("JWT_SECRET_KEY", key, errors),
        None if !config.is_embedded() => {
            errors.push(FieldError::new("JWT_SECRET_KEY", "", format!("It is required beside DATABASE_URL. {RANDOM}")));
        }
        None => {}
    }
    let Some(accepted) = &config.jwt_secret_key_accepted else { return };
    const NAME: &str = "JWT_SECRET_KEY_ACCEPTED";
    signing_key(NAME, accepted, errors);
    if config.jwt_secret_key.is_none() && config.is_embedded() {
        let remedy = "It goes with JWT_SECRET_KEY, which is not set; keys in the state directory are changed by: \
                      betteruptime-hub key rotate";
        errors.push(FieldError::new(NAME, "", remedy));
    }
}

const RANDOM: &str = "Give at least 32 random bytes, for example the output of: openssl rand -base64 48";

fn signing_key(name: &'static str, key: &Secret, errors: &mut FieldErrors) {
    let key = key.expose();
    let distinct = key.bytes().collect::<std::collections::HashSet<_>>().len();
    let sample = ["change", "secret", "example", "replace"].iter().any(|s| key.to_ascii_lowercase().contains(s));
    if key.len() < 32 {
        errors.push(FieldError::new(name, "", format!("It has {} bytes. {RANDOM}", key.len())));
    } else if distinct < 12 || sample {
        errors.push(FieldError::new(name, "", format!("It looks like a sample, not a secret. {RANDOM}")));
    }
}
