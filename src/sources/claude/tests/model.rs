//! Files are appended, cut, replaced and moved at random between runs; a model knows which whole lines stood in them.

use proptest::prelude::*;

use super::*;

/// What happens to one of a few files.
#[derive(Clone, Debug)]
enum Step {
    Append {
        file: usize,
        count: u64,
    },
    /// Half a line now; the next append to the file completes it.
    AppendHalf {
        file: usize,
    },
    RotateByRename {
        file: usize,
    },
    CopyAndTruncate {
        file: usize,
    },
    Shorten {
        file: usize,
    },
    RewriteSameSize {
        file: usize,
    },
    RewriteLonger {
        file: usize,
    },
    /// A second name for the same file.
    HardLink {
        file: usize,
    },
    Delete {
        file: usize,
    },
    Replace {
        file: usize,
        count: u64,
    },
    MoveDirectory,
    Run,
}

const FILES: usize = 3;

/// The number of a line, or of its first half.
fn number_of(line: &str) -> u64 {
    let number = line.split("req_").nth(1).and_then(|text| text.get(..6));
    number.and_then(|number| number.parse().ok()).expect("a line of this test")
}

fn step() -> impl Strategy<Value = Step> {
    let file = 0..FILES;
    prop_oneof![
        4 => (file.clone(), 1..4u64).prop_map(|(file, count)| Step::Append { file, count }),
        2 => file.clone().prop_map(|file| Step::AppendHalf { file }),
        1 => file.clone().prop_map(|file| Step::RotateByRename { file }),
        1 => file.clone().prop_map(|file| Step::CopyAndTruncate { file }),
        1 => file.clone().prop_map(|file| Step::Shorten { file }),
        1 => file.clone().prop_map(|file| Step::RewriteSameSize { file }),
        1 => file.clone().prop_map(|file| Step::RewriteLonger { file }),
        1 => file.clone().prop_map(|file| Step::HardLink { file }),
        1 => file.clone().prop_map(|file| Step::Delete { file }),
        1 => (file, 1..6u64).prop_map(|(file, count)| Step::Replace { file, count }),
        1 => Just(Step::MoveDirectory),
        4 => Just(Step::Run),
    ]
}

/// The files, and what must have been claimed of them.
struct World {
    data: Data,
    stored: Stored,
    /// The numbers of lines so far; each is used once, so that a claim names its line.
    lines: u64,
    moves: usize,
    rotations: usize,
    claimed: Vec<u64>,
}

impl World {
    fn new() -> Self {
        // All numbers have as many digits, so that all lines have one length.
        Self {
            data: Data::new(),
            stored: Stored::default(),
            lines: 100_000,
            moves: 0,
            rotations: 0,
            claimed: Vec::new(),
        }
    }

    fn dir(&self) -> String {
        format!("/projects/-p{}", if self.moves == 0 { String::new() } else { self.moves.to_string() })
    }

    fn name(&self, file: usize) -> String {
        format!("{}/{file}.jsonl", self.dir())
    }

    fn fresh(&mut self, count: u64) -> String {
        self.lines += count;
        lines(self.lines - count..self.lines)
    }

    fn content(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.data.at(name)).unwrap_or_default()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Append { file, count } => {
                let name = self.name(file);
                let more = self.fresh(count);
                let (length, content) = (line(100_000).len(), self.content(&name));
                // A half line is completed by its other half, of which the first one tells the number.
                let half = content.len() % length;
                let mut rest = String::new();
                if half > 0 {
                    let number = number_of(&String::from_utf8_lossy(&content[content.len() - half..]));
                    rest = line(number).split_off(half);
                }
                self.data.append(&name, rest + &more);
            }
            Step::AppendHalf { file } => {
                let name = self.name(file);
                if self.content(&name).len().is_multiple_of(line(100_000).len()) {
                    let mut half = self.fresh(1);
                    half.truncate(90);
                    self.data.append(&name, half);
                }
            }
            Step::RotateByRename { file } => {
                self.rotations += 1;
                let to = format!("{}/rotated-{}.jsonl", self.dir(), self.rotations);
                if self.data.at(&self.name(file)).exists() {
                    self.data.rename(&self.name(file), &to);
                }
            }
            Step::CopyAndTruncate { file } => {
                let name = self.name(file);
                if let Ok(open) = File::options().write(true).open(self.data.at(&name)) {
                    std::fs::copy(self.data.at(&name), self.data.at(&format!("{name}.bak"))).unwrap();
                    open.set_len(0).unwrap();
                }
            }
            Step::Shorten { file } => {
                let name = self.name(file);
                let lines = self.content(&name).len() / line(100_000).len();
                if let Ok(open) = File::options().write(true).open(self.data.at(&name)) {
                    open.set_len((lines / 2 * line(100_000).len()) as u64).unwrap();
                }
            }
            Step::RewriteSameSize { file } => {
                let name = self.name(file);
                let lines = self.content(&name).len() / line(100_000).len();
                if lines > 0 {
                    let content = self.fresh(lines as u64);
                    self.data.write(&name, content);
                }
            }
            Step::RewriteLonger { file } => {
                let name = self.name(file);
                let lines = self.content(&name).len() / line(100_000).len();
                if self.data.at(&name).exists() {
                    let content = self.fresh(lines as u64 + 2);
                    self.data.write(&name, content);
                }
            }
            Step::HardLink { file } => {
                let name = self.name(file);
                if self.data.at(&name).exists() {
                    self.rotations += 1;
                    let second = format!("{}/second-{}.jsonl", self.dir(), self.rotations);
                    std::fs::hard_link(self.data.at(&name), self.data.at(&second)).unwrap();
                }
            }
            Step::Delete { file } => {
                if self.data.at(&self.name(file)).exists() {
                    std::fs::remove_file(self.data.at(&self.name(file))).unwrap();
                }
            }
            Step::Replace { file, count } => {
                let (name, content) = (self.name(file), self.fresh(count));
                self.data.write(&format!("{name}.tmp"), content);
                self.data.rename(&format!("{name}.tmp"), &name);
            }
            Step::MoveDirectory => {
                let from = self.dir();
                self.moves += 1;
                self.data.rename(&from, &self.dir());
            }
            Step::Run => self.run(),
        }
    }

    /// The numbers of all whole lines that stand in transcripts.
    fn standing(&self) -> Vec<u64> {
        let entries = std::fs::read_dir(self.data.at(&self.dir())).unwrap().map(|entry| entry.unwrap().path());
        let transcripts = entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
        let mut numbers = Vec::new();
        for path in transcripts {
            let content = std::fs::read_to_string(path).unwrap();
            let whole = content.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            numbers.extend(whole.map(number_of));
        }
        numbers
    }

    fn run(&mut self) {
        let seen = self.data.read(&mut self.stored);
        self.claimed.extend(&seen.outputs);
        for number in self.standing() {
            assert!(self.claimed.contains(&number), "line {number} was never claimed");
        }
        assert_eq!(seen.tally.skipped_total(), 0, "no line was ever read in part");
        let again = self.data.read(&mut self.stored);
        assert_eq!((again.batches, again.tally.bytes), (0, 0), "what did not change is not read again");
        for known in self.stored.0.values().filter(|known| known.gone_at.is_none()) {
            assert!(platform::path_from_bytes(&known.path).exists(), "{known:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn d6_every_line_that_stood_during_a_run_is_claimed(steps in prop::collection::vec(step(), 1..31)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.run();
    }
}
