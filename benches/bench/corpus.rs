//! The transcripts that are read, made once and kept in `target/bench` between runs.

use std::path::{Path, PathBuf};

use claude_token_monitor::synthetic::{self, Noise, Plan};

/// A data directory and what is in it.
pub(crate) struct Corpus {
    pub(crate) root: PathBuf,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) responses: u64,
}

/// A directory of the benchmark's own below the build directory.
pub(crate) fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench").join(name)
}

/// 1 GiB with the size profile and the share of conversation of real installations.
pub(crate) fn gibibyte() -> Corpus {
    made("gibibyte", &Plan { bytes: 1 << 30, noise: Noise::Usual, ..Plan::default() })
}

/// About a million responses with hardly any conversation around them.
pub(crate) fn million() -> Corpus {
    made("million", &Plan { bytes: 1_470_000_000, noise: Noise::None, content_percent: 0, ..Plan::default() })
}

/// About a tenth of that.
pub(crate) fn hundred_thousand() -> Corpus {
    made("hundred-thousand", &Plan { bytes: 147_000_000, noise: Noise::None, content_percent: 0, ..Plan::default() })
}

fn made(name: &str, plan: &Plan) -> Corpus {
    let (root, note) = (place(name), place(&format!("{name}.txt")));
    // The note is written last: without it the directory is incomplete. It names the plan, so that a changed plan is
    // not mistaken for the old one.
    let plan_now = format!("{plan:?}");
    let known = std::fs::read_to_string(&note).unwrap_or_default();
    let mut words = known.lines();
    if words.next() != Some(&plan_now) {
        println!("making {}", root.display());
        if root.exists() {
            std::fs::remove_dir_all(&root).unwrap();
        }
        std::fs::create_dir_all(&root).unwrap();
        let truth = synthetic::write(plan, &root).unwrap();
        std::fs::write(&note, format!("{plan_now}\n{}\n{}\n{}\n", truth.files, truth.bytes, truth.responses)).unwrap();
        return made(name, plan);
    }
    let mut number = || words.next().unwrap().parse().unwrap();
    Corpus { root, files: number(), bytes: number(), responses: number() }
}
