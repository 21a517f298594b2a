//! The programs and privileges that some tests need, and the list of tests that had to do without. A test is never left
//! out silently: it is named on the terminal at once and in `target/left-out.txt`, and in CI a missing part is a failure.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What the tests are told by whoever runs them.
#[expect(clippy::disallowed_methods, reason = "the one place where tests read their environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The fault tests run at their longer sizes.
pub(crate) fn soak() -> bool {
    variable("CTM_SOAK").is_some()
}

/// The checkout.
pub(crate) fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program that `scripts/test-parts` provides; without it the test is left out, or fails in CI.
pub(crate) fn need(program: &str) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let found = std::iter::once(checkout().join("target/parts/bin"))
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(program))
        .find(|file| file.is_file());
    provided(program, found)
}

/// A library that `scripts/test-parts` provides; without it the test is left out, or fails in CI.
pub(crate) fn need_library(name: &str) -> Option<PathBuf> {
    let found = Some(checkout().join("target/parts/lib").join(name)).filter(|file| file.is_file());
    provided(name, found)
}

fn provided(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        assert!(variable("CI").as_deref() != Some("true"), "{name} is missing: run scripts/test-parts");
        leave_out(name);
    }
    found
}

/// A right that this machine does not give; without it the test is left out, or fails in CI.
pub(crate) fn lack(right: &str) {
    assert!(variable("CI").as_deref() != Some("true"), "{right} is missing: CI needs it");
    leave_out(right);
}

/// Records that this test did not run, for want of something that no script can provide.
pub(crate) fn leave_out(want: &str) {
    let thread = std::thread::current();
    let line = format!("{}: needs {want}\n", thread.name().unwrap_or("a test"));
    let list = checkout().join("target/left-out.txt");
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(list)
        .and_then(|mut list| list.write_all(line.as_bytes()))
        // Straight to the terminal: the test harness captures what `eprintln!` says in a test that passes.
        .and_then(|()| std::io::stderr().write_all(format!("LEFT OUT {line}").as_bytes()));
    written.unwrap();
}
