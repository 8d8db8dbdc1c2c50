//! Judges the listener's certificate chain and private key. `serve` uses the result, and `doctor` shows it, so that they never disagree.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use zeroize::Zeroizing;

use crate::config::TlsFiles;
use crate::config::secret_file::{self, Permissions};

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// Its path.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A file holds no usable PEM.
    #[error("{path} holds no {what} in PEM form")]
    NoPem {
        /// Its path.
        path: String,
        /// What was expected.
        what: &'static str,
    },
    /// Everybody may read the key, and we could have prevented that.
    #[error("everybody may read the private key {path} (mode {mode:04o}): run chmod 600 {path}")]
    WideKey {
        /// Its path.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// The key needs a password.
    #[error(
        "the private key {path} is encrypted, and mailtrail has no password for it. Decrypt it: openssl pkey -in {path} -out NEWFILE"
    )]
    EncryptedKey {
        /// Its path.
        path: String,
    },
    /// The key belongs to none of the certificates.
    #[error(
        "the private key {key} belongs to another certificate than {cert}. Set tls_cert and tls_key to files that belong together"
    )]
    OtherKey {
        /// Path of the key.
        key: String,
        /// Path of the chain.
        cert: String,
    },
    /// The key's certificate is not the first one.
    #[error(
        "the private key belongs to certificate {number} in {cert}. Move this certificate to the beginning of the file, before its issuers"
    )]
    LeafNotFirst {
        /// Position in the file, from 1.
        number: usize,
        /// Path of the chain.
        cert: String,
    },
    /// rustls refuses them.
    #[error("{cert} and {key} cannot be used: {source}")]
    Unusable {
        /// Path of the chain.
        cert: String,
        /// Path of the key.
        key: String,
        /// The cause.
        source: rustls::Error,
    },
}

/// What is wrong with a certificate or key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateWarning {
    /// The certificate's issuer is not in the file.
    MissingIntermediate,
    /// The issuers are not in the order of the chain.
    IntermediateOrder,
    /// Everybody may read the key, in a mount that is not ours to change. With the mode.
    WideKey(u32),
}

impl CertificateWarning {
    /// What is wrong.
    #[must_use]
    pub fn what(self, files: &TlsFiles) -> String {
        let (cert, key) = (files.cert.display(), files.key.display());
        match self {
            Self::MissingIntermediate => {
                format!("{cert} lacks the certificate of the issuer, without which SendGrid cannot verify it")
            }
            Self::IntermediateOrder => {
                format!("the issuers in {cert} are in the wrong order, which some clients refuse")
            }
            Self::WideKey(mode) => format!("everybody may read the private key {key} (mode {mode:04o})"),
        }
    }

    /// What to do.
    #[must_use]
    pub fn todo(self) -> &'static str {
        match self {
            Self::MissingIntermediate => {
                "put the whole chain into the file (of certbot's files: fullchain.pem, not cert.pem)"
            }
            Self::IntermediateOrder => "put each certificate directly before that of its issuer",
            Self::WideKey(_) => "narrow it where it comes from if there are other users on this machine",
        }
    }
}

/// A certificate chain with its key, ready to be served.
#[derive(Debug)]
pub struct ServerCertificate {
    /// For new connections.
    pub(super) config: Arc<ServerConfig>,
    /// End of the first certificate, µs since the epoch.
    pub end: Option<i64>,
    /// SHA-256 of the chain, hex.
    pub chain_sha256: String,
    /// What is wrong with it.
    pub warnings: Vec<CertificateWarning>,
    /// Digest of both files.
    content: digest::Digest,
}

impl ServerCertificate {
    /// Reads and judges certificate and key.
    ///
    /// # Errors
    /// If they cannot be read or used together.
    pub fn load(files: &TlsFiles) -> Result<Self, CertificateError> {
        PemFiles::read(files)?.judge(files)
    }

    /// The same if the files' content is another one by now; `None` otherwise.
    pub(super) fn load_if_changed(&self, files: &TlsFiles) -> Result<Option<Self>, CertificateError> {
        let pem = PemFiles::read(files)?;
        if pem.digest().as_ref() == self.content.as_ref() { Ok(None) } else { pem.judge(files).map(Some) }
    }
}

/// Both files as read.
struct PemFiles {
    cert: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    permissions: Permissions,
}

impl PemFiles {
    fn read(files: &TlsFiles) -> Result<Self, CertificateError> {
        let unreadable = |path: &Path| {
            let path = path.display().to_string();
            move |source| CertificateError::Read { path, source }
        };
        Ok(Self {
            cert: std::fs::read(&files.cert).map_err(unreadable(&files.cert))?,
            key: Zeroizing::new(std::fs::read(&files.key).map_err(unreadable(&files.key))?),
            permissions: secret_file::permissions(&files.key).map_err(unreadable(&files.key))?,
        })
    }

    fn digest(&self) -> digest::Digest {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&(self.cert.len() as u64).to_be_bytes());
        context.update(&self.cert);
        context.update(&self.key);
        context.finish()
    }

    fn judge(&self, files: &TlsFiles) -> Result<ServerCertificate, CertificateError> {
        let (cert, key) = (files.cert.display().to_string(), files.key.display().to_string());
        let mut warnings = Vec::new();
        match self.permissions {
            Permissions::Narrow => {}
            Permissions::WideNotOurs(mode) => warnings.push(CertificateWarning::WideKey(mode)),
            Permissions::Wide(mode) => return Err(CertificateError::WideKey { path: key, mode }),
        }
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(without_bom(&self.cert))
            .collect::<Result<_, _>>()
            .ok()
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or_else(|| CertificateError::NoPem { path: cert.clone(), what: "certificate" })?;
        let key_der = PrivateKeyDer::from_pem_slice(without_bom(&self.key)).map_err(|_| {
            if is_encrypted(&self.key) {
                CertificateError::EncryptedKey { path: key.clone() }
            } else {
                CertificateError::NoPem { path: key.clone(), what: "private key" }
            }
        })?;
        let unusable = |source| CertificateError::Unusable { cert: cert.clone(), key: key.clone(), source };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let signing_key = provider.key_provider.load_private_key(key_der).map_err(unusable)?;
        let certified = CertifiedKey::new(chain, signing_key);
        match certified.keys_match() {
            // Not every kind of key can name its public half.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => {
                return Err(match owner_of(&certified.key, &certified.cert) {
                    Some(number) => CertificateError::LeafNotFirst { number, cert },
                    None => CertificateError::OtherKey { key, cert },
                });
            }
            Err(source) => return Err(unusable(source)),
        }
        let fields: Vec<Fields<'_>> = certified.cert.iter().map_while(|der| fields(der)).collect();
        let end = fields.first().map(|leaf| leaf.end);
        warnings.extend(chain_warning(&fields));
        let mut context = digest::Context::new(&digest::SHA256);
        certified.cert.iter().for_each(|der| context.update(der));
        let chain_sha256 = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(ServerCertificate { config: Arc::new(config), end, chain_sha256, warnings, content: self.digest() })
    }
}

fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// PKCS #8 and the older form of OpenSSL.
fn is_encrypted(key: &[u8]) -> bool {
    ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|marker| memchr::memmem::find(key, marker.as_bytes()).is_some())
}

/// Position, from 1, of the certificate that the key belongs to.
fn owner_of(key: &Arc<dyn SigningKey>, chain: &[CertificateDer<'static>]) -> Option<usize> {
    let owns =
        |der: &CertificateDer<'static>| CertifiedKey::new(vec![der.clone()], Arc::clone(key)).keys_match().is_ok();
    chain.iter().position(owns).map(|index| index + 1)
}

/// Follows the issuers from the first certificate on. The last one's issuer is a root, which need not be in the file.
fn chain_warning(chain: &[Fields<'_>]) -> Option<CertificateWarning> {
    let mut index = 0;
    let mut ordered = true;
    let mut left = chain.len();
    while left > 0 && chain[index].issuer != chain[index].subject {
        let Some(next) = chain.iter().position(|other| other.subject == chain[index].issuer) else {
            return if index == 0 {
                Some(CertificateWarning::MissingIntermediate)
            } else {
                (!ordered).then_some(CertificateWarning::IntermediateOrder)
            };
        };
        ordered &= next == index + 1;
        index = next;
        left -= 1;
    }
    (!ordered).then_some(CertificateWarning::IntermediateOrder)
}

/// What is needed of a certificate.
struct Fields<'d> {
    issuer: &'d [u8],
    subject: &'d [u8],
    /// µs since the epoch.
    end: i64,
}

/// Walks RFC 5280's `TBSCertificate` as far as the subject.
fn fields(der: &[u8]) -> Option<Fields<'_>> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    if let (VERSION, _, after) = element(rest)? {
        rest = after;
    }
    // serialNumber, signature
    for _ in 0..2 {
        rest = element(rest)?.2;
    }
    let (_, issuer, rest) = element(rest)?;
    let (SEQUENCE, validity, rest) = element(rest)? else { return None };
    let (_, subject, _) = element(rest)?;
    let (_, _, after_not_before) = element(validity)?;
    let (tag, time, _) = element(after_not_before)?;
    Some(Fields { issuer, subject, end: moment(tag, std::str::from_utf8(time).ok()?)? })
}

/// Tag, content and what follows of a DER element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length =
            (bytes.len() <= 4).then(|| bytes.iter().fold(0usize, |all, byte| all << 8 | usize::from(*byte)))?;
        (length, rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// `UTCTime` (years 1950 to 2049 by two digits) or `GeneralizedTime`.
fn moment(tag: u8, text: &str) -> Option<i64> {
    const UTC_TIME: u8 = 0x17;
    let text = text.strip_suffix('Z')?;
    let full = match tag {
        UTC_TIME if text.get(..2)?.parse::<u8>().ok()? >= 50 => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        _ => text.to_owned(),
    };
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", full).ok()?;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok().map(jiff::Timestamp::as_microsecond)
}

/// Certificates for tests.
#[cfg(test)]
pub(crate) mod testing {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use crate::config::TlsFiles;

    /// A self-signed certificate and its key, PEM. It ends at the start of a year.
    pub(crate) fn pem(year: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    /// A certificate that two intermediates and a root stand behind, all PEM.
    pub(crate) struct Chain {
        pub(crate) leaf: String,
        pub(crate) key: String,
        pub(crate) issuer: String,
        pub(crate) above: String,
    }

    pub(crate) fn chain() -> Chain {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("root"), key()).unwrap();
        let above = CertifiedIssuer::signed_by(authority("above"), key(), &root).unwrap();
        let issuer = CertifiedIssuer::signed_by(authority("issuer"), key(), &above).unwrap();
        let leaf_key = key();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "leaf");
        let leaf = params.signed_by(&leaf_key, &issuer).unwrap();
        Chain { leaf: leaf.pem(), key: leaf_key.serialize_pem(), issuer: issuer.pem(), above: above.pem() }
    }

    /// Writes both files, the key for its owner alone.
    pub(crate) fn write(folder: &Path, cert: &str, key: &str) -> TlsFiles {
        let files = TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        std::fs::write(&files.cert, cert).unwrap();
        std::fs::write(&files.key, key).unwrap();
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o600)).unwrap();
        files
    }

    /// A time, µs since the epoch.
    pub(crate) fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::testing::{at, chain, pem, write};
    use super::*;

    fn judge(cert: &str, key: &str) -> Result<ServerCertificate, CertificateError> {
        let folder = tempfile::tempdir().unwrap();
        ServerCertificate::load(&write(folder.path(), cert, key))
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        for year in [2040, 2060] {
            let (cert, key) = pem(year);
            assert_eq!(judge(&cert, &key).unwrap().end, Some(at(&format!("{year}-01-01T00:00:00Z"))));
        }
    }

    #[test]
    fn damage_is_no_panic() {
        let der = CertificateDer::from_pem_slice(pem(2040).0.as_bytes()).unwrap();
        for at in 0..der.len().min(200) {
            assert!(fields(&der[..at]).is_none());
            let mut damaged = der.to_vec();
            damaged[at] ^= 0xff;
            let _any = fields(&damaged);
        }
    }

    #[test]
    fn a_chain_is_judged_by_its_issuers_and_their_order() {
        use CertificateWarning::{IntermediateOrder, MissingIntermediate};
        let made = chain();
        let (leaf, issuer, above) = (&made.leaf, &made.issuer, &made.above);
        for (parts, expected) in [
            (vec![leaf, issuer, above], vec![]),
            (vec![leaf, issuer], vec![]),
            (vec![leaf], vec![MissingIntermediate]),
            (vec![leaf, above], vec![MissingIntermediate]),
            (vec![leaf, above, issuer], vec![IntermediateOrder]),
        ] {
            let text: String = parts.into_iter().map(String::as_str).collect();
            assert_eq!(judge(&text, &made.key).unwrap().warnings, expected);
            assert_eq!(judge(&format!("\u{feff}{text}"), &made.key).unwrap().warnings, expected, "with a BOM");
        }
    }

    #[test]
    fn each_fault_of_a_key_has_a_message_of_its_own() {
        let made = chain();
        let whole = made.leaf.clone() + &made.issuer;
        let (_, other) = pem(2040);
        let swapped = made.issuer.clone() + &made.leaf;
        let pkcs8 = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAA=\n-----END RSA PRIVATE KEY-----\n";
        for (cert, key, expected) in [
            (whole.as_str(), other.as_str(), "belongs to another certificate"),
            (&swapped, &made.key, "belongs to certificate 2 in"),
            (&whole, pkcs8, "is encrypted"),
            (&whole, legacy, "is encrypted"),
            (&whole, &made.leaf, "holds no private key"),
            (&made.key, &made.key, "holds no certificate"),
            ("", &made.key, "holds no certificate"),
        ] {
            let error = judge(cert, key).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_key_that_everybody_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = pem(2040);
        let files = write(folder.path(), &cert, &key);
        std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = ServerCertificate::load(&files).unwrap_err().to_string();
        assert!(
            error.contains("everybody may read") && error.contains("0644") && error.contains("chmod 600"),
            "{error}"
        );
    }
}
