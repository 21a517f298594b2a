//! One transcript while it is written: buffered bytes, and the counts of the file for the truth.

use std::fs::{self, File};
use std::io::{Result, Write};
use std::path::{Path, PathBuf};

use crate::event::UnixMillis;
use crate::status::SkipReason;

use super::line::{self, Links};
use super::response::{Envelope, Response};
use super::rng::Rng;
use super::text::Text;
use super::truth::Truth;

const FLUSH: usize = 1 << 20;

pub(super) struct Transcript {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    line_end: &'static [u8],
    last_uuid: Option<String>,
    flushed: u64,
    lines: u64,
    skipped: Vec<(SkipReason, u64)>,
}

/// A finished file.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    bytes: u64,
    lines: u64,
    skipped: Vec<(SkipReason, u64)>,
}

impl Transcript {
    /// Starts a file, and the directories above it.
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(Self {
            file: File::create(&path)?,
            path,
            buffer: Vec::with_capacity(FLUSH + FLUSH / 4),
            line_end: b"\n",
            last_uuid: None,
            flushed: 0,
            lines: 0,
            skipped: Vec::new(),
        })
    }

    pub(super) fn use_crlf(&mut self) {
        self.line_end = b"\r\n";
    }

    pub(super) fn bytes(&self) -> u64 {
        self.flushed + u64::try_from(self.buffer.len()).expect("a buffer's length fits")
    }

    /// Where the next bytes go. Whoever writes a line here ends it with [`Transcript::end_line`].
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    pub(super) fn links(&mut self, rng: &mut Rng) -> Links {
        Links::next(rng, &mut self.last_uuid)
    }

    pub(super) fn end_line(&mut self) -> Result<()> {
        self.buffer.extend_from_slice(self.line_end);
        self.lines += 1;
        if self.buffer.len() >= FLUSH {
            self.flush()?;
        }
        Ok(())
    }

    /// All lines of a response.
    pub(super) fn response(
        &mut self,
        rng: &mut Rng,
        text: &Text,
        envelope: &Envelope,
        response: &Response,
    ) -> Result<()> {
        for number in 0..response.blocks.len() {
            let links = self.links(rng);
            line::assistant(&mut self.buffer, text, envelope, &links, response, number)?;
            self.end_line()?;
        }
        Ok(())
    }

    /// A line that is no response: an envelope, `body` (a comma-separated list of fields), and the usual end.
    pub(super) fn other(
        &mut self,
        rng: &mut Rng,
        envelope: &Envelope,
        kind: &str,
        at: UnixMillis,
        body: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let links = self.links(rng);
        line::open(&mut self.buffer, envelope, &links)?;
        body(&mut self.buffer)?;
        line::close(&mut self.buffer, kind, &links, at)?;
        self.end_line()
    }

    /// A whole line that cannot be used.
    pub(super) fn broken(&mut self, reason: SkipReason, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        self.skip(reason);
        self.end_line()
    }

    /// Notes that the line being written will be counted as skipped.
    pub(super) fn skip(&mut self, reason: SkipReason) {
        self.skipped.push((reason, 1));
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all(&self.buffer)?;
        self.flushed += u64::try_from(self.buffer.len()).expect("a buffer's length fits");
        self.buffer.clear();
        Ok(())
    }

    pub(super) fn finish(mut self, truth: &mut Truth) -> Result<Written> {
        self.flush()?;
        let written = Written { path: self.path, bytes: self.flushed, lines: self.lines, skipped: self.skipped };
        written.count(truth);
        Ok(written)
    }
}

impl Written {
    /// Copies the file to another name that is a transcript's, too.
    pub(super) fn copy_as_transcript(&self, to: &Path, truth: &mut Truth) -> Result<()> {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&self.path, to)?;
        self.count(truth);
        Ok(())
    }

    fn count(&self, truth: &mut Truth) {
        truth.files += 1;
        truth.bytes += self.bytes;
        truth.lines += self.lines;
        for (reason, lines) in &self.skipped {
            truth.skip(*reason, *lines);
        }
    }
}
