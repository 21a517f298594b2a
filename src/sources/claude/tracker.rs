//! What is known of every transcript, and which of them are to be read next. It opens a file only to recognise one that
//! was renamed; reading is the readers' work.

use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::identity::{begins_like, is_untouched};
use super::readers::{Done, End, Job};
use crate::event::UnixMillis;
use crate::platform::{self, FileStat};
use crate::plugin::Checkpoint;

/// How long a file that was just read rests before an event makes it be read again, so that a burst of lines is one read.
pub(super) const PAUSE: Duration = Duration::from_millis(15);
/// The first pause after a failure; it doubles with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// Why a file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The first scan since the start.
    Start,
    /// A later scan.
    Scan,
    /// An event named it, or a look that was put off is due.
    Hint,
    /// An event named a directory that it lies in.
    Nearby,
}

/// What a look at a file led to.
#[derive(Debug, PartialEq)]
pub(super) enum Looked {
    /// Nothing is to be done, or it is being done.
    Settled,
    /// It will be read.
    Queued,
    /// It is too early; look again then.
    At(Instant),
    /// It is a known file under a new name. Its position has to be stored under that; it will be read as well.
    Renamed { checkpoint: Box<Checkpoint>, from: Vec<u8> },
}

/// What is to be done after a file was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Nothing,
    LookAt(Instant),
    /// The file is gone.
    Absent,
}

#[derive(Debug, Default)]
struct FileState {
    checkpoint: Checkpoint,
    stage: Stage,
    /// It was named while it was being read.
    again: bool,
    /// It is in the queue of files that were just written.
    live: bool,
    /// The first pass waits for it.
    awaited: bool,
    /// The scan that last saw it.
    seen: u64,
    read_at: Option<Instant>,
    retry: Option<Retry>,
    /// The size at which a last line without newline was taken for whole.
    tail_taken: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Resting,
    Queued,
    /// A reader has it.
    Reading,
}

/// A file that could not be read.
#[derive(Clone, Copy, Debug)]
struct Retry {
    failures: u32,
    failed: Instant,
    at: Instant,
    stat: FileStat,
}

/// All transcripts, by path.
#[derive(Default)]
pub(super) struct Tracker {
    states: HashMap<OsString, FileState>,
    /// Files that were just written: served first, a bounded read each.
    live: VecDeque<OsString>,
    /// All others; the one with most left to read comes first, so that the last reader does not end alone with it.
    bulk: BinaryHeap<(u64, OsString)>,
    /// Where each inode was last seen, while it is needed.
    inodes: Option<HashMap<(u64, u64), OsString>>,
    scan: u64,
    awaited: usize,
    busy: usize,
}

impl Tracker {
    pub(super) fn new(checkpoints: Vec<Checkpoint>) -> Self {
        let state = |checkpoint: Checkpoint| {
            let path = platform::path_from_bytes(&checkpoint.path).into_os_string();
            (path, FileState { checkpoint, ..FileState::default() })
        };
        Self { states: checkpoints.into_iter().map(state).collect(), ..Self::default() }
    }

    /// Nothing is queued and nothing is being read.
    pub(super) fn is_idle(&self) -> bool {
        self.busy == 0
    }

    /// All that the first scan found is read, or was tried.
    pub(super) fn is_caught_up(&self) -> bool {
        self.awaited == 0
    }

    /// Present files and files that are gone.
    pub(super) fn counts(&self) -> (u64, u64) {
        let gone = self.states.values().filter(|state| state.checkpoint.gone_at.is_some()).count() as u64;
        (self.states.len() as u64 - gone, gone)
    }

    /// How much of a file is still to be read, as far as sizes tell.
    pub(super) fn unread(&self, path: &OsStr, size: u64) -> u64 {
        let offset = self.states.get(path).map_or(0, |state| state.checkpoint.offset);
        if offset <= size { size - offset } else { size }
    }

    /// A new scan begins; what [`Self::look`] does not see until [`Self::unseen`] is asked was not there.
    pub(super) fn begin_scan(&mut self) {
        self.scan += 1;
    }

    /// Files that were there, and that the scan which began last has not seen.
    pub(super) fn unseen(&self) -> Vec<OsString> {
        let unseen = |state: &FileState| state.seen != self.scan && state.checkpoint.gone_at.is_none();
        self.states.iter().filter(|(_, state)| unseen(state)).map(|(path, _)| path.clone()).collect()
    }

    /// Known files at a path or below it.
    pub(super) fn below(&self, path: &Path) -> Vec<OsString> {
        if self.states.contains_key(path.as_os_str()) {
            return vec![path.as_os_str().to_owned()];
        }
        let prefix = path.as_os_str().as_encoded_bytes();
        let below = |other: &OsStr| other.as_encoded_bytes().starts_with(prefix) && Path::new(other).starts_with(path);
        self.states.keys().filter(|other| below(other)).cloned().collect()
    }

    /// Takes note of what the file system says of a file, and queues it if that is news.
    pub(super) fn look(&mut self, path: &OsStr, stat: &FileStat, why: Why, now: Instant) -> Looked {
        let Some(state) = self.states.get_mut(path) else { return self.admit(path, stat, why, now) };
        state.seen = self.scan;
        if state.stage == Stage::Reading {
            state.again = true;
            return Looked::Settled;
        }
        let checkpoint = &state.checkpoint;
        let is_known = is_untouched(checkpoint, stat) && checkpoint.gone_at.is_none();
        match (&state.retry, why) {
            (Some(retry), _) => {
                // A change may be the cure; without one, the file waits for its turn.
                let early = now < retry.failed + FIRST_RETRY || *stat == retry.stat;
                if now < retry.at && early {
                    return Looked::Settled;
                }
            }
            // What the last process left open: a last line without newline, a failure that may have passed.
            (None, Why::Start) if is_known && (checkpoint.size > checkpoint.offset || checkpoint.error.is_some()) => {}
            (None, Why::Start | Why::Scan | Why::Nearby) if is_known => return Looked::Settled,
            // An event is worth a look at the content even if sizes and times are the same: clocks of file systems are
            // coarse.
            (None, Why::Hint | Why::Nearby) => match state.read_at.map(|read_at| read_at + PAUSE) {
                Some(rested) if now < rested => return Looked::At(rested),
                _ => {}
            },
            (None, _) => {}
        }
        self.queue(path, stat.size, why);
        Looked::Queued
    }

    /// A path that is not known: a new file, or a known one under a new name.
    fn admit(&mut self, path: &OsStr, stat: &FileStat, why: Why, now: Instant) -> Looked {
        let (mut state, mut from) = (FileState::default(), None);
        match self.former(path, stat) {
            Former::None => state.checkpoint.path = platform::path_bytes(Path::new(path)),
            Former::Busy => return Looked::At(now + PAUSE),
            Former::At(old) => {
                if let Some(known) = self.forget(&old) {
                    state = FileState { checkpoint: known.checkpoint, tail_taken: known.tail_taken, ..state };
                    let path = platform::path_bytes(Path::new(path));
                    from = Some(std::mem::replace(&mut state.checkpoint.path, path));
                    state.checkpoint.gone_at = None;
                }
            }
        }
        state.seen = self.scan;
        let checkpoint = from.is_some().then(|| Box::new(state.checkpoint.clone()));
        self.states.insert(path.to_owned(), state);
        self.queue(path, stat.size, why);
        match (checkpoint, from) {
            (Some(checkpoint), Some(from)) => Looked::Renamed { checkpoint, from },
            _ => Looked::Queued,
        }
    }

    fn forget(&mut self, path: &OsStr) -> Option<FileState> {
        let state = self.states.remove(path)?;
        self.busy -= usize::from(state.stage != Stage::Resting);
        self.awaited -= usize::from(state.awaited);
        Some(state)
    }

    /// The path under which a new path's file was known until now: same inode, same beginning, and no longer there.
    fn former(&mut self, path: &OsStr, stat: &FileStat) -> Former {
        let states = &self.states;
        let inodes = self.inodes.get_or_insert_with(|| {
            let known = states.iter().filter(|(_, state)| state.checkpoint.head_len > 0);
            known.map(|(path, state)| ((state.checkpoint.device, state.checkpoint.inode), path.clone())).collect()
        });
        let Some(old) = inodes.get(&(stat.device, stat.inode)).filter(|old| *old != path) else { return Former::None };
        let Some(state) = states.get(old) else { return Former::None };
        let still_there = Path::new(old).symlink_metadata().is_ok_and(|metadata| {
            let FileStat { device, inode, .. } = FileStat::from(&metadata);
            (device, inode) == (stat.device, stat.inode)
        });
        if still_there || stat.size < state.checkpoint.offset {
            return Former::None;
        }
        match state.stage {
            Stage::Reading => Former::Busy,
            Stage::Queued | Stage::Resting => {
                let same = platform::open_regular(Path::new(path)).is_ok_and(|(mut file, opened)| {
                    opened.inode == stat.inode && begins_like(&mut file, &state.checkpoint).unwrap_or(false)
                });
                if same { Former::At(old.clone()) } else { Former::None }
            }
        }
    }

    fn queue(&mut self, path: &OsStr, size: u64, why: Why) {
        let unread = self.unread(path, size);
        let Some(state) = self.states.get_mut(path) else { return };
        let is_new = state.stage == Stage::Resting;
        if is_new {
            state.stage = Stage::Queued;
            self.busy += 1;
            if why == Why::Start {
                state.awaited = true;
                self.awaited += 1;
            }
        }
        if matches!(why, Why::Hint | Why::Nearby) && !state.live {
            state.live = true;
            self.live.push_back(path.to_owned());
        } else if is_new {
            self.bulk.push((unread, path.to_owned()));
        }
    }

    /// The file to be read next, which lies in one of these directories; [`Self::finish`] takes it back.
    pub(super) fn next_job(&mut self, projects: &[Arc<Path>]) -> Option<Job> {
        loop {
            let path = self.live.pop_front().or_else(|| self.bulk.pop().map(|(_, path)| path))?;
            // A file may be in both queues, or have been renamed since.
            let Some(state) = self.states.get_mut(&path) else { continue };
            state.live = false;
            if state.stage == Stage::Queued {
                state.stage = Stage::Reading;
                state.again = false;
                let checkpoint = state.checkpoint.clone();
                let home = projects.iter().find(|projects| Path::new(&path).starts_with(projects));
                let projects = home.map_or_else(|| Arc::from(Path::new("")), Arc::clone);
                return Some(Job { path, projects, checkpoint, awaited: state.awaited, tail_taken: state.tail_taken });
            }
        }
    }

    /// Takes a file back from a reader.
    pub(super) fn finish(&mut self, done: Done, now: Instant) -> Next {
        let Some(state) = self.states.get_mut(&done.path) else { return Next::Nothing };
        state.stage = Stage::Resting;
        self.busy -= 1;
        state.checkpoint = done.checkpoint;
        state.tail_taken = done.tail_taken;
        state.read_at = Some(now);
        let retry = state.retry.take();
        if let End::Limit { unread } = done.end {
            state.stage = Stage::Queued;
            self.busy += 1;
            self.bulk.push((unread, done.path));
            return Next::Nothing;
        }
        if std::mem::take(&mut state.awaited) {
            self.awaited -= 1;
        }
        match done.end {
            End::Limit { .. } => Next::Nothing,
            End::Whole { .. } if state.again => Next::LookAt(now + PAUSE),
            End::Whole { look_again } => look_again.map_or(Next::Nothing, |pause| Next::LookAt(now + pause)),
            End::Vanished => Next::Absent,
            End::Failed { stat } => {
                let failures = retry.map_or(0, |retry| retry.failures);
                let at = now + (FIRST_RETRY * 2u32.saturating_pow(failures)).min(LONGEST_RETRY);
                state.retry = Some(Retry { failures: failures.saturating_add(1), failed: now, at, stat });
                Next::LookAt(at)
            }
        }
    }

    /// Marks a file as gone; its responses stay. Returns what is to be stored of that, if anything is.
    pub(super) fn mark_gone(&mut self, path: &OsStr, at: UnixMillis) -> Option<Checkpoint> {
        let state = self.states.get_mut(path)?;
        match state.stage {
            Stage::Resting if state.checkpoint.gone_at.is_none() => {}
            // It is known, or the reader that gets it next will not find it.
            Stage::Resting | Stage::Queued => return None,
            // Its reader may have found it still; it is looked at again afterwards.
            Stage::Reading => {
                state.again = true;
                return None;
            }
        }
        if state.checkpoint == (Checkpoint { path: state.checkpoint.path.clone(), ..Checkpoint::default() }) {
            // It came and went before anything was stored of it.
            self.forget(path);
            return None;
        }
        state.checkpoint.gone_at = Some(at);
        state.retry = None;
        Some(state.checkpoint.clone())
    }

    /// The looks that belong together are done; what was noted only for them is dropped.
    pub(super) fn end_looks(&mut self) {
        self.inodes = None;
    }
}

enum Former {
    None,
    At(OsString),
    /// It is being read under its old name.
    Busy,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: FileStat = FileStat { device: 1, inode: 2, size: 100, mtime_ns: 3, ctime_ns: 3 };

    fn look(tracker: &mut Tracker, path: &str, size: u64, why: Why, now: Instant) -> Looked {
        tracker.look(OsStr::new(path), &FileStat { size, ..STAT }, why, now)
    }

    fn next(tracker: &mut Tracker) -> Option<Job> {
        tracker.next_job(&[])
    }

    fn done(job: Job, end: End) -> Done {
        let FileStat { device, inode, size, mtime_ns, ctime_ns } = STAT;
        let checkpoint = Checkpoint { device, inode, size, mtime_ns, ctime_ns, offset: size, ..job.checkpoint };
        Done { path: job.path, checkpoint, tail_taken: 0, end }
    }

    #[test]
    fn what_was_just_written_comes_first_and_then_the_largest() {
        let (mut tracker, now) = (Tracker::default(), Instant::now());
        for (path, size) in [("small", 1), ("huge", 700 << 20), ("large", 1 << 20)] {
            look(&mut tracker, path, size, Why::Start, now);
        }
        look(&mut tracker, "live", 1, Why::Hint, now);
        look(&mut tracker, "small", 2, Why::Hint, now);
        let order: Vec<_> = std::iter::from_fn(|| next(&mut tracker).map(|job| job.path)).collect();
        assert_eq!(order, ["live", "small", "huge", "large"]);
    }

    #[test]
    fn a_large_file_gives_way_after_each_turn() {
        let (mut tracker, now) = (Tracker::default(), Instant::now());
        look(&mut tracker, "huge", 700 << 20, Why::Start, now);
        look(&mut tracker, "large", 600 << 20, Why::Start, now);
        let turn = next(&mut tracker).unwrap();
        look(&mut tracker, "live", 1, Why::Hint, now);
        assert_eq!(tracker.finish(done(turn, End::Limit { unread: 500 << 20 }), now), Next::Nothing);
        let order: Vec<_> = std::iter::from_fn(|| next(&mut tracker).map(|job| job.path)).collect();
        assert_eq!(order, ["live", "large", "huge"]);
        assert!(!tracker.is_caught_up() && !tracker.is_idle());
    }

    #[test]
    fn a_file_has_one_reader_at_a_time() {
        let (mut tracker, now) = (Tracker::default(), Instant::now());
        look(&mut tracker, "a", 1, Why::Hint, now);
        let job = next(&mut tracker).unwrap();
        assert_eq!(look(&mut tracker, "a", 2, Why::Hint, now), Looked::Settled);
        assert!(next(&mut tracker).is_none());
        let again = tracker.finish(done(job, End::Whole { look_again: None }), now);
        assert_eq!(again, Next::LookAt(now + PAUSE), "it was named meanwhile");
        assert_eq!(look(&mut tracker, "a", 100, Why::Scan, now), Looked::Settled, "nothing is new");
        assert_eq!(look(&mut tracker, "a", 100, Why::Nearby, now + PAUSE), Looked::Settled, "nor is it named");
        assert_eq!(look(&mut tracker, "a", 100, Why::Hint, now), Looked::At(now + PAUSE), "a burst is one read");
        assert_eq!(look(&mut tracker, "a", 100, Why::Hint, now + PAUSE), Looked::Queued, "an event is looked into");
    }

    #[test]
    fn failures_are_tried_again_ever_more_rarely() {
        let (mut tracker, mut now) = (Tracker::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..11 {
            assert_eq!(look(&mut tracker, "a", 100, Why::Scan, now), Looked::Queued);
            let job = next(&mut tracker).unwrap();
            let Next::LookAt(at) = tracker.finish(done(job, End::Failed { stat: STAT }), now) else {
                panic!("no retry")
            };
            assert_eq!(look(&mut tracker, "a", 100, Why::Scan, now), Looked::Settled, "too early");
            pauses.push((at - now).as_secs());
            now = at;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        // A change may be the cure, and is not waited out.
        let job = next(&mut tracker);
        assert!(job.is_none());
        assert_eq!(look(&mut tracker, "a", 100, Why::Scan, now), Looked::Queued);
        let job = next(&mut tracker).unwrap();
        tracker.finish(done(job, End::Failed { stat: STAT }), now);
        assert_eq!(look(&mut tracker, "a", 101, Why::Scan, now), Looked::Settled, "not at once");
        assert_eq!(look(&mut tracker, "a", 101, Why::Scan, now + FIRST_RETRY), Looked::Queued);
    }

    #[test]
    fn a_file_that_came_and_went_leaves_nothing() {
        let (mut tracker, now) = (Tracker::default(), Instant::now());
        look(&mut tracker, "a", 1, Why::Start, now);
        let job = next(&mut tracker).unwrap();
        let vanished = Done { path: job.path, checkpoint: job.checkpoint, tail_taken: 0, end: End::Vanished };
        assert_eq!(tracker.finish(vanished, now), Next::Absent);
        assert_eq!(tracker.mark_gone(OsStr::new("a"), UnixMillis(1)), None);
        assert_eq!(tracker.counts(), (0, 0));
        assert!(tracker.is_caught_up() && tracker.is_idle());
    }

    #[test]
    fn a_file_that_goes_while_it_is_read_is_looked_at_again() {
        let (mut tracker, now) = (Tracker::default(), Instant::now());
        look(&mut tracker, "a", 1, Why::Hint, now);
        let job = next(&mut tracker).unwrap();
        assert_eq!(tracker.mark_gone(OsStr::new("a"), UnixMillis(1)), None);
        let next = tracker.finish(done(job, End::Whole { look_again: None }), now);
        assert_eq!(next, Next::LookAt(now + PAUSE));
        assert_eq!(tracker.mark_gone(OsStr::new("a"), UnixMillis(1)).unwrap().gone_at, Some(UnixMillis(1)));
        assert_eq!(tracker.mark_gone(OsStr::new("a"), UnixMillis(2)), None, "once");
        assert_eq!(tracker.counts(), (0, 1));
    }

    #[test]
    fn a_directory_is_everything_below_it() {
        let (mut tracker, now) = (Tracker::default(), Instant::now());
        for path in ["/p/a/1.jsonl", "/p/a/b/2.jsonl", "/p/ab/3.jsonl"] {
            look(&mut tracker, path, 1, Why::Scan, now);
        }
        let below = |path| {
            let mut found = tracker.below(Path::new(path));
            found.sort();
            found
        };
        assert_eq!(below("/p/a"), ["/p/a/1.jsonl", "/p/a/b/2.jsonl"]);
        assert_eq!(below("/p/ab/3.jsonl"), ["/p/ab/3.jsonl"]);
        assert!(below("/p/c").is_empty());
    }
}
