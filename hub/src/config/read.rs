//! From what is given to what counts: each setting alone.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use probe::canary::Canaries;
use probe::engine::{Cidr, read_roots};
use rustls::pki_types::CertificateDer;

use super::{LogFormat, SignUps, Sources, TlsFiles};
use crate::model::{FieldError, FieldErrors};

/// Reads settings; what is wrong is noted, and something harmless stands in its place.
pub(super) struct Reader<'a> {
    pub(super) sources: &'a Sources,
    pub(super) errors: FieldErrors,
}

impl Reader<'_> {
    fn wrong(&mut self, name: &'static str, found: &str, remedy: impl Into<String>) {
        self.errors.push(FieldError::new(name, found, remedy));
    }

    /// `LISTEN`, its port by `PORT` where that is said no less strongly.
    pub(super) fn listen(&mut self) -> SocketAddr {
        let sources = self.sources;
        let mut listen = SocketAddr::from(([127, 0, 0, 1], 3001));
        if let Some(text) = sources.get("LISTEN") {
            match text.parse() {
                Ok(address) => listen = address,
                Err(_) => self.wrong("LISTEN", text, "Give address:port, for example 127.0.0.1:3001."),
            }
        }
        if let Some(text) = sources.get("PORT").filter(|_| sources.strength("PORT") >= sources.strength("LISTEN")) {
            match text.parse() {
                Ok(port) => listen.set_port(port),
                Err(_) => self.wrong("PORT", text, "Give a number from 0 to 65535, for example 3001."),
            }
        }
        listen
    }

    /// `METRICS_LISTEN`.
    pub(super) fn metrics_listen(&mut self) -> Option<SocketAddr> {
        let text = self.sources.get("METRICS_LISTEN").filter(|text| !text.is_empty())?;
        let address = text.parse().ok();
        if address.is_none() {
            self.wrong("METRICS_LISTEN", text, "Give address:port, for example 127.0.0.1:9464.");
        }
        address
    }

    /// `PUBLIC_URL`, without a trailing slash.
    pub(super) fn public_url(&mut self) -> Option<String> {
        let text = self.sources.get("PUBLIC_URL")?;
        match url::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.path() == "/" => {
                Some(url.as_str().trim_end_matches('/').to_owned())
            }
            Ok(_) | Err(_) => {
                let remedy = "Give scheme and host only, for example https://status.example.com.";
                self.wrong("PUBLIC_URL", text, remedy);
                None
            }
        }
    }

    pub(super) fn sign_ups(&mut self) -> SignUps {
        match self.sources.get("SIGNUPS") {
            None | Some("first") => SignUps::First,
            Some("open") => SignUps::Open,
            Some("closed") => SignUps::Closed,
            Some(other) => {
                self.wrong("SIGNUPS", other, "Use first, open or closed.");
                SignUps::Closed
            }
        }
    }

    /// `MAX_WEBSITES_PER_ACCOUNT`: strangers get a bound where none is set.
    pub(super) fn max_websites(&mut self) -> Option<i64> {
        const NAME: &str = "MAX_WEBSITES_PER_ACCOUNT";
        match (self.sources.get(NAME), self.sources.get("SIGNUPS")) {
            (None, Some("open")) => Some(100),
            (None, _) => None,
            (Some(_), _) => Some(self.number(NAME, 1..=1_000_000, 100)),
        }
    }

    pub(super) fn log_format(&mut self) -> LogFormat {
        match self.sources.get("LOG_FORMAT") {
            None | Some("text") => LogFormat::Text,
            Some("json") => LogFormat::Json,
            Some(other) => {
                self.wrong("LOG_FORMAT", other, "Use text or json.");
                LogFormat::Text
            }
        }
    }

    pub(super) fn log_filter(&mut self) -> String {
        let filter = self.sources.get("RUST_LOG").unwrap_or("info").to_owned();
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
            let remedy = format!("Use error, warn, info, debug or trace, or name=level pairs ({error}).");
            self.wrong("RUST_LOG", &filter, remedy);
        }
        filter
    }

    /// A whole number of these.
    pub(super) fn number<N>(&mut self, name: &'static str, of: RangeInclusive<N>, default: N) -> N
    where
        N: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.sources.get(name) else { return default };
        match text.parse() {
            Ok(number) if of.contains(&number) => number,
            Ok(_) | Err(_) => {
                self.wrong(name, text, format!("Give a whole number from {} to {}.", of.start(), of.end()));
                default
            }
        }
    }

    /// `CANARIES`; none given are the default ones.
    pub(super) fn canaries(&mut self) -> Canaries {
        let given = self.sources.get("CANARIES").unwrap_or_default();
        let canaries = if given.is_empty() { Ok(Canaries::default()) } else { Canaries::parse(given) };
        canaries.unwrap_or_else(|problems| {
            for problem in problems {
                self.wrong("CANARIES", "", format!("{problem}."));
            }
            Canaries::off()
        })
    }

    /// `CA_FILE`, and what is in it.
    pub(super) fn authorities(&mut self) -> (Option<String>, Vec<CertificateDer<'static>>) {
        let file = self.sources.get("CA_FILE").filter(|path| !path.is_empty()).map(str::to_owned);
        let roots = file.as_deref().map_or_else(|| Ok(Vec::new()), read_roots).unwrap_or_else(|error| {
            self.wrong("CA_FILE", "", format!("{error}."));
            Vec::new()
        });
        (file, roots)
    }

    /// `TLS_CERT_FILE` and `TLS_KEY_FILE`: both or none.
    pub(super) fn tls(&mut self) -> Option<TlsFiles> {
        match (self.sources.get("TLS_CERT_FILE"), self.sources.get("TLS_KEY_FILE")) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.into(), key: key.into() }),
            (None, None) => None,
            (Some(_), None) => {
                self.wrong("TLS_KEY_FILE", "", "TLS_CERT_FILE is set; name the key's file too.");
                None
            }
            (None, Some(_)) => {
                self.wrong("TLS_CERT_FILE", "", "TLS_KEY_FILE is set; name the certificate's file too.");
                None
            }
        }
    }

    pub(super) fn trusted_proxies(&mut self) -> Vec<Cidr> {
        let mut proxies = Vec::new();
        for text in self.sources.get("TRUSTED_PROXIES").unwrap_or_default().split(',').map(str::trim) {
            match text.parse::<Cidr>() {
                Ok(cidr) => proxies.push(cidr),
                Err(_) if text.is_empty() => {}
                Err(_) => {
                    let remedy = "Give networks, separated by commas, for example 127.0.0.1/32,10.0.0.0/8.";
                    self.wrong("TRUSTED_PROXIES", text, remedy);
                }
            }
        }
        proxies
    }
}
