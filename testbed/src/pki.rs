//! A certificate authority made at test time, and every kind of certificate one meets, good or bad.

use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SigningKey, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ResolvesServerCertUsingSni, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

/// Years a certificate is valid from and to, 1 January each.
pub type Years = (i32, i32);

/// Long enough for every test.
pub const VALID: Years = (2020, 2090);

/// A certificate authority: a root, or an intermediate below one.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// Intermediates that lead to the root, this one first; empty for a root.
    chain: Vec<CertificateDer<'static>>,
}

/// A chain, leaf first, and the leaf's key.
#[derive(Debug)]
pub struct Identity {
    /// What the server sends, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// PKCS #8.
    key: Vec<u8>,
}

impl Authority {
    /// A root of this name.
    #[must_use]
    pub fn root(name: &str) -> Self {
        Self::of(authority_params(name))
    }

    /// A root of this name, of an organisation.
    #[must_use]
    pub fn root_of(name: &str, organization: &str) -> Self {
        let mut params = authority_params(name);
        params.distinguished_name.push(DnType::OrganizationName, organization);
        Self::of(params)
    }

    fn of(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), issuer: Issuer::new(params, key), chain: Vec::new() }
    }

    /// An intermediate authority below this one.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        let params = authority_params(name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let mut chain = vec![certificate.clone()];
        chain.extend(self.chain.iter().cloned());
        Self { certificate, issuer: Issuer::new(params, key), chain }
    }

    /// Its own certificate: what a client has to trust, for a root.
    #[must_use]
    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    /// A certificate for `names` (addresses become IP names), valid for a long time.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_for(names, VALID)
    }

    /// The same for these years: expired, or not yet valid.
    #[must_use]
    pub fn issue_for(&self, names: &[&str], years: Years) -> Identity {
        self.sign(leaf_params(names, years))
    }

    /// A certificate valid from and to these instants, in seconds since 1970.
    #[must_use]
    pub fn issue_between(&self, names: &[&str], from_s: i64, to_s: i64) -> Identity {
        let mut params = leaf_params(names, VALID);
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + seconds(from_s);
        params.not_after = epoch + seconds(to_s);
        self.sign(params)
    }

    /// A certificate for `name` and as many other names as make `count`.
    #[must_use]
    pub fn issue_many(&self, name: &str, count: usize) -> Identity {
        let mut params = leaf_params(&[name], VALID);
        let others = (1..count).map(|i| SanType::DnsName(format!("n{i}.example").try_into().unwrap()));
        params.subject_alt_names.extend(others);
        self.sign(params)
    }

    /// A certificate for `names` below `depth` intermediates, all of which are sent.
    #[must_use]
    pub fn issue_deep(&self, names: &[&str], depth: usize) -> Identity {
        let Some(first) = depth.checked_sub(1).map(|_| self.intermediate("level 1")) else { return self.issue(names) };
        let last = (2..=depth).fold(first, |above, level| above.intermediate(&format!("level {level}")));
        last.issue(names)
    }

    /// A certificate that may itself sign others, used by a website.
    #[must_use]
    pub fn issue_authority_as_leaf(&self, names: &[&str]) -> Identity {
        let mut params = leaf_params(names, VALID);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Identity::new(&leaf, &self.chain, &key)
    }
}

/// A leaf signed by itself: no authority at all.
#[must_use]
pub fn self_signed(names: &[&str]) -> Identity {
    let key = KeyPair::generate().unwrap();
    Identity::new(&leaf_params(names, VALID).self_signed(&key).unwrap(), &[], &key)
}

/// A self-signed certificate that is an authority: what `openssl req -x509` makes.
#[must_use]
pub fn self_signed_authority(names: &[&str]) -> Identity {
    let key = KeyPair::generate().unwrap();
    let mut params = leaf_params(names, VALID);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Identity::new(&params.self_signed(&key).unwrap(), &[], &key)
}

/// A leaf of X.509 version 1 signed by itself, as old devices have it: no names but the subject's.
#[must_use]
pub fn self_signed_v1(name: &str) -> Identity {
    let key = KeyPair::generate().unwrap();
    let third = leaf_params(&[name], VALID).self_signed(&key).unwrap();
    let parts = der::parts(third.der());
    // Without the version, which comes first, and the extensions at the end.
    let fields: Vec<&[u8]> =
        der::parts(parts[0]).into_iter().filter(|field| !matches!(field[0], 0xa0 | 0xa3)).collect();
    let body = der::wrap(0x30, &fields);
    let signature = der::wrap(0x03, &[&[0], &key.sign(&body).unwrap()]);
    let first = der::wrap(0x30, &[&body, parts[1], &signature]);
    Identity { chain: vec![first.into()], key: key.serialize_der() }
}

/// As much of DER as it takes to make one certificate of another.
mod der {
    /// The elements in an element of less than 64 KiB.
    pub(super) fn parts(element: &[u8]) -> Vec<&[u8]> {
        let (start, _) = span(element);
        let mut rest = &element[start..];
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (part, after) = rest.split_at(span(rest).1);
            parts.push(part);
            rest = after;
        }
        parts
    }

    /// Where the content of the first element begins and ends.
    fn span(bytes: &[u8]) -> (usize, usize) {
        let (start, length) = match bytes[1] {
            short @ 0..=0x7f => (2, usize::from(short)),
            0x81 => (3, usize::from(bytes[2])),
            _ => (4, usize::from(bytes[2]) << 8 | usize::from(bytes[3])),
        };
        (start, start + length)
    }

    pub(super) fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head = match length {
            [0, short @ 0..=0x7f] => vec![tag, short],
            [0, long] => vec![tag, 0x81, long],
            [high, low] => vec![tag, 0x82, high, low],
        };
        [head, content].concat()
    }
}

impl Identity {
    fn new(leaf: &Certificate, above: &[CertificateDer<'static>], key: &KeyPair) -> Self {
        let mut chain = vec![leaf.der().clone()];
        chain.extend(above.iter().cloned());
        Self { chain, key: key.serialize_der() }
    }

    /// The leaf alone: the server forgets its intermediates.
    #[must_use]
    pub fn without_intermediates(mut self) -> Self {
        self.chain.truncate(1);
        self
    }

    /// The same with another's key: what a server shows that has not the key of its certificate.
    #[must_use]
    pub fn with_key_of(self, other: &Self) -> Self {
        Self { key: other.key.clone(), ..self }
    }

    /// Chain and key as files have them.
    #[must_use]
    pub fn pem(&self) -> (String, String) {
        let chain = self.chain.iter().map(|certificate| pem("CERTIFICATE", certificate)).collect();
        (chain, pem("PRIVATE KEY", &self.key))
    }

    /// The private key.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// A server that shows this chain to everyone; TLS 1.2 and 1.3.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.server_config_of(rustls::ALL_VERSIONS)
    }

    /// The same for these versions only.
    #[must_use]
    pub fn server_config_of(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> Arc<ServerConfig> {
        Arc::new(builder(versions).with_no_client_auth().with_cert_resolver(self.resolver()))
    }

    /// Shows what it is given: rustls' own way refuses certificates that a server should not have.
    fn resolver(&self) -> Arc<SingleCertAndKey> {
        let key = rustls::crypto::ring::sign::any_supported_type(&self.key()).unwrap();
        Arc::new(SingleCertAndKey::from(CertifiedKey::new(self.chain.clone(), key)))
    }

    /// A server that demands a certificate of its visitors, issued by `authority`.
    #[must_use]
    pub fn server_config_for_members(
        &self,
        authority: &Authority,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.der()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(rustls::crypto::ring::default_provider()),
        );
        let builder = builder(versions).with_client_cert_verifier(verifier.build().unwrap());
        Arc::new(builder.with_cert_resolver(self.resolver()))
    }
}

/// A server that shows each name its own certificate (SNI), and none to others.
#[must_use]
pub fn server_config_by_name(identities: &[(&str, &Identity)]) -> Arc<ServerConfig> {
    let mut resolver = ResolvesServerCertUsingSni::new();
    for (name, identity) in identities {
        let key = rustls::crypto::ring::sign::any_supported_type(&identity.key()).unwrap();
        resolver.add(name, CertifiedKey::new(identity.chain.clone(), key)).unwrap();
    }
    Arc::new(builder(rustls::ALL_VERSIONS).with_no_client_auth().with_cert_resolver(Arc::new(resolver)))
}

fn builder(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap()
}

fn seconds(count: i64) -> std::time::Duration {
    std::time::Duration::from_secs(u64::try_from(count).unwrap())
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = common_name(name);
    (params.not_before, params.not_after) = (date_time_ymd(VALID.0, 1, 1), date_time_ymd(VALID.1, 1, 1));
    params
}

fn leaf_params(names: &[&str], years: Years) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        })
        .collect();
    params.distinguished_name = common_name(names.first().unwrap_or(&"nobody"));
    (params.not_before, params.not_after) = (date_time_ymd(years.0, 1, 1), date_time_ymd(years.1, 1, 1));
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// DER in the form of RFC 7468.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |value: u32| char::from(DIGITS[(value & 63) as usize]);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let value = (0..3).fold(0, |sum, n| (sum << 8) | u32::from(three.get(n).copied().unwrap_or(0)));
            let digits = [digit(value >> 18), digit(value >> 12), digit(value >> 6), digit(value)];
            text.extend(digits.iter().take(three.len() + 1));
            text.extend(std::iter::repeat_n('=', 3 - three.len()));
        }
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
