//! Dying at every single call that changes the database, in turn: strace delivers SIGKILL as a call is entered, so what
//! the call would have written is not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::counts::Counts;
use crate::house::TestHouse;
use crate::parts;
use crate::scribe::Scribe;

/// Everything by which `SQLite` changes a file.
const CALLS: &str = "pwrite64,write,fsync,fdatasync,ftruncate,rename,unlink";

/// What happens between the start and the death of the program.
#[derive(Clone, Copy)]
pub(super) enum Story<'a> {
    /// One catch-up with transcripts and what they add up to.
    Import { claude: &'a Path, written: Counts },
    /// A service, and a transcript that grows by a few responses now and then: a transaction each time.
    Live,
}

/// A story told as often as there are calls to die at.
pub(super) struct Sweep<'a> {
    pub(super) story: Story<'a>,
    /// The database that is there before.
    pub(super) before: Option<&'a Path>,
    /// A store that is wrong on purpose, or none.
    pub(super) mutant: &'a str,
    pub(super) strace: &'a Path,
}

/// How many deaths a sweep may take.
pub(super) fn most(everyday: u64) -> u64 {
    if parts::soak() { 5000 } else { everyday }
}

impl Sweep<'_> {
    /// Dies at every call, or at `most` of them, starts again and compares. Gives the number of deaths, or says at which
    /// call what went wrong first.
    pub(super) fn run(&self, most: u64) -> Result<u64, String> {
        let calls = self.calls()?;
        assert!(calls > 20, "only {calls} calls: strace does not see the database");
        let stride = calls.div_ceil(most);
        let next = AtomicU64::new(1);
        let wrong = Mutex::new(None);
        let die = || {
            while wrong.lock().unwrap().is_none() {
                let call = next.fetch_add(stride, Ordering::Relaxed);
                if call > calls {
                    return;
                }
                let inject = format!("inject={CALLS}:signal=KILL:when={call}");
                if let Err(what) = self.tell(&["-e".into(), inject]) {
                    wrong.lock().unwrap().get_or_insert(format!("killed at call {call} of {calls}: {what}"));
                }
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(die);
            scope.spawn(die);
        });
        wrong.into_inner().unwrap().map_or(Ok(calls.div_ceil(stride)), Err)
    }

    /// How many calls the busiest thread makes when nothing happens to it. strace counts those of each thread apart.
    fn calls(&self) -> Result<u64, String> {
        let house = self.tell(&[]).map_err(|what| format!("undisturbed: {what}"))?;
        let trace = std::fs::read_to_string(house.path("trace")).unwrap();
        let mut calls = BTreeMap::new();
        for line in trace.lines().filter(|line| !line.contains(" resumed>") && line.contains('(')) {
            *calls.entry(line.split_whitespace().next()).or_default() += 1;
        }
        Ok(calls.into_values().max().unwrap_or(0))
    }

    /// Tells the story under strace, starts again without it, and compares.
    fn tell(&self, strace: &[String]) -> Result<TestHouse, String> {
        let house = TestHouse::new().with_env("CTM_MUTANT", self.mutant);
        if let Some(before) = self.before {
            std::fs::copy(before, house.database()).unwrap();
        }
        let prefix = self.prefix(&house, strace);
        let (house, written) = match self.story {
            Story::Import { claude, written } => {
                let house = house.reading(claude);
                house.finish(house.command_through(&prefix, ["ingest"]));
                (house, written)
            }
            Story::Live => live(house, prefix),
        };
        let again = house.run(["ingest"]);
        if !again.status.success() {
            return Err(format!("the next start failed: {again:?}"));
        }
        let counts = Counts::try_of_database(house.database())?;
        if counts == written { Ok(house) } else { Err(format!("expected {written:?}, got {counts:?}")) }
    }

    /// strace, which looks at the database's files only. The program stays the direct child.
    fn prefix(&self, house: &TestHouse, extra: &[String]) -> Vec<String> {
        let mut prefix = vec![self.strace.display().to_string(), "-D".into(), "-f".into(), "-qq".into()];
        prefix.extend(["-o".into(), house.path("trace").display().to_string(), "-e".into(), format!("trace={CALLS}")]);
        for suffix in ["", "-wal", "-shm", "-journal"] {
            prefix.extend(["-P".into(), format!("{}{suffix}", house.database().display())]);
        }
        prefix.extend_from_slice(extra);
        prefix
    }
}

fn live(house: TestHouse, prefix: Vec<String>) -> (TestHouse, Counts) {
    let house = house.through(prefix);
    let mut scribe = Scribe::new(house.claude());
    if let Ok(mut served) = house.spawn::<&str>([]).listening_unless_gone() {
        for _ in 0..5 {
            scribe.append("live", 3);
            served.wait_counts_or_end(scribe.written);
        }
        served.kill();
    }
    (house.through::<&str>([]), scribe.written)
}
