//! The source as a whole, over real files: a harness that runs it and keeps what it says.

mod files;
#[cfg(target_os = "linux")]
mod live;
mod model;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::watch::{MakeWatcher, native};
use super::{Config, Transcripts};
use crate::clock::Clock;
use crate::event::UnixMillis;
use crate::platform;
use crate::plugin::{Checkpoint, Outbox, Source, SourceContext, SourceMessage, SourceSettings, Stopper};
use crate::status::{LineTally, SourceStatus};

/// Longer than any test waits for something that does come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A response that is told from others by its output tokens, as one line.
fn line(number: u64) -> String {
    format!(
        "{{\"type\":\"assistant\",\"sessionId\":\"s\",\"requestId\":\"req_{number}\",\
         \"timestamp\":\"2026-01-02T03:04:05.678Z\",\"message\":{{\"id\":\"msg_{number:06}\",\"model\":\"m\",\
         \"stop_reason\":\"end_turn\",\"usage\":{{\"input_tokens\":1,\"output_tokens\":{number}}}}}}}\n"
    )
}

fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(line).collect()
}

/// A data directory with one project.
struct Data {
    _dir: tempfile::TempDir,
    root: PathBuf,
}

impl Data {
    fn new() -> Self {
        let data = Self::without_root();
        std::fs::create_dir_all(data.root.join("projects/-p")).unwrap();
        data
    }

    fn without_root() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("claude");
        Self { _dir: dir, root }
    }

    /// A path in the project; with a leading slash, one below the data directory.
    fn at(&self, name: &str) -> PathBuf {
        match name.strip_prefix('/') {
            Some(name) => self.root.join(name),
            None => self.root.join("projects/-p").join(name),
        }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.at(name), content).unwrap();
    }

    fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.at(name)).unwrap();
        file.write_all(content.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.at(from), self.at(to)).unwrap();
    }

    /// Dates a file back, so that nobody can think it is still being written.
    fn age(&self, name: &str) {
        let file = File::options().write(true).open(self.at(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap();
    }

    /// Reads what there is, as a start after what `known` has stored, and as its last act stores it there.
    fn read(&self, known: &mut Stored) -> Seen {
        self.read_at(known, Clock::system())
    }

    fn read_at(&self, known: &mut Stored, clock: Clock) -> Seen {
        let setup = Setup { once: true, clock, checkpoints: known.0.values().cloned().collect(), ..Setup::default() };
        let seen = Running::start(&self.root, setup).until_it_ends();
        *known = Stored(seen.stored.0.clone());
        seen
    }

    /// The stored position of a file.
    fn checkpoint(&self, stored: &Stored, name: &str) -> Checkpoint {
        stored.0[&platform::path_bytes(&self.at(name))].clone()
    }
}

/// Positions by path, as the store keeps them.
#[derive(Clone, Debug, Default)]
struct Stored(BTreeMap<Vec<u8>, Checkpoint>);

/// What a source has said so far.
#[derive(Debug, Default)]
struct Seen {
    /// Claims, by their output tokens, in order of arrival.
    outputs: Vec<u64>,
    stored: Stored,
    /// Old and new name.
    renames: Vec<(PathBuf, PathBuf)>,
    batches: usize,
    tally: LineTally,
    caught_up: usize,
    covered: Vec<(UnixMillis, UnixMillis)>,
    /// How much had been covered when all was read.
    covered_at_first: Option<usize>,
}

impl Seen {
    fn take(&mut self, message: SourceMessage) {
        match message {
            SourceMessage::CaughtUp => {
                self.caught_up += 1;
                self.covered_at_first.get_or_insert(self.covered.len());
            }
            SourceMessage::Covered { from, to } => self.covered.push((from, to)),
            SourceMessage::Estimate(_) => panic!("transcripts estimate nothing"),
            SourceMessage::Batch(batch) => {
                self.batches += 1;
                self.outputs.extend(batch.records.iter().map(|record| record.usage.tokens.output));
                self.tally.add(&batch.tally);
                let checkpoint = batch.checkpoint.unwrap();
                if let Some(from) = batch.renamed_from {
                    self.renames.push((platform::path_from_bytes(&from), platform::path_from_bytes(&checkpoint.path)));
                    assert!(self.stored.0.remove(&from).is_some(), "only what is stored can be renamed");
                }
                if let Some(before) = self.stored.0.get(&checkpoint.path) {
                    let goes_on = checkpoint.offset >= before.offset || checkpoint.generation > before.generation;
                    assert!(goes_on, "one file's batches come in order: {before:?}, then {checkpoint:?}");
                }
                self.stored.0.insert(checkpoint.path.clone(), checkpoint);
            }
        }
    }

    fn sorted(&self) -> Vec<u64> {
        let mut outputs = self.outputs.clone();
        outputs.sort_unstable();
        outputs
    }
}

/// How a source is run.
struct Setup {
    once: bool,
    clock: Clock,
    checkpoints: Vec<Checkpoint>,
    settings: SourceSettings,
    make_watcher: MakeWatcher,
    /// How many messages may wait.
    room: usize,
}

impl Default for Setup {
    /// Scans so rarely that whatever is noticed was noticed by an event.
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        let settings =
            SourceSettings { reconcile_interval: hour, poll_interval: hour, readers: 2, ..SourceSettings::default() };
        let (clock, make_watcher) = (Clock::system(), native());
        Self { once: false, clock, checkpoints: Vec::new(), settings, make_watcher, room: 16 }
    }
}

/// A source at work.
struct Running {
    messages: Receiver<(&'static str, SourceMessage)>,
    stopper: Stopper,
    status: Arc<SourceStatus>,
    thread: JoinHandle<anyhow::Result<()>>,
    seen: Seen,
}

impl Running {
    fn start(root: &Path, setup: Setup) -> Self {
        let Setup { once, clock, checkpoints, settings, make_watcher, room } = setup;
        let settings = SourceSettings { roots: vec![root.to_owned()], ..settings };
        let (to, messages) = crossbeam_channel::bounded(room);
        let (stopper, stop) = Stopper::new();
        let status = Arc::new(SourceStatus::default());
        let stored = checkpoints.iter().map(|known| (known.path.clone(), known.clone())).collect();
        let ctx = SourceContext {
            out: Outbox { source: Transcripts::KIND, to },
            checkpoints,
            clock,
            stop,
            status: Arc::clone(&status),
            once,
        };
        let source = Transcripts { make_watcher, ..Transcripts::build(Config { enabled: true }, &settings).unwrap() };
        let thread = std::thread::spawn(move || source.run(ctx));
        Self { messages, stopper, status, thread, seen: Seen { stored: Stored(stored), ..Seen::default() } }
    }

    /// Waits until what was seen satisfies.
    #[track_caller]
    fn until(&mut self, satisfied: impl Fn(&Seen) -> bool) {
        while !satisfied(&self.seen) {
            match self.messages.recv_timeout(PATIENCE) {
                Ok((_, message)) => self.seen.take(message),
                Err(error) => panic!("{error} after {:?}; status: {:?}", self.seen, self.status),
            }
        }
    }

    /// Everything that a source which ends by itself says.
    fn until_it_ends(mut self) -> Seen {
        for (_, message) in &self.messages {
            self.seen.take(message);
        }
        self.thread.join().unwrap().unwrap();
        self.seen
    }
}

#[test]
fn the_sample_builds_and_unknown_keys_are_refused() {
    let build = |text: &str| {
        let mut table: toml::Table = toml::from_str(text).unwrap();
        let section = table["sources"][Transcripts::KIND].as_table_mut().map(std::mem::take).unwrap();
        (crate::plugin::SourceFactory::of::<Transcripts>().build)(section, &SourceSettings::default()).map(drop)
    };
    build(Transcripts::SAMPLE).unwrap();
    let error = build("[sources.claude]\nenabeld = true").unwrap_err().to_string();
    assert!(error.contains("enabeld"), "{error}");
}

#[test]
fn a_source_that_is_switched_off_is_caught_up_and_waits_for_the_end() {
    let (to, messages) = crossbeam_channel::bounded(1);
    let (mut stopper, stop) = Stopper::new();
    let source = Transcripts::build(Config { enabled: false }, &SourceSettings::default()).unwrap();
    let out = Outbox { source: Transcripts::KIND, to };
    let (clock, status) = (Clock::system(), Arc::default());
    let ctx = SourceContext { out, checkpoints: Vec::new(), clock, stop, status, once: false };
    let thread = std::thread::spawn(move || source.run(ctx));
    assert!(matches!(messages.recv().unwrap().1, SourceMessage::CaughtUp));
    stopper.stop();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_source_stops_though_nobody_takes_its_messages() {
    let data = Data::new();
    for number in 0..20 {
        data.write(&format!("{number}.jsonl"), line(number));
    }
    let running = Running::start(&data.root, Setup { room: 1, ..Setup::default() });
    while !running.messages.is_full() {
        std::thread::yield_now();
    }
    let Running { mut stopper, thread, messages, .. } = running;
    stopper.stop();
    thread.join().unwrap().unwrap();
    drop(messages);
}

#[test]
fn a_source_ends_when_nobody_listens_any_more() {
    let data = Data::new();
    data.write("a.jsonl", line(1));
    let Running { messages, thread, stopper, .. } = Running::start(&data.root, Setup { room: 1, ..Setup::default() });
    drop(messages);
    thread.join().unwrap().unwrap();
    drop(stopper);
}
