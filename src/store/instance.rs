//! The name of this history, by which receivers tell its counters from another machine's. Made once, and it goes where
//! the file goes: a backup that takes the file's place has the same counters and so the same name.

use std::sync::Arc;

use rusqlite::Connection;

use super::connection::{meta, set_meta};
use super::{Readers, StoreError};

/// The name, made if there is none: a random UUID (RFC 9562 §5.4).
pub(super) fn instance(db: &Connection) -> Result<Arc<str>, StoreError> {
    if let Some(name) = meta::<String>(db, "instance")? {
        return Ok(name.into());
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Unavailable(format!("no random numbers: {error}")))?;
    let name = uuid(bytes);
    set_meta(db, "instance", &name)?;
    Ok(name.into())
}

impl Readers {
    /// The name of this history; none before it was first opened for writing.
    pub fn instance(&self) -> Result<Option<String>, StoreError> {
        self.with(|db| meta(db, "instance"))
    }
}

/// Random bytes in the form of a version 4 UUID.
fn uuid(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let marked = (number & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{marked:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| hex.get(range).unwrap_or_default());
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_that_of_a_random_uuid() {
        assert_eq!(uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
    }

    #[test]
    fn the_name_stays() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch("CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT").unwrap();
        let name = instance(&db).unwrap();
        assert_eq!(instance(&db).unwrap(), name);
        assert_eq!(name.len(), 36);
    }
}
