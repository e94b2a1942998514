//! The key of a node, and the certificate that it makes itself.

use overlay::Id;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Longest key file that is read; ours have about 250 bytes.
const MAX_KEY_FILE_BYTES: u64 = 16 << 10;

/// Why a key cannot be used. No file was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file holds something else.
    #[error(
        "the key file {} is damaged ({reason}); restore it from a copy, or move it away to get a new key and with it a new id",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file cannot be read.
    #[error("the key file {} cannot be read ({source}); check who owns it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("the key file {} cannot be written ({source}); name another directory with --data-dir", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cryptographic library failed.
    #[error("no key could be made: {0}")]
    Library(String),
}

/// An Ed25519 key with its certificate.
#[derive(Debug)]
pub struct Identity {
    id: Id,
    key_der: Vec<u8>,
    certificate: CertificateDer<'static>,
}

impl Identity {
    /// A new key that is kept nowhere: for clients and tests.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn ephemeral() -> Result<Self, IdentityError> {
        Self::from_key(&new_key()?)
    }

    /// The key in `path`; a new one is written there when the file does not exist.
    ///
    /// # Errors
    /// When the file is damaged, or cannot be read or written. It is never overwritten.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        match fs::metadata(path) {
            Ok(_) => Self::load(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            Err(source) => Err(IdentityError::Unreadable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// The key in `path`.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let unreadable = |source| IdentityError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let damaged = |reason: &str| IdentityError::Damaged {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        if fs::metadata(path).map_err(unreadable)?.len() > MAX_KEY_FILE_BYTES {
            return Err(damaged("it is too long"));
        }
        let bytes = fs::read(path).map_err(unreadable)?;
        let text = String::from_utf8(bytes).map_err(|_| damaged("it is not PEM text"))?;
        let key = KeyPair::from_pem(&text).map_err(|_| damaged("it holds no PKCS#8 key in PEM"))?;
        if key.algorithm() != &PKCS_ED25519 {
            return Err(damaged("its key is not of the kind Ed25519"));
        }
        Self::from_key(&key)
    }

    /// Writes a new key, complete or not at all, readable by its owner only.
    fn create(path: &Path) -> Result<Self, IdentityError> {
        let key = new_key()?;
        let unwritable = |source| IdentityError::Unwritable {
            path: path.to_owned(),
            source,
        };
        let unfinished = path.with_extension("key.new");
        let write = || -> io::Result<()> {
            let _ = fs::remove_file(&unfinished);
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(key.serialize_pem().as_bytes())?;
            file.sync_all()?;
            // A link fails when the name exists: a key that appeared meanwhile is kept.
            fs::hard_link(&unfinished, path)?;
            fs::remove_file(&unfinished)
        };
        write().map_err(unwritable)?;
        Self::from_key(&key)
    }

    fn from_key(key: &KeyPair) -> Result<Self, IdentityError> {
        let library = |error: rcgen::Error| IdentityError::Library(error.to_string());
        let names = vec![super::SERVER_NAME.to_owned()];
        let params = CertificateParams::new(names).map_err(library)?;
        let certificate = params.self_signed(key).map_err(library)?;
        Ok(Self {
            id: Id::of(&key.subject_public_key_info()),
            key_der: key.serialize_der(),
            certificate: certificate.der().clone(),
        })
    }

    /// The id: SHA-1 of the public key (SubjectPublicKeyInfo, DER).
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// What the TLS library wants.
    pub(super) fn chain_and_key(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key_der.clone());
        (vec![self.certificate.clone()], PrivateKeyDer::Pkcs8(key))
    }

    /// Key of the tokens by which a restarted node tells its peers that it has forgotten their
    /// connections (stateless resets, RFC 9000, section 10.3): the same after every restart.
    #[must_use]
    pub fn reset_key(&self) -> ring::hmac::Key {
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &self.key_der);
        let derived = ring::hmac::sign(&secret, b"p2pnode stateless reset");
        ring::hmac::Key::new(ring::hmac::HMAC_SHA256, derived.as_ref())
    }
}

fn new_key() -> Result<KeyPair, IdentityError> {
    KeyPair::generate_for(&PKCS_ED25519).map_err(|error| IdentityError::Library(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_id_survives_a_restart() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("node.key");
        let first = Identity::load_or_create(&path).unwrap();
        let second = Identity::load_or_create(&path).unwrap();
        assert_eq!(first.id(), second.id());
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::read_dir(temp.path()).unwrap().count(),
            1,
            "a file was left over"
        );
    }

    #[test]
    fn the_id_in_the_certificate_is_the_id_of_the_key() {
        let identity = Identity::ephemeral().unwrap();
        let in_certificate = super::super::verify::id_of_certificate(&identity.certificate);
        assert_eq!(in_certificate, Some(identity.id()));
    }

    #[test]
    fn a_damaged_key_is_named_and_kept() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("node.key");
        for content in [
            &b"not a key"[..],
            b"",
            &[0xff, 0xfe],
            b"-----BEGIN PRIVATE KEY-----\nAAAA",
        ] {
            fs::write(&path, content).unwrap();
            let error = Identity::load_or_create(&path).unwrap_err();
            assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains("node.key"), "{error}");
            assert_eq!(
                fs::read(&path).unwrap(),
                content,
                "the damaged key was changed"
            );
        }
    }
}
