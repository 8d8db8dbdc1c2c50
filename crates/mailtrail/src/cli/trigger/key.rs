//! The key that signs samples: from a file, made there, or for one time only.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use sendgrid_simulator::Signer;

/// Reads the key, or makes one and tells its public key on stderr.
pub(super) fn signer(file: Option<&Path>) -> anyhow::Result<Signer> {
    let Some(file) = file else {
        let signer = Signer::generate()?;
        tell(
            &signer,
            "signing with a key made for this time only (--key-file FILE keeps one, --unsigned does without)",
        )?;
        return Ok(signer);
    };
    match std::fs::read(file) {
        Ok(key) => Signer::from_pkcs8(&key).with_context(|| format!("reading the key {}", file.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => create(file),
        Err(error) => Err(error).with_context(|| format!("reading the key {}", file.display())),
    }
}

fn create(file: &Path) -> anyhow::Result<Signer> {
    let signer = Signer::generate()?;
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("creating the key {}", file.display()))?;
    out.write_all(signer.to_pem()?.as_bytes()).with_context(|| format!("writing the key {}", file.display()))?;
    tell(&signer, &format!("made the key {}", file.display()))?;
    Ok(signer)
}

fn tell(signer: &Signer, what: &str) -> std::io::Result<()> {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{what}")?;
    writeln!(stderr, "public key, for test_public_keys under [receive]: {}", signer.public_key())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_missing_file_is_made_for_its_owner_alone_and_read_the_next_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key.pem");
        let made = signer(Some(&file)).expect("made");
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(signer(Some(&file)).expect("read").public_key(), made.public_key());
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "shopping").expect("written");
        let error = signer(Some(&file)).expect_err("no key");
        assert!(format!("{error:#}").contains("notes.txt: the key is not a PKCS#8"), "{error:#}");
        assert_eq!(std::fs::read(&file).expect("there"), b"shopping");
    }
}
