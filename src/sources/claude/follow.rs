//! The loop that keeps transcripts followed: scans, hints, timers and readers come together here. It sleeps whenever
//! there is nothing to do, and leaves all reading of content to the readers.

mod reconcile;

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender};

use super::readers::{self, Done, Job};
use super::scan::{Scanner, is_transcript};
use super::schedule::Schedule;
use super::tracker::{Looked, Next, Tracker, Why};
use super::watch::{HintBox, MakeWatcher, Watch};
use super::{Courier, Halted};
use crate::event::UnixMillis;
use crate::platform::{self, FileStat};
use crate::plugin::{Checkpoint, SourceBatch, SourceContext, SourceMessage, SourceSettings};
use crate::sources::roots::is_absent;

/// When a new directory is looked through again: files that were made in it before its watch was, raise no event.
const NEW_DIRECTORY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
/// How often it is said which days the transcripts cover.
const SAY_COVERED: Duration = Duration::from_secs(3600);
/// Jobs that are handed out for each reader: most files are small, and none should wait for the next to be handed out.
const JOBS_AHEAD: usize = 8;
/// More looks in waiting than this, and a scan does the work of further ones.
const MOST_LOOKS: usize = 16_384;

/// Follows all transcripts until the house closes; with `once`, until all that there is has been read.
pub(super) fn follow(ctx: SourceContext, settings: &SourceSettings, make: &MakeWatcher) -> anyhow::Result<()> {
    let SourceContext { out, checkpoints, clock, stop, status, once } = ctx;
    let courier = Courier { out, stop };
    let count = settings.readers.max(1);
    let places = count * JOBS_AHEAD;
    let (jobs, jobs_out) = crossbeam_channel::bounded(places);
    let (done_in, done) = crossbeam_channel::bounded(places);
    let (hints, woken) = HintBox::new(Arc::clone(&status));
    let shared = readers::Context { courier, clock, status, home: home(&settings.roots), once };
    std::thread::scope(|scope| {
        for number in 1..=count {
            let (jobs, done, shared) = (jobs_out.clone(), done_in.clone(), &shared);
            std::thread::Builder::new()
                .name(format!("reader-{number}"))
                .spawn_scoped(scope, move || readers::work(&jobs, &done, shared))
                .context("starting a thread that reads transcripts")?;
        }
        drop((jobs_out, done_in));
        let now = Instant::now();
        let follower = Follower {
            settings,
            shared: &shared,
            make,
            tracker: Tracker::new(checkpoints),
            scanner: Scanner::default(),
            schedule: Schedule::default(),
            watch: Watch::default(),
            hints,
            projects: Vec::new(),
            jobs,
            free_places: places,
            next_scan: now,
            no_scan_before: now,
            retry_watching: None,
            roots_moved: false,
            unreadable: HashSet::new(),
            caught_up: false,
            covered: None,
            said_covered: None,
        };
        // The readers end when the follower drops their jobs.
        match follower.run(&woken, &done) {
            Ok(()) | Err(Ended::Halted) => Ok(()),
            Err(Ended::ReadersLost) => anyhow::bail!("the threads that read transcripts have ended"),
        }
    })
}

/// The home directory, told by where Claude Code's own directory usually is.
fn home(roots: &[PathBuf]) -> Option<PathBuf> {
    let root = roots.iter().find(|root| root.file_name().is_some_and(|name| name == ".claude"))?;
    root.parent().map(Path::to_owned)
}

/// Why the follower came to an end before it was done.
enum Ended {
    Halted,
    ReadersLost,
}

impl From<Halted> for Ended {
    fn from(Halted: Halted) -> Self {
        Self::Halted
    }
}

struct Follower<'a> {
    settings: &'a SourceSettings,
    shared: &'a readers::Context,
    make: &'a MakeWatcher,
    tracker: Tracker,
    scanner: Scanner,
    /// Paths that are to be looked at later.
    schedule: Schedule,
    watch: Watch,
    hints: Arc<HintBox>,
    /// The canonical directories of transcripts that the last scan found.
    projects: Vec<Arc<Path>>,
    jobs: Sender<Job>,
    free_places: usize,
    next_scan: Instant,
    no_scan_before: Instant,
    retry_watching: Option<Instant>,
    /// An event told of a change in the roots themselves.
    roots_moved: bool,
    /// Directories that the last scan could not read.
    unreadable: HashSet<PathBuf>,
    caught_up: bool,
    /// When the last complete scan began, until it is said.
    covered: Option<UnixMillis>,
    said_covered: Option<Instant>,
}

impl Follower<'_> {
    fn run(mut self, woken: &Receiver<()>, done: &Receiver<Result<Done, Halted>>) -> Result<(), Ended> {
        self.scan(Why::Start)?;
        loop {
            self.hand_out()?;
            self.report()?;
            if self.shared.once && self.caught_up {
                return Ok(());
            }
            let next = self.schedule.next().map_or(self.next_scan, |look| look.min(self.next_scan));
            crossbeam_channel::select! {
                recv(done) -> result => self.take_back(result.map_err(|_| Ended::ReadersLost)??)?,
                recv(woken) -> _ => self.take_hints()?,
                recv(self.shared.courier.stop.channel()) -> _ => return Ok(()),
                default(next.saturating_duration_since(Instant::now())) => {}
            }
            if self.shared.once {
                continue;
            }
            let now = Instant::now();
            if now >= self.next_scan {
                self.scan(Why::Scan)?;
            }
            while let Some(path) = self.schedule.take_due(now) {
                self.look_at(Path::new(&path))?;
            }
            self.tracker.end_looks();
        }
    }

    /// Gives the free readers work.
    fn hand_out(&mut self) -> Result<(), Ended> {
        while self.free_places > 0
            && let Some(job) = self.tracker.next_job(&self.projects)
        {
            self.free_places -= 1;
            self.jobs.send(job).map_err(|_| Ended::ReadersLost)?;
        }
        Ok(())
    }

    fn take_back(&mut self, done: Done) -> Result<(), Ended> {
        self.free_places += 1;
        let path = done.path.clone();
        match self.tracker.finish(done, Instant::now()) {
            Next::Nothing => {}
            Next::LookAt(at) => self.schedule.add(at, path),
            Next::Absent => self.gone(&path)?,
        }
        Ok(())
    }

    fn take_hints(&mut self) -> Result<(), Ended> {
        let hints = self.hints.take();
        if let Some(reason) = hints.broken {
            self.break_down(reason);
        }
        self.roots_moved |= hints.roots;
        if hints.scan {
            self.shared.status.rescans.fetch_add(1, Ordering::Relaxed);
            self.scan_by(self.no_scan_before.max(Instant::now()));
        }
        for path in hints.paths {
            if self.look_at(Path::new(&path))? {
                let now = Instant::now();
                if self.schedule.len() < MOST_LOOKS {
                    for pause in NEW_DIRECTORY {
                        self.schedule.add(now + pause, path.clone());
                    }
                } else {
                    self.scan_by(now + NEW_DIRECTORY[1]);
                }
            }
        }
        self.tracker.end_looks();
        Ok(())
    }

    /// Looks at what is at a path now. Says whether it is a directory.
    fn look_at(&mut self, path: &Path) -> Result<bool, Ended> {
        let metadata = path.symlink_metadata();
        if metadata.as_ref().is_err_and(is_absent) {
            for path in self.tracker.below(path) {
                self.gone(&path)?;
            }
        }
        let Some(projects) = self.projects.iter().find(|projects| path.starts_with(projects)).cloned() else {
            return Ok(false);
        };
        match metadata {
            Ok(metadata) if metadata.is_dir() => {
                let mut found = Vec::new();
                self.scanner.walk(&projects, path, &mut |path, stat| found.push((path, stat)));
                for (path, stat) in found {
                    self.look(path.into_os_string(), &stat, Why::Nearby)?;
                }
                Ok(true)
            }
            Ok(metadata) if metadata.is_file() && path.file_name().is_some_and(is_transcript) => {
                self.look(path.as_os_str().to_owned(), &FileStat::from(&metadata), Why::Hint)?;
                Ok(false)
            }
            // Whatever else it is, the next scan decides.
            _ => Ok(false),
        }
    }

    /// Lets the tracker decide about a file. Says whether it has news.
    fn look(&mut self, path: OsString, stat: &FileStat, why: Why) -> Result<bool, Ended> {
        match self.tracker.look(&path, stat, why, Instant::now()) {
            Looked::Settled => Ok(false),
            Looked::Queued => Ok(true),
            Looked::At(at) => {
                self.schedule.add(at, path);
                Ok(false)
            }
            Looked::Renamed { checkpoint, from } => {
                let old = platform::path_from_bytes(&from);
                self.store(*checkpoint, Some(from))?;
                // Another file may have the old name by now; what was known under it has just been moved away.
                if let Ok(metadata) = old.symlink_metadata()
                    && metadata.is_file()
                {
                    self.look(old.into_os_string(), &FileStat::from(&metadata), why)?;
                }
                Ok(true)
            }
        }
    }

    fn gone(&mut self, path: &OsString) -> Result<(), Ended> {
        let absent = Path::new(path).symlink_metadata().is_err_and(|error| is_absent(&error));
        if absent && let Some(checkpoint) = self.tracker.mark_gone(path, self.shared.clock.now()) {
            self.store(checkpoint, None)?;
        }
        Ok(())
    }

    /// Sends a position that was reached without reading.
    fn store(&self, checkpoint: Checkpoint, renamed_from: Option<Vec<u8>>) -> Result<(), Ended> {
        let batch = SourceBatch { checkpoint: Some(checkpoint), renamed_from, ..SourceBatch::default() };
        Ok(self.shared.courier.send(SourceMessage::Batch(Box::new(batch)))?)
    }

    /// Says what has been reached. What is covered is said before that all is read: whoever asks as soon as the numbers
    /// are whole is told of no day that it may be incomplete.
    fn report(&mut self) -> Result<(), Ended> {
        let courier = &self.shared.courier;
        let first = !self.caught_up && self.tracker.is_caught_up();
        if (first || self.caught_up && self.tracker.is_idle())
            && let Some(to) = self.covered.take()
            && self.said_covered.is_none_or(|at| at.elapsed() >= SAY_COVERED)
        {
            let from = UnixMillis(to.0.saturating_sub(i64::from(self.settings.cleanup_days) * UnixMillis::DAY));
            courier.send(SourceMessage::Covered { from, to })?;
            self.said_covered = Some(Instant::now());
        }
        if first {
            self.caught_up = true;
            courier.send(SourceMessage::CaughtUp)?;
        }
        Ok(())
    }
}
