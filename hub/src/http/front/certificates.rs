//! The front's certificate, read anew when its files change: connections that are open go on with the old one. What is new and
//! broken, or written by half, changes nothing, and is said once.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::clock;
use crate::config::TlsFiles;
use crate::metrics::Counts;
use crate::model::UtcMs;

/// The files are looked at so often.
const EVERY: Duration = Duration::from_secs(5);
/// From so long before its end on, a certificate that was not renewed is worth a word, and a word so often.
const NEAR_MS: i64 = 14 * 86_400_000;
const TOLD_EVERY_MS: i64 = 86_400_000;

/// What the files looked like: whoever writes them anew changes one of these.
type Look = [Option<(SystemTime, u64)>; 2];

/// The certificate in use.
pub(super) struct Certificates {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
    /// As the files were before they were read for what is in use.
    first_look: Look,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Certificates {
    /// Reads them.
    ///
    /// # Errors
    /// Certificate or key cannot be read or do not fit each other.
    pub(super) fn new(files: &TlsFiles) -> anyhow::Result<Arc<Self>> {
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let first_look = look(files);
        let current = RwLock::new(Arc::new(read(files, &provider)?));
        Ok(Arc::new(Self { files: files.clone(), provider, current, first_look }))
    }

    /// What connections are accepted with.
    ///
    /// # Errors
    /// Never yet: the protocol's versions are those rustls has.
    pub(super) fn server(self: &Arc<Self>) -> anyhow::Result<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// When the one in use ends.
    fn not_after_at(&self) -> Option<UtcMs> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        probe::engine::not_after_at(current.cert.first()?)
    }

    /// Looks at the files until the front ends.
    pub(super) async fn follow(self: Arc<Self>, counts: Arc<Counts>) {
        let (mut known, mut told, mut told_near_at) = (self.first_look, None, 0);
        loop {
            if let Some(at) = self.not_after_at() {
                counts.certificate_ends.set(at);
                let (now, left) = (clock::now(), at - clock::now());
                if left < NEAR_MS && now - told_near_at >= TOLD_EVERY_MS {
                    told_near_at = now;
                    let days = left.div_euclid(86_400_000);
                    tracing::warn!(days, "The certificate in TLS_CERT_FILE is near its end, or past it; renew it.");
                }
            }
            tokio::time::sleep(EVERY).await;
            // Disks can be slow; nobody waits for these.
            let this = self.clone();
            let Ok((seen, read)) = tokio::task::spawn_blocking(move || {
                let seen = look(&this.files);
                (seen, (seen != known).then(|| read(&this.files, &this.provider)))
            })
            .await
            else {
                continue;
            };
            match read {
                None => {}
                Some(Ok(read)) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
                    (known, told, told_near_at) = (seen, None, 0);
                    tracing::info!("The certificate was read anew.");
                }
                // Tried again each time: the other of the two may be on its way.
                Some(Err(error)) if told != Some(seen) => {
                    told = Some(seen);
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "The new certificate cannot be used; the old one stays."
                    );
                }
                Some(Err(_)) => {}
            }
        }
    }
}

fn look(files: &TlsFiles) -> Look {
    let of = |path: &Path| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.modified().ok()?, std::os::unix::fs::MetadataExt::ino(&file) ^ file.len()))
    };
    [of(&files.certificate), of(&files.key)]
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
    let shown = |path: &Path| path.display().to_string();
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("TLS_CERT_FILE {} holds no PEM certificates", shown(&files.certificate)))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("TLS_KEY_FILE {} holds no PEM key", shown(&files.key)))?;
    // A chain of none fits no key.
    CertifiedKey::from_der(chain, key, provider).context("TLS_CERT_FILE and TLS_KEY_FILE do not fit each other")
}
