//! Threads that read transcripts: one bounded read of one file at a time, sent off as a batch with its position. Which
//! file comes next, and when, is not decided here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::identity::{Fingerprint, Verdict, judge};
use super::line::{FileContext, Parsed, Parser, is_utf16};
use super::project::ProjectFolder;
use super::tail::{LineBuffer, Passed};
use super::{Courier, Halted};
use crate::clock::Clock;
use crate::event::{RecordKey, UnixMillis, UsageRecord};
use crate::platform::{self, FileStat};
use crate::plugin::{Checkpoint, SourceBatch, SourceMessage};
use crate::sources::roots::is_absent;
use crate::status::{LineTally, SkipReason, SourceStatus};

/// How much of one file is read before others get their turn; one batch holds no more.
const TURN: u64 = 4 << 20;
/// How long a last line without newline has to stand unchanged before it is taken for whole.
const TAIL_REST: Duration = Duration::from_secs(60);

/// By when an append that has moved a file's time has moved its size as well.
const APPEND: Duration = Duration::from_secs(1);

/// A file to read on.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) path: OsString,
    /// The directory of transcripts that it lies in.
    pub(super) projects: Arc<Path>,
    pub(super) checkpoint: Checkpoint,
    /// The first pass waits for it.
    pub(super) awaited: bool,
    pub(super) tail_taken: u64,
}

/// A file that was read, and how far.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) path: OsString,
    pub(super) checkpoint: Checkpoint,
    pub(super) tail_taken: u64,
    pub(super) end: End,
}

/// Why a read ended.
#[derive(Debug)]
pub(super) enum End {
    /// There is no more, unless a last line has to be looked at again.
    Whole { look_again: Option<Duration> },
    /// The turn is over.
    Limit { unread: u64 },
    /// It cannot be read; what the file system says of it meanwhile.
    Failed { stat: FileStat },
    /// There is no such file.
    Vanished,
}

/// Reads jobs until there are no more, or the house closes.
pub(super) fn work(jobs: &Receiver<Job>, done: &Sender<Result<Done, Halted>>, context: &Context) {
    let mut reader = Reader::new(context);
    for job in jobs {
        // A mistake of ours in one file must not end the reading of all others: it is that file's failure.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| reader.turn(&job))).unwrap_or_else(|_| {
            reader = Reader::new(context);
            reader.failed(&job, &io::Error::other("its lines broke the reader, which is a bug worth reporting"))
        });
        if done.send(result).is_err() {
            return;
        }
    }
}

/// What all readers share.
pub(super) struct Context {
    pub(super) courier: Courier,
    pub(super) clock: Clock,
    pub(super) status: Arc<SourceStatus>,
    /// The user's home, which is nobody's project.
    pub(super) home: Option<PathBuf>,
    /// Nobody will look again: what is in doubt is read now.
    pub(super) once: bool,
}

struct Reader<'a> {
    context: &'a Context,
    parser: Parser,
    buffer: LineBuffer,
}

#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error(transparent)]
    Halted(#[from] Halted),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl<'a> Reader<'a> {
    fn new(context: &'a Context) -> Self {
        let parser = Parser::new(ProjectFolder::new(context.home.clone()), context.clock.now());
        Self { context, parser, buffer: LineBuffer::new() }
    }

    fn turn(&mut self, job: &Job) -> Result<Done, Halted> {
        match self.read(job) {
            Ok(done) => Ok(done),
            Err(TurnError::Halted(halted)) => Err(halted),
            Err(TurnError::Io(error)) => self.failed(job, &error),
        }
    }

    fn read(&mut self, job: &Job) -> Result<Done, TurnError> {
        let path = Path::new(&job.path);
        let (mut file, stat) = platform::open_regular(path)?;
        let mut next = Checkpoint { gone_at: None, error: None, ..job.checkpoint.clone() };
        let now = self.context.clock.now();
        let mut doubt = None;
        let mut fingerprint = match judge(&mut file, &stat, &next)? {
            Verdict::Continue(fingerprint) => fingerprint,
            Verdict::Doubt(fingerprint) => {
                doubt = self.doubt_left(now, millis(stat.mtime_ns));
                let goes_on = doubt.map(|_| fingerprint);
                goes_on.unwrap_or_else(|| self.restart(job, &mut next, "it was written without growing"))
            }
            Verdict::Restart(why) => self.restart(job, &mut next, why),
        };
        let mut file_context = FileContext::new(&job.projects, path, millis(stat.mtime_ns));
        if next.offset > 0 {
            match serde_json::from_str(&next.cursor) {
                Ok(earlier) => file_context = file_context.after(&earlier),
                Err(_) => fingerprint = self.restart(job, &mut next, "what was remembered of it cannot be read"),
            }
        }
        if next.offset == 0 && begins_as_utf16(&mut file)? {
            return self.reject(job, next, &file);
        }

        self.parser.now = now;
        file.seek(SeekFrom::Start(next.offset))?;
        let Self { parser, buffer, .. } = self;
        let (mut said, mut merged) = (Parsed::default(), Merged::default());
        let passed = buffer.read(&mut file, TURN, &mut fingerprint, |line| {
            parser.line(line, &mut file_context, &mut said);
            merged.take(&mut said.records);
        })?;
        remember(&mut next, &FileStat::from(&file.metadata()?), &passed);
        fingerprint.store(&mut next);
        if passed.bytes > 0 {
            next.cursor = serde_json::to_string(&file_context).map_err(io::Error::from)?;
        }
        let (mut tail_taken, mut look_again) = (job.tail_taken, None);
        if doubt.is_some() && next.size == job.checkpoint.size {
            // It still stands as it was: the old time keeps the doubt alive until the next look.
            next.mtime_ns = job.checkpoint.mtime_ns;
            look_again = doubt;
        }
        if passed.at_end && passed.waiting > 0 {
            let rest = rest_left(now, millis(stat.mtime_ns));
            look_again = look_again.into_iter().chain(rest).min();
            if rest.is_none() && tail_taken != next.size {
                tail_taken = next.size;
                // Its newline may still come, and then it is read again: nothing of it is remembered but its claims.
                let mut claims = Vec::new();
                parser.unfinished_line(buffer.waiting(), &file_context, &mut claims);
                merged.take(&mut claims);
            }
        }

        let mut tally = LineTally { bytes: passed.bytes, ..said.tally };
        tally.lines += passed.oversized;
        tally.skipped[SkipReason::Oversized as usize] += passed.oversized;
        next.tally.add(&tally);
        let batch = SourceBatch {
            records: merged.records,
            checkpoint: Some(next.clone()),
            renamed_from: None,
            tally,
            reported_costs: said.reported_costs,
            limit_reset_at: said.limit_reset_at,
            written_at: (passed.bytes > 0 && !job.awaited).then(|| millis(next.mtime_ns)),
        };
        if next != job.checkpoint || !batch.records.is_empty() {
            self.context.courier.send(SourceMessage::Batch(Box::new(batch)))?;
        }
        self.progress(job, if passed.at_end { passed.bytes + passed.waiting } else { passed.bytes });
        let unread = stat.size.saturating_sub(next.offset);
        let end = if passed.at_end { End::Whole { look_again } } else { End::Limit { unread } };
        Ok(Done { path: job.path.clone(), checkpoint: next, tail_taken, end })
    }

    /// How long to wait for an append that may be under way; `None` if there is none to wait for.
    fn doubt_left(&self, now: UnixMillis, written: UnixMillis) -> Option<Duration> {
        let age = Duration::from_millis(now.0.abs_diff(written.0));
        APPEND.checked_sub(age).filter(|left| !left.is_zero() && !self.context.once)
    }

    /// Forgets what was read of a file that is another one now. The responses stay: they are facts.
    fn restart(&self, job: &Job, next: &mut Checkpoint, why: &str) -> Fingerprint {
        tracing::debug!(path = %Path::new(&job.path).display(), why, "reading a transcript from its start again");
        if job.awaited {
            self.context.status.catchup_bytes.fetch_add(next.offset, Ordering::Relaxed);
        }
        let Checkpoint { path, generation, .. } = std::mem::take(next);
        *next = Checkpoint { path, generation: generation + 1, ..Checkpoint::default() };
        Fingerprint::default()
    }

    /// A file whose text is no UTF-8 gives nothing; that is said once, and it is looked at again when it changes.
    fn reject(&self, job: &Job, mut next: Checkpoint, file: &File) -> Result<Done, TurnError> {
        let stat = FileStat::from(&file.metadata()?);
        remember(&mut next, &stat, &Passed { waiting: stat.size, at_end: true, ..Passed::default() });
        let mut tally = LineTally::default();
        if next.tally.skipped[SkipReason::Encoding as usize] == 0 {
            tally.skip(SkipReason::Encoding);
            next.tally.add(&tally);
        }
        let words = "it is UTF-16 text, and transcripts are UTF-8".to_owned();
        self.say(job, &words);
        next.error = Some(words);
        if next != job.checkpoint {
            let batch = SourceBatch { checkpoint: Some(next.clone()), tally, ..SourceBatch::default() };
            self.context.courier.send(SourceMessage::Batch(Box::new(batch)))?;
        }
        self.progress(job, stat.size);
        let end = End::Whole { look_again: None };
        Ok(Done { path: job.path.clone(), checkpoint: next, tail_taken: 0, end })
    }

    /// Keeps what is known of a file that cannot be read now.
    fn failed(&self, job: &Job, error: &io::Error) -> Result<Done, Halted> {
        let (path, mut checkpoint) = (job.path.clone(), job.checkpoint.clone());
        if is_absent(error) {
            return Ok(Done { path, checkpoint, tail_taken: 0, end: End::Vanished });
        }
        checkpoint.gone_at = None;
        self.context.status.io_errors.fetch_add(1, Ordering::Relaxed);
        let words = Some(error.to_string());
        if checkpoint.error != words {
            self.say(job, &error.to_string());
            checkpoint.error = words;
            let batch = SourceBatch { checkpoint: Some(checkpoint.clone()), ..SourceBatch::default() };
            self.context.courier.send(SourceMessage::Batch(Box::new(batch)))?;
        }
        let stat = Path::new(&path).symlink_metadata().map(|metadata| FileStat::from(&metadata)).unwrap_or_default();
        Ok(Done { path, checkpoint, tail_taken: job.tail_taken, end: End::Failed { stat } })
    }

    /// Shows why a file is not read, once for each reason.
    fn say(&self, job: &Job, words: &str) {
        if job.checkpoint.error.as_deref() != Some(words) {
            let path = Path::new(&job.path).display();
            tracing::warn!(%path, error = words, "cannot read a transcript; it is tried again");
            self.context.status.update(|status| status.last_error = Some(format!("reading {path}: {words}")));
        }
    }

    fn progress(&self, job: &Job, bytes: u64) {
        if job.awaited {
            self.context.status.catchup_done_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// Claims of one batch, one for each key: most lines repeat what their neighbours say.
#[derive(Default)]
struct Merged {
    places: HashMap<RecordKey, usize>,
    records: Vec<UsageRecord>,
}

impl Merged {
    fn take(&mut self, claims: &mut Vec<UsageRecord>) {
        for claim in claims.drain(..) {
            match self.places.entry(claim.key.clone()) {
                Entry::Occupied(place) => self.records[*place.get()].merge(claim),
                Entry::Vacant(place) => {
                    place.insert(self.records.len());
                    self.records.push(claim);
                }
            }
        }
    }
}

/// Notes where the read ended, and what the file system said then. The size is what was seen of the file: a file that
/// has grown since, or of which only a part was read, differs from it.
fn remember(checkpoint: &mut Checkpoint, stat: &FileStat, passed: &Passed) {
    let FileStat { device, inode, size: _, mtime_ns, ctime_ns } = *stat;
    checkpoint.offset += passed.bytes;
    let size = checkpoint.offset + if passed.at_end { passed.waiting } else { 0 };
    *checkpoint = Checkpoint { device, inode, size, mtime_ns, ctime_ns, ..std::mem::take(checkpoint) };
}

fn begins_as_utf16(file: &mut File) -> io::Result<bool> {
    let mut first = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(4).read_to_end(&mut first)?;
    Ok(is_utf16(&first))
}

/// How long a last line still has to stand unchanged; `None` if it did for long enough. A file from the future has all
/// of it before it.
fn rest_left(now: UnixMillis, written: UnixMillis) -> Option<Duration> {
    let age = Duration::from_millis(u64::try_from(now.0.saturating_sub(written.0)).unwrap_or(0));
    TAIL_REST.checked_sub(age).filter(|left| !left.is_zero())
}

fn millis(nanoseconds: i64) -> UnixMillis {
    UnixMillis(nanoseconds.div_euclid(1_000_000))
}
