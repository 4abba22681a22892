//! `config show`.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::Config;
use crate::secret::Secret;

impl Config {
    fn shown_proxies(&self) -> String {
        let list: Vec<String> = self.trusted_proxies.iter().map(ToString::to_string).collect();
        if list.is_empty() { "(none)".to_owned() } else { list.join(",") }
    }

    /// Effective values for people, secrets masked.
    #[must_use]
    pub fn show(&self) -> String {
        let masked = |secret: &Option<Secret>, absent: &str| match secret {
            Some(_) => "(set)".to_owned(),
            None => absent.to_owned(),
        };
        let path = |path: Option<&PathBuf>| path.map_or_else(|| "(off)".to_owned(), |p| p.display().to_string());
        let rows = [
            ("LISTEN", self.listen.to_string()),
            ("PUBLIC_URL", self.public_url.clone().unwrap_or_else(|| "(from LISTEN)".to_owned())),
            ("STATE_DIRECTORY", self.state_directory.display().to_string()),
            ("DATABASE_URL", masked(&self.database_url, "(SQLite in the state directory)")),
            ("REDIS_URL", masked(&self.redis_url, "(queue in this process)")),
            ("REDIS_ADMIN_URL", masked(&self.redis_admin_url, "(none: workers are enrolled by hand)")),
            ("JWT_SECRET_KEY", masked(&self.jwt_secret_key, "(generated in the state directory)")),
            ("JWT_SECRET_KEY_ACCEPTED", masked(&self.jwt_secret_key_accepted, "(none)")),
            ("DEAD_MAN_URL", masked(&self.dead_man_url, "(none: nobody hears when the hub itself ends)")),
            ("METRICS_LISTEN", self.metrics_listen.map_or_else(|| "(off)".to_owned(), |listen| listen.to_string())),
            ("METRICS_TOKEN", masked(&self.metrics_token, "(none: no /metrics where the pages are)")),
            ("SIGNUPS", self.sign_ups.as_str().to_owned()),
            ("CONCURRENCY", self.concurrency.to_string()),
            ("HOST_CHECKS_PER_S", self.host_checks_per_s.to_string()),
            ("API_REQUESTS_PER_S", self.api_requests_per_s.to_string()),
            ("RETENTION_DAYS", self.retention.days.to_string()),
            (
                "MAX_WEBSITES_PER_ACCOUNT",
                self.max_websites.map_or_else(|| "(any number)".to_owned(), |most| most.to_string()),
            ),
            ("CANARIES", self.canaries.to_string()),
            ("CA_FILE", self.ca_file.clone().unwrap_or_default()),
            ("TLS_CERT_FILE", path(self.tls.as_ref().map(|t| &t.certificate))),
            ("TLS_KEY_FILE", path(self.tls.as_ref().map(|t| &t.key))),
            ("TRUSTED_PROXIES", self.shown_proxies()),
            ("LOG_FORMAT", self.log_format.as_str().to_owned()),
            ("RUST_LOG", self.log_filter.clone()),
        ];
        rows.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name:<24} {value}");
            text
        })
    }
}
