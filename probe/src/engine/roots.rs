//! Certificate authorities of a file.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why a file gives no authorities.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// It cannot be read, or is not PEM.
    #[error("\"{path}\" cannot be read as certificates in PEM form: {why}")]
    File {
        /// As given.
        path: String,
        /// The library's words.
        why: String,
    },
    /// There is none in it.
    #[error("\"{0}\" holds no certificate; a PEM file has lines -----BEGIN CERTIFICATE-----")]
    Empty(String),
}

/// The certificates of a PEM file, to be trusted besides Mozilla's.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub fn read_roots(path: &str) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let file =
        |error: rustls::pki_types::pem::Error| RootsError::File { path: path.to_owned(), why: error.to_string() };
    let roots: Vec<_> = CertificateDer::pem_file_iter(path).map_err(file)?.collect::<Result<_, _>>().map_err(file)?;
    if roots.is_empty() { Err(RootsError::Empty(path.to_owned())) } else { Ok(roots) }
}
