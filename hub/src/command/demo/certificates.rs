//! Certificates of the demo's websites, of an authority that only this process trusts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::CertifiedKey;

use super::scene::{SITES, Where};
use super::seen::{ISSUER, ISSUER_ORGANIZATION, certificate_span};
use crate::model::UtcMs;

/// What a server of all the websites shows, and whom its visitors have to trust.
pub(super) struct Shown {
    pub server: Arc<ServerConfig>,
    pub root: CertificateDer<'static>,
}

/// As the history has them at its end.
pub(super) fn make(host: Where, end: UtcMs) -> anyhow::Result<Shown> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name = named(ISSUER);
    params.distinguished_name.push(DnType::OrganizationName, ISSUER_ORGANIZATION);
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    let key = KeyPair::generate()?;
    let root = params.self_signed(&key)?.der().clone();
    let issuer = Issuer::new(params, key);
    let mut resolver = ResolvesServerCertUsingSni::new();
    for (n, site) in SITES.iter().enumerate().filter(|(_, site)| site.is_https) {
        let name = host.host(site.host);
        let mut params = CertificateParams::new(vec![name.clone()])?;
        params.distinguished_name = named(&name);
        let (from_at, to_at) = certificate_span(n, site, end, end);
        let instant =
            |at: UtcMs| date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(at / 1_000).unwrap_or(0));
        (params.not_before, params.not_after) = (instant(from_at), instant(to_at));
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &issuer)?;
        let private = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let signing = rustls::crypto::ring::sign::any_supported_type(&private)?;
        resolver.add(&name, CertifiedKey::new(vec![leaf.der().clone()], signing))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS of the demo's websites cannot be set up")?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    Ok(Shown { server: Arc::new(server), root })
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_website_over_tls_has_a_certificate() {
        let shown = make(Where::Here { http: 1, https: 2 }, 1_795_000_000_000).unwrap();
        assert!(!shown.root.is_empty() && Arc::strong_count(&shown.server) == 1);
    }
}
