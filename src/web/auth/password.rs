//! The one password, as an argon2id hash in PHC form, and the work of comparing with it: slow and hungry on purpose, so
//! it is never done on the async runtime, never twice at once, and never for a long queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, Params};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, oneshot};

/// No password is longer, in bytes; hashing one is work that a stranger can ask for.
pub const LONGEST: usize = 1024;

/// The shortest that a new password may be, in characters (NIST SP 800-63B, section 3.1.1).
pub const SHORTEST: usize = 8;

/// No hash may ask for more memory than this, in KiB.
const MOST_MEMORY: u32 = 128 * 1024;

/// How many may wait for their comparison.
const QUEUE: usize = 8;

/// A password's hash that can be compared with.
#[derive(Clone, Debug)]
pub struct PasswordHash(Arc<Phc>);

/// Why a text is no hash to compare with. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHash {
    #[error(
        "it is a bare SHA-256 sum, which is guessed in no time; make a new one with `claude-token-monitor auth hash`"
    )]
    BareSha256,
    #[error(
        "it is no argon2id hash in PHC form ($argon2id$v=19$…); make one with `claude-token-monitor auth hash`. In a \
         compose file every $ has to be written $$; a file named in MONITOR_PASSWORD_HASH_FILE needs no such care"
    )]
    NotArgon2id,
    #[error("it asks for more than 128 MiB of memory a login; make a new one with `claude-token-monitor auth hash`")]
    TooHungry,
}

/// Why a new password cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    #[error("a password needs at least {SHORTEST} characters")]
    TooShort,
    #[error("a password has at most {LONGEST} bytes")]
    TooLong,
    #[error("hashing failed")]
    Failed,
}

impl PasswordHash {
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        let text = text.trim();
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidHash::BareSha256);
        }
        if !text.starts_with("$argon2id$") {
            return Err(InvalidHash::NotArgon2id);
        }
        let hash = Phc::new(text).map_err(|_| InvalidHash::NotArgon2id)?;
        let params = Params::try_from(&hash).map_err(|_| InvalidHash::NotArgon2id)?;
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err(InvalidHash::NotArgon2id);
        }
        if params.m_cost() > MOST_MEMORY {
            return Err(InvalidHash::TooHungry);
        }
        Ok(Self(Arc::new(hash)))
    }

    /// Changes whenever the password does; says nothing about it. Sessions and tokens carry it, so that a new password
    /// ends them all.
    pub fn version(&self) -> String {
        let sum =
            Sha256::new_with_prefix("claude-token-monitor key version\0").chain_update(self.0.to_string()).finalize();
        hex(&sum[..8])
    }

    /// Compares, in tens of milliseconds. The answer takes the same time whatever is wrong.
    fn matches(&self, password: &[u8]) -> bool {
        let (fits, password) = match password.get(..LONGEST) {
            Some(start) if password.len() > LONGEST => (false, start),
            _ => (true, password),
        };
        let equal = Argon2::default().verify_password(password, self.0.as_ref()).is_ok();
        fits && equal
    }
}

/// The hash of a new password, in PHC form: argon2id with 19 MiB, two passes and one lane, as OWASP's password storage
/// cheat sheet has it.
pub fn hash(password: &str) -> Result<String, BadPassword> {
    if password.chars().count() < SHORTEST {
        return Err(BadPassword::TooShort);
    }
    if password.len() > LONGEST {
        return Err(BadPassword::TooLong);
    }
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| BadPassword::Failed)?;
    Ok(hash.to_string())
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Compares passwords one after the other.
#[derive(Debug)]
pub struct Verifier {
    turn: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// Too many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl Default for Verifier {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), waiting: Arc::default() }
    }
}

impl Verifier {
    pub async fn matches(&self, hash: &PasswordHash, password: String) -> Result<bool, Busy> {
        let place = Place::take(&self.waiting)?;
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| Busy)?;
        let (hash, (answer, answered)) = (hash.clone(), oneshot::channel());
        // A thread for this alone, which ends with it. Each thread of a pool would keep the memory it once needed, and a
        // client that hangs up meanwhile must not let the next one begin: place and turn go with the work.
        let work = move || {
            let equal = hash.matches(password.as_bytes());
            drop((turn, place));
            answer.send(equal).ok();
        };
        std::thread::Builder::new().name("password".to_owned()).spawn(work).map_err(|_| Busy)?;
        answered.await.map_err(|_| Busy)
    }
}

/// A place in the queue, the one whose turn it is included; given back when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(waiting: &Arc<AtomicUsize>) -> Result<Self, Busy> {
        let place = Self(Arc::clone(waiting));
        if waiting.fetch_add(1, Ordering::Relaxed) > QUEUE {
            // Dropping the place gives back what was just added.
            drop(place);
            return Err(Busy);
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A hash that needs little memory.
    pub(crate) fn cheap(password: &str) -> String {
        let params = Params::new(8, 1, 1, None).unwrap();
        Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password(password.as_bytes())
            .unwrap()
            .to_string()
    }

    #[test]
    fn only_argon2id_in_phc_form_is_taken() {
        let check =
            |text: &str, expected: InvalidHash| assert_eq!(PasswordHash::parse(text).err(), Some(expected), "{text}");
        check("5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", InvalidHash::BareSha256);
        check("5E884898DA28047151D0E56F8DC6292773603D0D6AABBDD62A11EF721D1542D8", InvalidHash::BareSha256);
        check("", InvalidHash::NotArgon2id);
        check("password", InvalidHash::NotArgon2id);
        check("$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW", InvalidHash::NotArgon2id);
        check("$argon2id$v=19$m=19456,t=2,p=1", InvalidHash::NotArgon2id);
        check("=19=19456,t=2,p=1", InvalidHash::NotArgon2id);
        check("$argon2i$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", InvalidHash::NotArgon2id);
        check("$argon2id$v=19$m=1000000,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", InvalidHash::TooHungry);
        assert!(PasswordHash::parse(&format!(" {}\n", cheap("x"))).is_ok());
    }

    #[test]
    fn what_was_hashed_is_recognised() {
        let text = hash("correct horse").unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let known = PasswordHash::parse(&text).unwrap();
        assert!(known.matches(b"correct horse"));
        assert!(!known.matches(b"correct hors"));
        assert_ne!(known.version(), PasswordHash::parse(&hash("correct horse").unwrap()).unwrap().version());
        assert_eq!((hash("1234567"), hash(&"x".repeat(1025))), (Err(BadPassword::TooShort), Err(BadPassword::TooLong)));
    }

    #[test]
    fn what_is_too_long_never_matches_by_its_start() {
        let longest = "x".repeat(LONGEST);
        let known = PasswordHash::parse(&cheap(&longest)).unwrap();
        assert!(known.matches(longest.as_bytes()));
        assert!(!known.matches(format!("{longest}x").as_bytes()));
    }

    #[test]
    fn only_so_many_wait() {
        let waiting = Arc::default();
        let places: Vec<_> = (0..=QUEUE).map(|_| Place::take(&waiting)).collect();
        assert!(places.iter().all(Result::is_ok));
        assert!(Place::take(&waiting).is_err());
        drop(places);
        assert!(Place::take(&waiting).is_ok());
    }
}
