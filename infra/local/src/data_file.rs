//! The files of a server with `--data`: they hold names and addresses, so only their owner reads them, and one server uses them at
//! a time.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::Problem;

/// Read and written by the owner only.
const OWNER_ONLY: u32 = 0o600;

/// Creates a file that only its owner reads, or makes an existing one such a file. SQLite gives its other files the same mode.
///
/// # Errors
/// It cannot be opened.
pub fn make_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).mode(OWNER_ONLY).open(path)?;
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    Ok(file)
}

/// Holds the data file until the value is dropped or the process ends, however that happens.
///
/// # Errors
/// Another server holds it, or it cannot be opened.
pub fn hold(path: &Path) -> Result<File, Problem> {
    let name = path.display();
    let file = make_private(path).map_err(|error| Problem::new(format!("cannot open the data file {name}"), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Problem(format!("another server uses the data file {name}"))),
        Err(TryLockError::Error(error)) => Err(Problem::new(format!("cannot lock the data file {name}"), error)),
    }
}
