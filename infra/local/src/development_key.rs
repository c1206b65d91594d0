//! The key that signs tokens on this machine: made once, kept in a folder that git ignores.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};

use crate::Problem;

const FOLDER: &str = ".local";
const FILE: &str = "development-key.pem";
const BITS: usize = 2048;

/// A key pair in PEM.
#[derive(Clone)]
pub struct DevelopmentKey {
    /// PKCS #8.
    pub private_pem: String,
    /// SPKI.
    pub public_pem: String,
}

impl DevelopmentKey {
    /// The key kept under this folder; the first time, makes it.
    ///
    /// # Errors
    /// It can be neither read nor made.
    pub fn load(root: &Path) -> Result<Self, Problem> {
        let path = root.join(FOLDER).join(FILE);
        if !path.exists() {
            let key = Self::generate()?;
            keep(&path, &key.private_pem).map_err(|error| Problem::new("cannot keep the development key", error))?;
        }
        let what = format!("cannot read the development key {FOLDER}/{FILE}");
        let pem = fs::read_to_string(&path).map_err(|error| Problem::new(&what, error))?;
        let key = RsaPrivateKey::from_pkcs8_pem(&pem);
        Self::of(&key.map_err(|_| Problem::new(&what, "it is not a private key in PEM; delete it for a new one"))?)
    }

    /// A new key.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn generate() -> Result<Self, Problem> {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS);
        Self::of(&key.map_err(|error| Problem::new("cannot make a development key", error))?)
    }

    fn of(key: &RsaPrivateKey) -> Result<Self, Problem> {
        let unwritable = |error: &dyn std::fmt::Display| Problem::new("cannot write the development key", error);
        let private_pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| unwritable(&error))?;
        let public_pem = key.to_public_key().to_public_key_pem(LineEnding::LF).map_err(|error| unwritable(&error))?;
        Ok(Self { private_pem: private_pem.to_string(), public_pem })
    }
}

/// Keeps the key unless another process was faster: the file appears whole, and once.
fn keep(path: &Path, pem: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let draft = folder.join(format!("{FILE}.{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()?;
    let kept = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    fs::remove_file(&draft)?;
    kept
}
