//! Where a push stopped, so that the next one goes on from there: a small file beside the database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::platform;

/// Positions by what is pushed where.
pub struct Resume {
    path: PathBuf,
    key: String,
}

/// So many targets are remembered; the oldest names go first.
const MOST: usize = 64;

impl Resume {
    /// Of one target; `key` says all that makes it another one.
    pub fn new(database: &Path, key: &str) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".backfill");
        Self { path: name.into(), key: key.to_owned() }
    }

    /// What has arrived there.
    pub fn position(&self) -> Option<i64> {
        self.read().get(&self.key).copied()
    }

    /// Remembers what has arrived. That it could not is said once it matters: in the log.
    pub fn set(&self, position: i64) {
        let mut all = self.read();
        while all.len() >= MOST && !all.contains_key(&self.key) {
            all.pop_first();
        }
        all.insert(self.key.clone(), position);
        if let Err(error) = self.write(&all) {
            tracing::debug!("{} cannot be written: {error}", self.path.display());
        }
    }

    fn read(&self) -> BTreeMap<String, i64> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn write(&self, all: &BTreeMap<String, i64>) -> std::io::Result<()> {
        use std::io::Write;
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let new = PathBuf::from(name);
        if new.exists() {
            std::fs::remove_file(&new)?;
        }
        let mut file = platform::create_private_file(&new)?;
        file.write_all(serde_json::to_string(all)?.as_bytes())?;
        std::fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_remembered_by_target() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("monitor.db");
        let (one, other) = (Resume::new(&database, "one"), Resume::new(&database, "other"));
        assert_eq!(one.position(), None);
        one.set(5);
        other.set(7);
        one.set(6);
        assert_eq!((one.position(), other.position()), (Some(6), Some(7)));
        std::fs::write(folder.path().join("monitor.db.backfill"), "{").unwrap();
        assert_eq!(one.position(), None, "what cannot be read is as if it were not there");
    }
}
