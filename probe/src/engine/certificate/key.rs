//! The proof that a server has the key of the certificate it shows, where nothing else of that certificate matters. webpki
//! has it of certificates only that it can read whole, and so of none of X.509 version 1, which old devices have.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::{CertificateError, DigitallySignedStruct, Error};

use super::der::Body;

/// Whether `message` of a TLS 1.2 handshake is signed with the certificate's key.
pub(in crate::engine) fn signed_in_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    supported: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let body = Body::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let (kind, key) = body.key().ok_or(CertificateError::BadEncoding)?;
    supported
        .mapping
        .iter()
        .filter(|(scheme, _)| *scheme == signed.scheme)
        .flat_map(|(_, algorithms)| *algorithms)
        .filter(|algorithm| algorithm.public_key_alg_id().as_ref() == kind)
        .find(|algorithm| algorithm.verify_signature(key, message, signed.signature()).is_ok())
        .map(|_| HandshakeSignatureValid::assertion())
        .ok_or(CertificateError::BadSignature.into())
}

/// The same of TLS 1.3.
pub(in crate::engine) fn signed_in_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    supported: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let body = Body::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let key = SubjectPublicKeyInfoDer::from(body.key_info);
    verify_tls13_signature_with_raw_key(message, &key, signed, supported)
}
