//! HTTPS in the process. Certificate and key are read again while it runs.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;

use super::certificate::{CertificateError, ServerCertificate};
use crate::config::TlsFiles;

/// The certificate in use.
pub struct Tls {
    /// Locked while they are read, so that an older content never replaces a newer one.
    files: Mutex<TlsFiles>,
    state: RwLock<State>,
}

struct State {
    served: Arc<ServerCertificate>,
    refused: Option<RefusedFiles>,
}

/// Files that cannot be used; the certificate that was read before stays in use.
struct RefusedFiles {
    why: String,
    /// A renewal that is being written is unusable for a moment, so that only a second refusal with the same cause is reported.
    reported: bool,
}

/// What [`Tls::poll`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum CertificatePoll {
    /// Nothing new.
    Unchanged,
    /// Another certificate is in use from now on.
    Replaced,
    /// The files cannot be used, for this reason. Returned once for each reason.
    Refused(String),
}

/// The certificate in use, for alarm and `doctor`.
#[derive(Debug, Clone)]
pub struct TlsStanding {
    /// Its end, µs since the epoch.
    pub end: Option<i64>,
    /// SHA-256 of the chain, hex.
    pub chain_sha256: String,
    /// Why the present files are not in use.
    pub refused: Option<String>,
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn load(files: TlsFiles) -> Result<Self, CertificateError> {
        let served = Arc::new(ServerCertificate::load(&files)?);
        warn(&served, &files);
        Ok(Self { files: Mutex::new(files), state: RwLock::new(State { served, refused: None }) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.served().config))
    }

    /// Reads the files that the configuration names now, changed or not. If they cannot be used, the certificate stays.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), CertificateError> {
        let mut current = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        match ServerCertificate::load(files) {
            Ok(certificate) => {
                warn(&certificate, files);
                files.clone_into(&mut current);
                self.set(|state| (state.served, state.refused) = (Arc::new(certificate), None));
                Ok(())
            }
            Err(error) => {
                // Files at other paths were never in use: the failed reload alone is reported.
                if *current == *files {
                    let refused = RefusedFiles { why: error.to_string(), reported: true };
                    self.set(|state| state.refused = Some(refused));
                }
                Err(error)
            }
        }
    }

    /// Reads the files and uses them if their content changed. Modification times say too little: copies and mounts keep them.
    pub fn poll(&self) -> CertificatePoll {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        match self.served().load_if_changed(&files) {
            Ok(None) => {
                self.set(|state| state.refused = None);
                CertificatePoll::Unchanged
            }
            Ok(Some(certificate)) => {
                warn(&certificate, &files);
                self.set(|state| (state.served, state.refused) = (Arc::new(certificate), None));
                CertificatePoll::Replaced
            }
            Err(error) => self.set(|state| {
                let why = error.to_string();
                match state.refused.as_mut().filter(|refused| refused.why == why) {
                    None => state.refused = Some(RefusedFiles { why, reported: false }),
                    Some(refused) if !refused.reported => {
                        refused.reported = true;
                        return CertificatePoll::Refused(why);
                    }
                    Some(_) => {}
                }
                CertificatePoll::Unchanged
            }),
        }
    }

    /// The certificate in use.
    #[must_use]
    pub fn standing(&self) -> TlsStanding {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        TlsStanding {
            end: state.served.end,
            chain_sha256: state.served.chain_sha256.clone(),
            refused: state.refused.as_ref().filter(|refused| refused.reported).map(|refused| refused.why.clone()),
        }
    }

    fn served(&self) -> Arc<ServerCertificate> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).served)
    }

    fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn warn(certificate: &ServerCertificate, files: &TlsFiles) {
    for warning in &certificate.warnings {
        tracing::warn!("{}: {}", warning.what(files), warning.todo());
    }
}

#[cfg(test)]
mod tests {
    use super::super::certificate::testing::{pem, write};
    use super::*;

    #[test]
    fn a_renewal_is_found_by_content_and_a_refused_one_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let ((first, first_key), (second, second_key)) = (pem(2040), pem(2041));
        let files = write(folder.path(), &first, &first_key);
        let modified = std::fs::metadata(&files.cert).unwrap().modified().unwrap();
        let tls = Tls::load(files.clone()).unwrap();
        let first_end = tls.standing().end;
        assert_eq!(tls.poll(), CertificatePoll::Unchanged);

        // Half of a renewal.
        write(folder.path(), &second, &first_key);
        assert_eq!((tls.poll(), tls.standing().refused), (CertificatePoll::Unchanged, None), "it may be being written");
        let CertificatePoll::Refused(why) = tls.poll() else { panic!("not reported") };
        assert!(why.contains("belongs to another certificate"), "{why}");
        assert_eq!((tls.poll(), tls.standing().end), (CertificatePoll::Unchanged, first_end), "reported once");
        assert_eq!(tls.standing().refused, Some(why));

        write(folder.path(), &second, &second_key);
        std::fs::File::options().write(true).open(&files.cert).unwrap().set_modified(modified).unwrap();
        assert_eq!(tls.poll(), CertificatePoll::Replaced);
        assert!(tls.standing().refused.is_none() && tls.standing().end > first_end);

        // SIGHUP.
        write(folder.path(), "", &second_key);
        assert!(tls.reload(&files).is_err());
        assert!(tls.standing().refused.is_some(), "asked for, so it is reported at once");
        write(folder.path(), &first, &first_key);
        tls.reload(&files).unwrap();
        assert_eq!(tls.standing().end, first_end);
        let elsewhere = TlsFiles { cert: folder.path().join("missing.pem"), ..files };
        assert!(tls.reload(&elsewhere).is_err());
        assert_eq!(
            (tls.standing().refused, tls.poll()),
            (None, CertificatePoll::Unchanged),
            "the files in use are good"
        );
    }
}
