//! Recognises a file that was read before, by what is in it. A path or an inode alone proves nothing: both are reused.

use std::io::{self, Read, Seek, SeekFrom};

use xxhash_rust::xxh3::xxh3_64;

use crate::platform::FileStat;
use crate::plugin::Checkpoint;

/// How many of a file's first bytes are remembered.
const HEAD: usize = 1024;
/// How many of the bytes just before the position are remembered.
const MARKER: usize = 64;

/// The first and the last of the bytes that were read. Two files with equal fingerprints at one position are the same
/// up to there, unless somebody edits the middle without moving anything (which [`judge`] tells by size and time).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint {
    head: Vec<u8>,
    last: Vec<u8>,
}

impl Fingerprint {
    /// Takes in the bytes that come next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(MARKER)..]);
        self.last.drain(..self.last.len().saturating_sub(MARKER));
    }

    /// Writes the hashes into the checkpoint whose offset is where these bytes end.
    pub(super) fn store(&self, checkpoint: &mut Checkpoint) {
        checkpoint.head_len = self.head.len() as u64;
        checkpoint.head_hash = xxh3_64(&self.head);
        checkpoint.tail_hash = xxh3_64(&self.last);
    }
}

/// What is to be done with a file of which something was read before.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is still what was read, with perhaps more behind it.
    Continue(Fingerprint),
    /// Both ends of what was read and the size are the same, but it was written since. Somebody edits its middle in place
    /// or touches it; or an append is under way, which moves the time first and the size a moment later.
    Doubt(Fingerprint),
    /// It is something else now and has to be read from the start. Why, in words.
    Restart(&'static str),
}

/// Whether the file system says the same of the file as when it was last read to its end.
pub(super) fn is_untouched(known: &Checkpoint, now: &FileStat) -> bool {
    let Checkpoint { device, inode, size, mtime_ns, ctime_ns, .. } = *known;
    *now == FileStat { device, inode, size, mtime_ns, ctime_ns }
}

/// Compares an open file with what is remembered of it.
pub(super) fn judge(file: &mut (impl Read + Seek), now: &FileStat, known: &Checkpoint) -> io::Result<Verdict> {
    if now.size < known.offset {
        return Ok(Verdict::Restart("it is shorter than what was read"));
    }
    if known.offset == 0 {
        return Ok(Verdict::Continue(Fingerprint::default()));
    }
    let head_len = usize::try_from(known.head_len).map_or(HEAD, |len| len.min(HEAD));
    let marker_len = usize::try_from(known.offset).map_or(MARKER, |len| len.min(MARKER));
    let head = read_at(file, 0, head_len)?;
    let last = read_at(file, known.offset - marker_len as u64, marker_len)?;
    Ok(match (head, last) {
        (Some(head), _) if xxh3_64(&head) != known.head_hash => Verdict::Restart("its beginning is different"),
        (Some(_), Some(last)) if last.last() != Some(&b'\n') || xxh3_64(&last) != known.tail_hash => {
            Verdict::Restart("what stands before the position is different")
        }
        (Some(head), Some(last)) => {
            let fingerprint = Fingerprint { head, last };
            let is_doubtful = now.size == known.size && now.mtime_ns != known.mtime_ns;
            if is_doubtful { Verdict::Doubt(fingerprint) } else { Verdict::Continue(fingerprint) }
        }
        _ => Verdict::Restart("it shrank while it was looked at"),
    })
}

/// Whether an open file begins as the one that is remembered, and something is remembered.
pub(super) fn begins_like(file: &mut (impl Read + Seek), known: &Checkpoint) -> io::Result<bool> {
    let head_len = usize::try_from(known.head_len).map_or(HEAD, |len| len.min(HEAD));
    Ok(head_len > 0 && read_at(file, 0, head_len)?.is_some_and(|head| xxh3_64(&head) == known.head_hash))
}

/// The bytes at a position; `None` where the file ends before them.
fn read_at(file: &mut (impl Read + Seek), at: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; len];
    file.seek(SeekFrom::Start(at))?;
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn stat(bytes: &[u8], mtime_ns: i64) -> FileStat {
        FileStat { device: 1, inode: 2, size: bytes.len() as u64, mtime_ns, ctime_ns: mtime_ns }
    }

    /// A checkpoint after reading all whole lines of `bytes` at time 1.
    fn read(bytes: &[u8]) -> Checkpoint {
        let offset = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        let FileStat { device, inode, size, mtime_ns, ctime_ns } = stat(bytes, 1);
        let offset_bytes = offset as u64;
        let mut known =
            Checkpoint { device, inode, size, mtime_ns, ctime_ns, offset: offset_bytes, ..Checkpoint::default() };
        let mut fingerprint = Fingerprint::default();
        // In pieces, since that is how files are read.
        bytes[..offset].chunks(7).for_each(|piece| fingerprint.push(piece));
        fingerprint.store(&mut known);
        known
    }

    fn check(before: &[u8], after: &[u8], mtime_ns: i64, expected: Option<&str>) {
        let verdict = judge(&mut Cursor::new(after), &stat(after, mtime_ns), &read(before)).unwrap();
        match (&verdict, expected) {
            (Verdict::Continue(_), None) | (Verdict::Doubt(_), Some("doubt")) => {}
            (Verdict::Restart(why), Some(part)) if why.contains(part) => {}
            _ => panic!("{verdict:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn appending_continues() {
        let long = [b"x".repeat(100), b"\n".to_vec()].concat().repeat(40);
        check(b"", b"", 2, None);
        check(b"", b"a\n", 2, None);
        check(b"half", b"half a line\n", 2, None);
        check(b"a\n", b"a\nb\n", 2, None);
        check(b"a\nhal", b"a\nhalf\n", 2, None);
        check(&long, &[&long, &b"more\n"[..]].concat(), 2, None);
        check(b"a\n", b"a\n", 1, None);
    }

    #[test]
    fn another_content_starts_over() {
        let long = [b"x".repeat(100), b"\n".to_vec()].concat().repeat(40);
        let with = |place: usize| {
            let mut other = long.clone();
            other[place] = b'y';
            other
        };
        check(&long, &long[..101], 2, Some("shorter"));
        check(&long, &with(5), 2, Some("beginning"));
        check(&long, &[with(5), b"grown\n".to_vec()].concat(), 2, Some("beginning"));
        check(&long, &[with(long.len() - 20), b"grown\n".to_vec()].concat(), 2, Some("before the position"));
        check(&long, &with(2000), 2, Some("doubt"));
        check(&long, &long, 2, Some("doubt"));
        check(b"aa\nbb\n", b"aa\nbbcc\n", 2, Some("beginning"));
    }

    #[test]
    fn a_file_that_shrinks_under_our_eyes_starts_over() {
        let before = b"first\nsecond\n";
        let seen = stat(before, 1);
        let verdict = judge(&mut Cursor::new(b"fi"), &seen, &read(before)).unwrap();
        assert!(matches!(verdict, Verdict::Restart(_)), "{verdict:?}");
    }

    #[test]
    fn a_renamed_file_is_known_by_its_beginning() {
        let known = read(b"first\nsecond\n");
        assert!(begins_like(&mut Cursor::new(b"first\nsecond\nthird\n"), &known).unwrap());
        assert!(!begins_like(&mut Cursor::new(b"other\nsecond\n"), &known).unwrap());
        assert!(!begins_like(&mut Cursor::new(b"first"), &known).unwrap());
        assert!(!begins_like(&mut Cursor::new(b"anything"), &read(b"")).unwrap(), "nothing remembered proves nothing");
    }
}
