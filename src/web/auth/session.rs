//! Who is logged in with a browser. A session is a random id in a cookie, of which only the hash is kept; it ends after
//! twelve hours without use, after seven days, at the logout, and with the password it was begun under. It survives a
//! restart in a file beside the database, for the owner alone.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::password::hex;
use crate::event::UnixMillis;
use crate::platform;

/// How long a session lasts without use, in milliseconds.
pub const IDLE_MS: i64 = 12 * 3_600_000;
/// How long a session lasts at most, in milliseconds.
pub const ABSOLUTE_MS: i64 = 7 * 86_400_000;
/// How many there may be; the one unused for longest makes way.
const MOST: usize = 100;
/// Use is written down this often, in milliseconds; a crash forgets no more of it.
const WRITE_MS: i64 = 300_000;
/// No file of ours is larger, in bytes.
const LONGEST_FILE: u64 = 256 * 1024;

/// The sessions, in memory and in their file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: Option<PathBuf>,
    list: Mutex<List>,
    /// Held while the file is written.
    writing: Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct List {
    password_version: String,
    sessions: Vec<Session>,
    written: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// SHA-256 of the id, in hexadecimal digits.
    id: String,
    begun_ms: i64,
    used_ms: i64,
}

/// The form of the file.
#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    password_version: String,
    sessions: Vec<Session>,
}

impl Session {
    /// A clock that was set back makes no session older than it is.
    fn lives(&self, now: UnixMillis) -> bool {
        now.0 - self.used_ms < IDLE_MS && now.0 - self.begun_ms < ABSOLUTE_MS
    }
}

impl Sessions {
    /// Those of a file that were begun under this password. What cannot be read is as good as nothing: people log in again.
    pub fn load(path: Option<&Path>, password_version: String) -> Self {
        let sessions = match path.map(read) {
            Some(Ok(file)) if file.version == 1 && file.password_version == password_version => file.sessions,
            None | Some(Ok(_)) => Vec::new(),
            Some(Err(error)) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, "the sessions cannot be read; everybody has to log in again");
                }
                Vec::new()
            }
        };
        let sessions = sessions.into_iter().take(MOST).collect();
        let list = Mutex::new(List { password_version, sessions, written: 0 });
        Self(Arc::new(Shared { path: path.map(Path::to_owned), list, writing: Mutex::default() }))
    }

    /// A new session; its id goes to the client and nowhere else. `None`: the system has no random numbers.
    pub fn begin(&self, now: UnixMillis) -> Option<String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        let id = hex(&bytes);
        let mut list = self.list();
        list.sessions.retain(|session| session.lives(now));
        while list.sessions.len() >= MOST {
            let oldest = (0..list.sessions.len()).min_by_key(|index| list.sessions[*index].used_ms)?;
            list.sessions.swap_remove(oldest);
        }
        list.sessions.push(Session { id: digest(&id), begun_ms: now.0, used_ms: now.0 });
        Some(id)
    }

    /// Whether the id is that of a living session, which is thereby used. `Some(true)`: it is time to write that down.
    pub fn touch(&self, id: &str, now: UnixMillis) -> Option<bool> {
        let id = digest(id);
        let mut list = self.list();
        let session = list.sessions.iter_mut().find(|session| session.id == id && session.lives(now))?;
        session.used_ms = session.used_ms.max(now.0);
        let due = now.0 - list.written >= WRITE_MS;
        if due {
            list.written = now.0;
        }
        Some(due)
    }

    /// Ends a session. `false`: there was none.
    pub fn end(&self, id: &str) -> bool {
        let id = digest(id);
        let mut list = self.list();
        let before = list.sessions.len();
        list.sessions.retain(|session| session.id != id);
        list.sessions.len() < before
    }

    /// Writes the file; waits for the disk.
    pub fn save(&self, now: UnixMillis) {
        let Some(path) = &self.0.path else { return };
        let _turn = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let file = {
            let mut list = self.list();
            list.written = now.0;
            list.sessions.retain(|session| session.lives(now));
            File { version: 1, password_version: list.password_version.clone(), sessions: list.sessions.clone() }
        };
        let written = serde_json::to_vec(&file).map_err(io::Error::other);
        if let Err(error) = written.and_then(|text| platform::replace_private_file(path, &text)) {
            tracing::warn!(%error, "the sessions cannot be written; after a restart people have to log in again");
        }
    }

    fn list(&self) -> std::sync::MutexGuard<'_, List> {
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &Path) -> io::Result<File> {
    let (file, _) = platform::open_regular(path)?;
    if platform::is_shared(&file)? {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may read or write the file"));
    }
    let mut text = Vec::new();
    file.take(LONGEST_FILE).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// What is kept of an id. Whoever reads the file cannot log in with it.
fn digest(id: &str) -> String {
    hex(&Sha256::digest(id.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_438_800_000);

    fn at(ms: i64) -> UnixMillis {
        UnixMillis(NOW.0 + ms)
    }

    fn sessions(path: &Path, password: &str) -> Sessions {
        Sessions::load(Some(path), password.to_owned())
    }

    #[test]
    fn a_session_survives_a_restart_but_not_a_new_password() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("monitor.sessions");
        let first = sessions(&path, "v1");
        let id = first.begin(NOW).unwrap();
        first.save(NOW);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&id), "only its hash");
        assert!(sessions(&path, "v1").touch(&id, NOW).is_some());
        assert!(sessions(&path, "v2").touch(&id, NOW).is_none());
        assert!(sessions(&path, "v1").touch("other", NOW).is_none());
        let restarted = sessions(&path, "v1");
        assert!(restarted.end(&id) && !restarted.end(&id));
        restarted.save(NOW);
        assert!(sessions(&path, "v1").touch(&id, NOW).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_the_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("monitor.sessions");
        let id = {
            let sessions = sessions(&path, "v1");
            let id = sessions.begin(NOW).unwrap();
            sessions.save(NOW);
            sessions.save(NOW);
            id
        };
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(sessions(&path, "v1").touch(&id, NOW).is_none(), "somebody may have written it");
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "{").unwrap();
        assert!(sessions(&path, "v1").touch(&id, NOW).is_none());
    }

    #[test]
    fn idle_and_old_sessions_end() {
        let sessions = Sessions::load(None, "v1".to_owned());
        let id = sessions.begin(NOW).unwrap();
        assert!(sessions.touch(&id, at(IDLE_MS - 1)).is_some());
        assert!(sessions.touch(&id, at(2 * IDLE_MS - 2)).is_some(), "used in between");
        assert!(sessions.touch(&id, at(3 * IDLE_MS)).is_none());
        let id = sessions.begin(NOW).unwrap();
        for ms in (0..ABSOLUTE_MS).step_by(3_600_000) {
            assert!(sessions.touch(&id, at(ms)).is_some());
        }
        assert!(sessions.touch(&id, at(ABSOLUTE_MS)).is_none());
    }

    #[test]
    fn a_hundred_at_most() {
        let sessions = Sessions::load(None, "v1".to_owned());
        let ids: Vec<_> = (0..=100).map(|n| sessions.begin(at(n)).unwrap()).collect();
        assert!(sessions.touch(&ids[0], at(101)).is_none(), "unused for longest");
        assert!(ids[1..].iter().all(|id| sessions.touch(id, at(101)).is_some()));
    }

    #[test]
    fn use_is_written_down_now_and_then() {
        let sessions = Sessions::load(None, "v1".to_owned());
        let id = sessions.begin(NOW).unwrap();
        assert_eq!(sessions.touch(&id, NOW), Some(true));
        assert_eq!(sessions.touch(&id, at(1)), Some(false));
        assert_eq!(sessions.touch(&id, at(WRITE_MS)), Some(true));
    }
}
