//! A certificate authority and a P-256 leaf for the servers here.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::Failed;

pub(crate) struct Authority {
    pub(crate) root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    pub(crate) leaf_pem: String,
    pub(crate) key_pem: String,
    key_der: Vec<u8>,
}

impl Authority {
    /// A leaf for `names`.
    pub(crate) fn new(names: &[&str]) -> Result<Self, Failed> {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "BetterUptime measuring authority");
        let ca_key = KeyPair::generate()?;
        let root = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let leaf = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        Ok(Self {
            root: root.der().clone(),
            leaf: leaf.der().clone(),
            leaf_pem: leaf.pem(),
            key_pem: key.serialize_pem(),
            key_der: key.serialize_der(),
        })
    }

    /// A server of this leaf that resumes nothing.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>, Failed> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(self.key_der.clone())?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.leaf.clone()], key)?;
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// The bare loop's client: the same roots, verification and order of ciphers as the engine's, no resumption.
pub(crate) fn client(root: &CertificateDer<'static>) -> Result<Arc<ClientConfig>, Failed> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add(root.clone())?;
    let mut provider = rustls::crypto::ring::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("AES_128"));
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
