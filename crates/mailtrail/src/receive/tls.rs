//! HTTPS in the process: certificate and key from PEM files, read again when they change.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds no usable PEM.
    #[error("{path} holds no {what} in PEM form")]
    NoPem {
        /// Which.
        path: String,
        /// What was looked for.
        what: &'static str,
    },
    /// Certificate and key do not fit each other, or are not usable.
    #[error("certificate and key cannot be used together: {0}")]
    Unusable(rustls::Error),
}

/// The certificate in force.
pub struct Tls {
    files: TlsFiles,
    current: RwLock<(Stamp, Arc<ServerConfig>)>,
}

/// When the two files were last written.
type Stamp = [Option<SystemTime>; 2];

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When they cannot be read or do not fit each other.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let stamp = stamp(&files);
        let config = read(&files)?;
        Ok(Self { files, current: RwLock::new((stamp, config)) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.1))
    }

    /// Reads the files again where they changed; says whether they had. The old certificate stays where that fails.
    ///
    /// # Errors
    /// When the new files cannot be used.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let stamp = stamp(&self.files);
        if self.current.read().unwrap_or_else(PoisonError::into_inner).0 == stamp {
            return Ok(false);
        }
        let config = read(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = (stamp, config);
        Ok(true)
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.cert, &files.key].map(|path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok())
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let no_pem = |path: &Path, what| TlsError::NoPem { path: path.display().to_string(), what };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read_file(&files.cert)?)
        .collect::<Result<_, _>>()
        .map_err(|_| no_pem(&files.cert, "certificate"))?;
    if chain.is_empty() {
        return Err(no_pem(&files.cert, "certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read_file(&files.key)?).map_err(|_| no_pem(&files.key, "private key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.display().to_string(), source })
}
