//! Cuts what a file holds into whole lines, with memory that does not depend on the size of the file. It knows nothing of
//! what the lines say.

use std::io::{self, Read};

use super::identity::Fingerprint;

/// How much is read at a time.
pub(super) const CHUNK: usize = 256 << 10;
/// The longest line that is looked at; real ones with pasted images reach some ten MiB.
const LINE_LIMIT: usize = 64 << 20;
/// A buffer that a long line made larger than this is made small again afterwards.
const KEEP: usize = 4 * CHUNK;

/// What one reading went past.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    /// Bytes of whole lines, their newlines included.
    pub(super) bytes: u64,
    /// Whole lines longer than the limit; their bytes count, their content was not looked at.
    pub(super) oversized: u64,
    /// The end of the file was reached, rather than the limit of this reading.
    pub(super) at_end: bool,
    /// Bytes behind the last newline, which are the beginning of a line.
    pub(super) waiting: u64,
}

/// The buffer between a file and its lines; one per thread, for any number of files.
pub(super) struct LineBuffer {
    bytes: Vec<u8>,
    /// The bytes that were read and not yet passed.
    start: usize,
    end: usize,
    line_limit: usize,
}

impl LineBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, line_limit: LINE_LIMIT }
    }

    /// Gives each whole line, without its newline, to `line`, until about `limit` bytes are passed or the file ends.
    /// `fingerprint` takes in every passed byte. A beginning of a line at the end stays in [`Self::waiting`].
    pub(super) fn read(
        &mut self,
        file: &mut impl Read,
        limit: u64,
        fingerprint: &mut Fingerprint,
        mut line: impl FnMut(&[u8]),
    ) -> io::Result<Passed> {
        let mut passed = Passed::default();
        // While a line over the limit is skipped: its bytes so far, and the fingerprint that includes them.
        let mut skipping = None::<(u64, Fingerprint)>;
        (self.start, self.end) = (0, 0);
        loop {
            let searched = self.end - self.start;
            self.fill(file)?;
            let at_end = self.end == searched;
            let mut passed_to = 0;
            for newline in memchr::memchr_iter(b'\n', &self.bytes[searched..self.end]) {
                let newline = searched + newline;
                if let Some((skipped, with_skipped)) = skipping.take() {
                    passed.bytes += skipped;
                    passed.oversized += 1;
                    *fingerprint = with_skipped;
                } else {
                    line(&self.bytes[passed_to..newline]);
                }
                passed_to = newline + 1;
            }
            passed.bytes += passed_to as u64;
            fingerprint.push(&self.bytes[..passed_to]);
            self.start = passed_to;
            if at_end || passed.bytes >= limit {
                passed.at_end = at_end;
                passed.waiting = (self.end - self.start) as u64;
                if let Some((skipped, _)) = skipping {
                    passed.waiting += skipped;
                    self.start = self.end;
                }
                return Ok(passed);
            }
            if skipping.is_some() || self.end - self.start > self.line_limit {
                let (skipped, with_skipped) = skipping.get_or_insert_with(|| (0, fingerprint.clone()));
                *skipped += (self.end - self.start) as u64;
                with_skipped.push(&self.bytes[self.start..self.end]);
                self.start = self.end;
            }
        }
    }

    /// The beginning of a line that the last reading to the end left over, unless it is too long to be kept.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Moves what is there to the front and reads once behind it.
    fn fill(&mut self, file: &mut impl Read) -> io::Result<()> {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.bytes.len() > KEEP && self.end < CHUNK {
            self.bytes.truncate(CHUNK);
            self.bytes.shrink_to_fit();
        } else if self.end == self.bytes.len() {
            self.bytes.resize((self.end * 2).clamp(CHUNK, self.line_limit + CHUNK), 0);
        }
        loop {
            match file.read(&mut self.bytes[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, as a file on a slow disk may.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(self.1).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn lines(buffer: &mut LineBuffer, file: &mut impl Read, limit: u64) -> (Vec<String>, Passed) {
        let mut lines = Vec::new();
        let keep = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
        let passed = buffer.read(file, limit, &mut Fingerprint::default(), keep).unwrap();
        (lines, passed)
    }

    #[test]
    fn lines_come_whole_whatever_the_pieces() {
        let check = |input: &str, expected: &[&str], waiting: &str| {
            for piece in 1..=input.len() + 1 {
                let mut buffer = LineBuffer::new();
                let (lines, passed) = lines(&mut buffer, &mut Slow(input.as_bytes(), piece), u64::MAX);
                assert_eq!(lines, expected, "{input:?} in pieces of {piece}");
                assert_eq!(buffer.waiting(), waiting.as_bytes());
                let waiting = waiting.len() as u64;
                let bytes = input.len() as u64 - waiting;
                assert_eq!(passed, Passed { bytes, oversized: 0, at_end: true, waiting });
            }
        };
        check("", &[], "");
        check("a", &[], "a");
        check("a\n", &["a"], "");
        check("\n\na\r\n\nbc", &["", "", "a\r", ""], "bc");
        check("one\ntwo\nthree\n", &["one", "two", "three"], "");
    }

    #[test]
    fn a_limit_ends_between_two_lines() {
        let (lines, passed) = lines(&mut LineBuffer::new(), &mut Slow(b"aa\nbb\ncc\ndd", 4), 5);
        assert_eq!(lines, ["aa", "bb"]);
        assert_eq!((passed.bytes, passed.at_end), (6, false));
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_and_counted() {
        let check = |input: &str, expected: &[&str], passed: Passed| {
            for piece in 1..=input.len() + 1 {
                let mut buffer = LineBuffer { line_limit: 4, ..LineBuffer::new() };
                let seen = lines(&mut buffer, &mut Slow(input.as_bytes(), piece.min(4)), u64::MAX);
                assert_eq!(
                    (&seen.0[..], &seen.1),
                    (&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..], &passed)
                );
                if passed.waiting > 4 {
                    assert!(buffer.waiting().len() <= 4, "what is skipped is not kept");
                }
            }
        };
        check("a\n0123456789\nb\n", &["a", "b"], Passed { bytes: 15, oversized: 1, at_end: true, waiting: 0 });
        check("a\n0123456789", &["a"], Passed { bytes: 2, oversized: 0, at_end: true, waiting: 10 });
    }

    #[test]
    fn a_fingerprint_covers_exactly_what_was_passed() {
        for (input, whole) in [("a\n0123456789\nb", 13), ("a\n0123456789", 2), ("ab\ncd\n", 6)] {
            let mut expected = Fingerprint::default();
            expected.push(&input.as_bytes()[..whole]);
            for piece in 1..=4 {
                let mut buffer = LineBuffer { line_limit: 4, ..LineBuffer::new() };
                let mut fingerprint = Fingerprint::default();
                buffer.read(&mut Slow(input.as_bytes(), piece), u64::MAX, &mut fingerprint, |_| {}).unwrap();
                assert_eq!(fingerprint, expected, "{input:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn memory_is_given_back_after_a_long_line() {
        let mut input = vec![b'x'; 5 << 20];
        input.push(b'\n');
        input.extend_from_slice(&b"short\n".repeat(CHUNK));
        let mut buffer = LineBuffer::new();
        let mut longest = 0;
        let passed = buffer
            .read(&mut &input[..], u64::MAX, &mut Fingerprint::default(), |line| longest = longest.max(line.len()));
        assert_eq!((passed.unwrap().bytes, longest), (input.len() as u64, 5 << 20));
        assert!(buffer.bytes.capacity() <= KEEP, "{}", buffer.bytes.capacity());
    }
}
