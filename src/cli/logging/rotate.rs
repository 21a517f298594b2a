//! A log file that does not grow for ever: at 10 MB it becomes `NAME.1`, and what was that becomes `NAME.2`, up to five.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::platform;

/// Bytes after which a file is full.
const FULL: u64 = 10 * 1024 * 1024;

/// How many full files are kept.
const KEPT: u32 = 5;

/// Writes lines; whoever writes hands over whole ones.
pub(super) struct Rotating {
    path: PathBuf,
    full: u64,
    /// `None` after a rotation that failed half-way; opened again for the next line.
    file: Option<File>,
    size: u64,
    /// The last line may be there in part.
    cut: bool,
}

impl Rotating {
    /// Opens the file, or makes it and the directories above it, for its owner alone.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, FULL)
    }

    fn with_limit(path: &Path, full: u64) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            platform::create_private_dir(parent)?;
        }
        let mut rotating = Self { path: path.to_owned(), full, file: None, size: 0, cut: false };
        rotating.opened()?;
        Ok(rotating)
    }

    fn opened(&mut self) -> io::Result<&mut File> {
        if self.file.is_none() {
            let file = platform::append_private_file(&self.path)?;
            self.size = file.metadata()?.len();
            self.file = Some(file);
        }
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Moves every file on by one; the oldest is gone.
    fn rotate(&mut self) -> io::Result<()> {
        self.file = None;
        for number in (1..KEPT).rev() {
            match std::fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        std::fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.opened()?;
        if self.size > 0 && self.size + line.len() as u64 > self.full {
            self.rotate()?;
        }
        // What was cut off by a full disk must not become the beginning of this line.
        if self.cut {
            self.opened()?.write_all(b"\n")?;
        }
        self.cut = true;
        self.opened()?.write_all(line)?;
        self.cut = false;
        self.size += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nothing is held back here, and a log is not worth waiting for the disk.
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(log: &mut Rotating, line: &str) -> io::Result<()> {
        log.write_all(format!("{line}\n").as_bytes())
    }

    fn content(path: &Path, number: u32) -> Option<String> {
        let path = if number == 0 { path.to_owned() } else { format!("{}.{number}", path.display()).into() };
        std::fs::read_to_string(path).ok()
    }

    #[test]
    fn full_files_move_on_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("logs/monitor.log");
        let mut log = Rotating::with_limit(&path, 20).unwrap();
        for n in 0..9 {
            say(&mut log, &format!("{n} is a line")).unwrap();
        }
        // Two do not fit into one file.
        for number in 0..=KEPT {
            let expected = format!("{} is a line\n", 8 - number);
            assert_eq!(content(&path, number).as_ref(), Some(&expected), "{number}");
        }
        assert_eq!(content(&path, KEPT + 1), None);
        drop(log);

        let mut log = Rotating::with_limit(&path, 30).unwrap();
        say(&mut log, "after a restart").unwrap();
        assert_eq!(content(&path, 0).unwrap(), "8 is a line\nafter a restart\n");
        say(&mut log, &"long".repeat(100)).unwrap();
        say(&mut log, "next").unwrap();
        assert_eq!(content(&path, 0).unwrap(), "next\n", "a line that is too long has a file of its own");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("monitor.log");
        let mut log = Rotating::with_limit(&path, 10).unwrap();
        for _ in 0..3 {
            say(&mut log, "a whole line").unwrap();
        }
        for name in ["monitor.log", "monitor.log.1", "monitor.log.2"] {
            let mode = std::fs::metadata(directory.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn trouble_passes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("monitor.log");
        let mut log = Rotating::with_limit(&path, 10).unwrap();
        say(&mut log, "a whole line").unwrap();
        // Something is in the way of the oldest file.
        let in_the_way = directory.path().join("monitor.log.5");
        std::fs::create_dir(&in_the_way).unwrap();
        std::fs::write(directory.path().join("monitor.log.4"), "").unwrap();
        assert!(say(&mut log, "lost").is_err());
        std::fs::remove_dir(&in_the_way).unwrap();
        say(&mut log, "again").unwrap();
        assert_eq!(content(&path, 0).unwrap(), "again\n");
        assert!(Rotating::open(&path.join("below a file")).is_err());
    }
}
