//! The TLS client: rustls with a verifier that keeps what it saw, so that a bad certificate can be described.

use std::cell::RefCell;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, SecureRandom, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned};

use super::EngineError;
use super::certificate::{Shown, key};
use super::socket::Socket;
use crate::clock::Clock;

/// What a handshake showed, whether or not it succeeded.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) shown: Option<Shown>,
    pub(super) client_certificate_asked: bool,
}

/// What all handshakes share: a configuration that verifies, and one that takes any certificate.
#[derive(Debug)]
pub(super) struct TlsSetup {
    verifying: Arc<ClientConfig>,
    trusting: Arc<ClientConfig>,
}

thread_local! {
    /// What the handshake that runs on this thread has shown so far. A handshake begins and ends on one thread, and a
    /// configuration for each of them would be a copy of everything for a note of a few bytes.
    static SEEN: RefCell<Seen> = RefCell::default();
}

fn note(write: impl FnOnce(&mut Seen)) {
    SEEN.with_borrow_mut(write);
}

/// Randomness of the same provider.
pub(super) fn random() -> &'static dyn SecureRandom {
    static RANDOM: std::sync::OnceLock<&'static dyn SecureRandom> = std::sync::OnceLock::new();
    *RANDOM.get_or_init(|| ring::default_provider().secure_random)
}

impl TlsSetup {
    /// Trusts Mozilla's roots and `extra_roots`, at the time `clock` tells.
    pub(super) fn new(extra_roots: &[CertificateDer<'static>], clock: &Clock) -> Result<Self, EngineError> {
        let mut provider = ring::default_provider();
        // As browsers order them. What is exchanged is small, so that the hash decides what a handshake costs, and
        // processors have instructions for SHA-256.
        provider.cipher_suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("AES_128"));
        let provider: Arc<CryptoProvider> = Arc::new(provider);
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in extra_roots {
            roots.add(root.clone()).map_err(|e| EngineError::Root(e.to_string()))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|e| EngineError::Tls(e.to_string()))?;
        let algorithms = provider.signature_verification_algorithms;
        let config = |verify: bool| {
            let witness = Arc::new(Witness { verifier: Arc::clone(&verifier), algorithms, verify });
            let mut config = ClientConfig::builder_with_details(Arc::clone(&provider), Arc::new(clock.clone()))
                .with_safe_default_protocol_versions()
                .map_err(|e| EngineError::Tls(e.to_string()))?
                .dangerous()
                .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
                .with_client_cert_resolver(witness as Arc<dyn ResolvesClientCert>);
            // A resumed session would hide a certificate that has gone bad since.
            config.resumption = Resumption::disabled();
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(Arc::new(config))
        };
        Ok(Self { verifying: config(true)?, trusting: config(false)? })
    }

    /// Shakes hands over `stream` by `deadline`. What was seen is told in both cases. Without `verify` any certificate
    /// is taken, as long as the server has its key; nothing of that is remembered for the next handshake (T017).
    pub(super) fn handshake(
        &self,
        stream: TcpStream,
        name: ServerName<'static>,
        deadline: Instant,
        verify: bool,
    ) -> (Result<StreamOwned<ClientConnection, Socket>, std::io::Error>, Seen) {
        note(|seen| *seen = Seen::default());
        let config = Arc::clone(if verify { &self.verifying } else { &self.trusting });
        let result = ClientConnection::new(config, name).map_err(std::io::Error::other).and_then(|mut c| {
            let mut socket = Socket::new(stream, deadline);
            while c.is_handshaking() {
                c.complete_io(&mut socket)?;
            }
            Ok(StreamOwned::new(c, socket))
        });
        (result, SEEN.take())
    }
}

/// Verifies like webpki, or only that the server has the key of what it shows, and remembers. It also stands where a client certificate would come from: it has none, but
/// notes that one was asked for.
#[derive(Debug)]
struct Witness {
    verifier: Arc<WebPkiServerVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
    verify: bool,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        note(|seen| seen.shown = Shown::read(end_entity, intermediates));
        if !self.verify {
            return Ok(ServerCertVerified::assertion());
        }
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if !self.verify {
            return key::signed_in_tls12(message, cert, dss, &self.algorithms);
        }
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if !self.verify {
            return key::signed_in_tls13(message, cert, dss, &self.algorithms);
        }
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

impl ResolvesClientCert for Witness {
    fn resolve(&self, _root_hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        note(|seen| seen.client_certificate_asked = true);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}
