//! One line of JSON a change, into a file that is rotated by size, or to standard output.
//!
//! A batch is written with one call. After a kill the file may end with half a line of ours: it is cut off, and the batch
//! written again. Half a line of somebody else's is ended and left alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::wire;
use crate::hub::Hub;
use crate::plugin::{Batch, BuildError, Delivery, Outcome, Pace, Parts, Setup, Sink};

/// Appends to a file, or prints.
pub struct Jsonl {
    to: To,
    costs: bool,
}

enum To {
    Stdout,
    File(Rotated),
}

/// A file and its former parts: `NAME.1` is the newest of them.
struct Rotated {
    path: PathBuf,
    max_bytes: u64,
    max_files: u32,
    sync: bool,
    open: Option<File>,
}

/// What users configure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    path: PathBuf,
    #[serde(default = "default_megabytes")]
    max_megabytes: u64,
    #[serde(default = "default_files")]
    max_files: u32,
    #[serde(default)]
    sync: bool,
}

fn default_megabytes() -> u64 {
    64
}

fn default_files() -> u32 {
    5
}

impl Sink for Jsonl {
    const KIND: &'static str = "jsonl";
    const SAMPLE: &'static str = "\
[sinks.jsonl]
# Appends one line of JSON a change. \"-\" is standard output.
path = \"usage.jsonl\"
# A file of this size becomes usage.jsonl.1, the former .1 becomes .2, and so on; so many are kept beside it.
max_megabytes = 64
max_files = 5
# Wait for the disk after each batch: slower, and nothing is lost when the machine loses its power.
sync = false
";
    type Config = Config;

    fn build(config: Config, setup: &Setup) -> Result<Self, BuildError> {
        if config.max_megabytes == 0 {
            return Err(BuildError::at("max_megabytes", "`max_megabytes` is at least 1"));
        }
        if config.max_files > 1_000 {
            return Err(BuildError::at("max_files", "`max_files` is at most 1000"));
        }
        let to = if config.path == Path::new("-") {
            To::Stdout
        } else {
            To::File(Rotated {
                path: setup.path(&config.path),
                max_bytes: config.max_megabytes.saturating_mul(1_000_000),
                max_files: config.max_files,
                sync: config.sync,
                open: None,
            })
        };
        Ok(Self { to, costs: setup.costs })
    }

    fn parts(self, _: &Hub) -> Parts {
        Parts::default().with_delivery(self)
    }
}

impl Delivery for Jsonl {
    fn pace(&self) -> Pace {
        Pace { batch_max: 2_000, interval: Duration::ZERO, ..Pace::default() }
    }

    fn target(&self) -> String {
        match &self.to {
            To::Stdout => "standard output".to_owned(),
            To::File(file) => file.path.display().to_string(),
        }
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let mut text = Vec::with_capacity(batch.changes.len() * 700);
        let written = wire::lines(batch.changes, self.costs, &mut text).and_then(|()| match &mut self.to {
            To::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(&text).and_then(|()| out.flush())
            }
            To::File(file) => file.append(&text),
        });
        match written {
            Ok(()) => Outcome::Acked,
            Err(error) => Outcome::retry(error.to_string()),
        }
    }
}

impl Rotated {
    fn append(&mut self, text: &[u8]) -> io::Result<()> {
        let outcome = self.try_append(text);
        if outcome.is_err() {
            // Whatever is half written is ended when the file is opened again.
            self.open = None;
        }
        outcome
    }

    fn try_append(&mut self, text: &[u8]) -> io::Result<()> {
        // Somebody may have moved or removed it.
        let is_there = self.open.is_some() && self.path.try_exists()?;
        let mut file = match self.open.take().filter(|_| is_there) {
            Some(file) => file,
            None => open(&self.path)?,
        };
        let size = file.metadata()?.len();
        if size > 0 && size.saturating_add(text.len() as u64) > self.max_bytes {
            drop(file);
            self.rotate()?;
            file = open(&self.path)?;
        }
        file.write_all(text)?;
        if self.sync {
            file.sync_data()?;
        }
        self.open = Some(file);
        Ok(())
    }

    fn rotate(&self) -> io::Result<()> {
        let part = |number: u32| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        if self.max_files == 0 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.max_files).rev() {
            match std::fs::rename(part(number), part(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, part(1))
    }
}

/// No line of ours is longer.
const LONGEST_LINE: u64 = 64 * 1024;

/// What each of our lines begins with.
const LINE_START: &[u8] = b"{\"revision\":";

/// Opens for appending, private to the user, so that the next byte begins a line.
fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() {
        end_line(&mut file, meta.len())?;
    }
    Ok(file)
}

fn end_line(file: &mut File, size: u64) -> io::Result<()> {
    let start = size.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    (&mut *file).take(LONGEST_LINE).read_to_end(&mut end)?;
    let whole = memchr::memrchr(b'\n', &end).map_or(0, |place| place + 1);
    let half = end.get(whole..).unwrap_or_default();
    if half.is_empty() {
        return Ok(());
    }
    if half.starts_with(LINE_START) || LINE_START.starts_with(half) {
        return file.set_len(start + whole as u64);
    }
    file.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotated(path: PathBuf, max_bytes: u64, max_files: u32) -> Rotated {
        Rotated { path, max_bytes, max_files, sync: true, open: None }
    }

    #[test]
    fn files_are_rotated_by_size_and_count() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("deep/usage.jsonl");
        let mut file = rotated(path.clone(), 10, 2);
        for text in ["1\n", "22222222\n", "3\n", "44444444\n", "55555555\n", "66666666\n"] {
            file.append(text.as_bytes()).expect("written");
        }
        let read = |suffix: &str| std::fs::read_to_string(format!("{}{suffix}", path.display())).ok();
        assert_eq!(read("").as_deref(), Some("66666666\n"));
        assert_eq!(read(".1").as_deref(), Some("55555555\n"));
        assert_eq!(read(".2").as_deref(), Some("44444444\n"));
        assert_eq!(read(".3"), None);
    }

    #[test]
    fn half_a_line_is_cut_off_or_ended_and_a_removed_file_made_anew() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("usage.jsonl");
        let check = |before: &str, expected: &str| {
            std::fs::write(&path, before).expect("writable");
            rotated(path.clone(), 1_000, 2).append(b"next\n").expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), expected, "{before:?}");
        };
        check("", "next\n");
        check("whole\n", "whole\nnext\n");
        check("whole\n{\"revision\":12,\"id", "whole\nnext\n");
        check("{\"rev", "next\n");
        check("whole\nsomebody else", "whole\nsomebody else\nnext\n");
        let mut file = rotated(path.clone(), 1_000, 2);
        file.append(b"more\n").expect("written");
        std::fs::remove_file(&path).expect("removable");
        file.append(b"new\n").expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "new\n");
    }
}
