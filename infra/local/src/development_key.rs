//! The development keys, in a folder that git ignores. The current key signs tokens. After a rotation, tokens of the former
//! key still verify.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};

use crate::Problem;

const FOLDER: &str = ".local";
const FILE: &str = "development-key.pem";
const FORMER_FILE: &str = "former-development-key.pem";
const TOKEN_FILE: &str = "scim-token";
const BITS: usize = 2048;

/// A key pair in PEM.
#[derive(Clone)]
pub struct DevelopmentKey {
    /// The `kid` of its tokens: its thumbprint (RFC 7638).
    pub id: String,
    /// PKCS #8.
    pub private_pem: String,
    /// SPKI.
    pub public_pem: String,
}

/// The keys whose tokens verify.
pub struct DevelopmentKeys {
    /// Signs new tokens.
    pub current: DevelopmentKey,
    /// Signed tokens before the last rotation.
    pub former: Option<DevelopmentKey>,
}

impl DevelopmentKeys {
    /// Reads the keys below this folder and, the first time, generates one.
    ///
    /// # Errors
    /// The keys cannot be read or written.
    pub fn load(root: &Path) -> Result<Self, Problem> {
        let folder = root.join(FOLDER);
        let path = folder.join(FILE);
        if !path.exists() {
            let key = DevelopmentKey::generate()?;
            keep(&path, &key.private_pem).map_err(|error| Problem::new("cannot keep the development key", error))?;
        }
        let former = folder.join(FORMER_FILE).exists().then(|| DevelopmentKey::read(&folder, FORMER_FILE));
        Ok(Self { current: DevelopmentKey::read(&folder, FILE)?, former: former.transpose()? })
    }

    /// Generates a new current key. The current one becomes the former key; an older one is dropped.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn rotate(root: &Path) -> Result<Self, Problem> {
        Self::load(root)?;
        let folder = root.join(FOLDER);
        let moved = fs::rename(folder.join(FILE), folder.join(FORMER_FILE));
        moved.map_err(|error| Problem::new("cannot rename the development key", error))?;
        Self::load(root)
    }

    /// Returns both keys.
    pub fn all(&self) -> impl Iterator<Item = &DevelopmentKey> {
        std::iter::once(&self.current).chain(&self.former)
    }
}

impl DevelopmentKey {
    fn read(folder: &Path, file: &str) -> Result<Self, Problem> {
        let failed = format!("cannot read the development key {FOLDER}/{file}");
        let pem = fs::read_to_string(folder.join(file)).map_err(|error| Problem::new(&failed, error))?;
        let key = RsaPrivateKey::from_pkcs8_pem(&pem);
        Self::of(&key.map_err(|_| Problem::new(&failed, "it is not a private key in PEM; delete it for a new one"))?)
    }

    /// Generates a key.
    ///
    /// # Errors
    /// The operating system has no randomness.
    pub fn generate() -> Result<Self, Problem> {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS);
        Self::of(&key.map_err(|error| Problem::new("cannot make a development key", error))?)
    }

    fn of(key: &RsaPrivateKey) -> Result<Self, Problem> {
        let unwritable = |error: &dyn std::fmt::Display| Problem::new("cannot write the development key", error);
        let private_pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| unwritable(&error))?;
        let public_pem = key.to_public_key().to_public_key_pem(LineEnding::LF).map_err(|error| unwritable(&error))?;
        let id = EncodingKey::from_rsa_pem(private_pem.as_bytes())
            .and_then(|key| Jwk::from_encoding_key(&key, Algorithm::RS256)?.thumbprint(ThumbprintHash::SHA256))
            .map_err(|error| unwritable(&error))?;
        Ok(Self { id, private_pem: private_pem.to_string(), public_pem })
    }
}

/// Reads the long-lived token below this folder and, the first time, generates one: 256 random bits.
///
/// # Errors
/// The token cannot be read or written.
pub fn long_lived_token(root: &Path) -> Result<String, Problem> {
    let path = root.join(FOLDER).join(TOKEN_FILE);
    let failed = |error| Problem::new(format!("cannot keep the token {FOLDER}/{TOKEN_FILE}"), error);
    if !path.exists() {
        let mut bits = [0; 32];
        rsa::rand_core::RngCore::fill_bytes(&mut rsa::rand_core::OsRng, &mut bits);
        keep(&path, &URL_SAFE_NO_PAD.encode(bits)).map_err(failed)?;
    }
    Ok(fs::read_to_string(&path).map_err(failed)?.trim().to_owned())
}

/// Writes the key unless another process was faster. The link makes the file appear complete and only once.
fn keep(path: &Path, pem: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!("{name}.{}", std::process::id()));
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
