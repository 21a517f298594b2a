//! Secrets in files of our own: made once, for the owner alone, and never with anybody else's rights.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::password::hex;
use crate::platform;

/// Why a secret of our own cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("others may read or write {}; take their rights away (chmod 600) or remove it, and a new one is made", .0.display())]
    Shared(PathBuf),
    #[error("{} is no secret of this program; remove it, and a new one is made", .0.display())]
    Foreign(PathBuf),
}

/// Bytes of a secret that is made here; written as twice as many digits.
const BYTES: usize = 32;

/// The secret in a file, made now if there is none.
pub fn load_or_make(path: &Path) -> Result<String, SecretError> {
    match make(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => load(path),
        outcome => outcome.map_err(|source| SecretError::Io { path: path.to_owned(), source }),
    }
}

fn make(path: &Path) -> io::Result<String> {
    if let Some(parent) = path.parent() {
        platform::create_private_dir(parent)?;
    }
    let mut file = platform::create_private_file(path)?;
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let secret = hex(&bytes);
    file.write_all(format!("{secret}\n").as_bytes())?;
    file.sync_all()?;
    Ok(secret)
}

fn load(path: &Path) -> Result<String, SecretError> {
    let failed = |source| SecretError::Io { path: path.to_owned(), source };
    let (file, _) = platform::open_regular(path).map_err(failed)?;
    if platform::is_shared(&file).map_err(failed)? {
        return Err(SecretError::Shared(path.to_owned()));
    }
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text).map_err(failed)?;
    let secret = text.trim();
    if secret.len() != 2 * BYTES || !secret.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(SecretError::Foreign(path.to_owned()));
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/monitor.jwt-secret");
        let secret = load_or_make(&path).unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(load_or_make(&path).unwrap(), secret);
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_read_or_nobody_made_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        load_or_make(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(load_or_make(&path), Err(SecretError::Shared(_))), "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "your-secret-key-here").unwrap();
        assert!(matches!(load_or_make(&path), Err(SecretError::Foreign(_))));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(load_or_make(&path).is_err(), "a link is not followed");
    }
}
