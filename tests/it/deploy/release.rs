//! Releases: workflows, archives, what `cargo binstall` looks for, completions and manual pages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{read, run, words};
use crate::house::TestHouse;
use crate::parts::checkout;

const WORKFLOWS: [&str; 2] = [".github/workflows/ci.yml", ".github/workflows/release.yml"];

fn workflow(path: &str) -> Value {
    serde_norway::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All steps of a workflow.
fn steps(workflow: &Value) -> Vec<Value> {
    let jobs = workflow["jobs"].as_object().unwrap().values();
    jobs.flat_map(|job| job["steps"].as_array().cloned().unwrap_or_default()).collect()
}

#[test]
fn foreign_actions_are_pinned_to_one_commit_and_say_which_version_that_is() {
    for path in WORKFLOWS {
        for line in read(path).lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: ")) {
            if line.starts_with("./") {
                assert!(checkout().join(line).exists(), "{path}: {line}");
                continue;
            }
            let (_, rest) = line.split_once('@').unwrap();
            let (commit, version) = rest.split_once(" # v").unwrap_or_else(|| panic!("{path}: {line} has no version"));
            let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(is_commit && version.split('.').count() == 3, "{path}: {line}");
        }
    }
}

#[test]
fn workflows_run_what_there_is_with_no_more_rights_than_they_need() {
    let makefile = read("Makefile");
    for path in WORKFLOWS {
        let workflow = workflow(path);
        assert_eq!(workflow["permissions"], serde_json::json!({"contents": "read"}), "{path}");
        for step in steps(&workflow) {
            let Some(script) = step["run"].as_str() else {
                let is_checkout = step["uses"].as_str().unwrap().starts_with("actions/checkout@");
                assert!(!is_checkout || step["with"]["persist-credentials"] == false, "{path}: {step}");
                continue;
            };
            // What somebody else chooses, such as the name of a branch, is never a part of a script.
            assert!(!script.contains("${{ github.") && !script.contains("${{ inputs."), "{path}: {script}");
            let list: Vec<&str> = script.split_whitespace().collect();
            for pair in list.windows(2).filter(|pair| pair[0] == "make") {
                assert!(makefile.contains(&format!("\n{}:", pair[1])), "{path}: make {}", pair[1]);
            }
            for word in list.iter().filter(|word| word.starts_with("scripts/")) {
                assert!(checkout().join(word).exists(), "{path}: {word}");
            }
        }
    }
}

/// The targets of a release.
fn targets() -> Vec<String> {
    let workflow = workflow(WORKFLOWS[1]);
    let include = workflow["jobs"]["binaries"]["strategy"]["matrix"]["include"].as_array().unwrap().clone();
    include.into_iter().map(|one| one["target"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_built_is_what_the_document_names_and_what_binstall_looks_for() {
    let document = read("docs/release.md");
    let version = env!("CARGO_PKG_VERSION");
    let archive = |target: &str| {
        let ending = if target.contains("windows") { "zip" } else { "tar.gz" };
        format!("claude-token-monitor-{target}-v{version}.{ending}")
    };
    let named: BTreeSet<String> = document
        .split('`')
        .filter(|word| {
            word.starts_with("claude-token-monitor-") && [".gz", ".zip"].iter().any(|ending| word.ends_with(ending))
        })
        .map(|word| word.replace("X.Y.Z", version))
        .collect();
    let built: BTreeSet<String> = targets().iter().map(|target| archive(target)).collect();
    assert_eq!(named, built);

    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let package = &manifest["package"];
    let binstall = &package["metadata"]["binstall"];
    for target in
        targets().into_iter().chain(["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"].map(str::to_owned))
    {
        let field = |name: &str| {
            let own = binstall.get("overrides").and_then(|all| all.get(&target)).and_then(|own| own.get(name));
            let template = own.unwrap_or_else(|| &binstall[name]).as_str().unwrap();
            template
                .replace("{ repo }", package["repository"].as_str().unwrap())
                .replace("{ version }", version)
                .replace("{ name }", "claude-token-monitor")
                .replace("{ bin }", "claude-token-monitor")
                .replace("{ binary-ext }", if target.contains("windows") { ".exe" } else { "" })
                .replace("{ target }", &target)
        };
        let shipped = archive(&target.replace("linux-gnu", "linux-musl"));
        assert!(field("pkg-url").ends_with(&format!("/releases/download/v{version}/{shipped}")), "{target}");
        let folder = shipped.trim_end_matches(".tar.gz").trim_end_matches(".zip");
        assert!(field("bin-dir").starts_with(&format!("{folder}/claude-token-monitor")), "{target}");
        assert_eq!(field("pkg-fmt"), if target.contains("windows") { "zip" } else { "tgz" });
    }
}

/// Every command, as the program's own help lists them, with its words.
fn commands(house: &TestHouse, above: &[String]) -> Vec<Vec<String>> {
    let mut args = above.to_vec();
    args.push("--help".to_owned());
    let help = house.run(args).stdout;
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let mut found = Vec::new();
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        let mut words = above.to_vec();
        words.push(name.to_owned());
        found.push(words.clone());
        found.extend(commands(house, &words));
    }
    found
}

#[test]
fn an_archive_holds_the_program_and_all_that_belongs_to_it() {
    let house = TestHouse::new();
    let out = house.path("out");
    let arguments = ["scripts/package", "x86_64-unknown-linux-musl", house.binary().to_str().unwrap()];
    let done = Command::new("/bin/sh").args(arguments).arg(&out).current_dir(checkout()).output().unwrap();
    assert!(done.status.success(), "{}", words(&done));
    let name = format!("claude-token-monitor-x86_64-unknown-linux-musl-v{}", env!("CARGO_PKG_VERSION"));
    let archive = format!("{name}.tar.gz");
    assert_eq!(words(&done).trim(), out.join(&archive).to_str().unwrap());
    let done = run(&out, "sha256sum", &["--check", &format!("{archive}.sha256")]);
    assert!(done.status.success(), "{}", words(&done));
    let done = run(&out, "tar", &["-xzf", &archive]);
    assert!(done.status.success(), "{}", words(&done));

    let folder = out.join(&name);
    for file in [
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "SECURITY.md",
        "services/claude-token-monitor.service",
        "services/claude-token-monitor.plist",
        "examples/config.toml",
        "completions/_claude-token-monitor",
        "completions/claude-token-monitor.fish",
        "completions/_claude-token-monitor.ps1",
    ] {
        assert!(folder.join(file).metadata().is_ok_and(|file| file.len() > 0), "{file}");
    }
    let version = run(&folder, folder.join("claude-token-monitor"), &["--version"]);
    assert!(words(&version).contains(env!("CARGO_PKG_VERSION")));

    let all = commands(&house, &[]);
    assert!(all.len() > 25, "{all:?}");
    for command in all {
        let page = folder.join(format!("man/man1/claude-token-monitor-{}.1", command.join("-")));
        let text = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.contains(".TH ") && text.contains("SYNOPSIS"), "{}", page.display());
    }
    complete(&folder.join("completions/claude-token-monitor.bash"));
}

/// Has bash complete a few lines by a script of completions.
fn complete(script: &Path) {
    let check = |line: &str, expected: &str| {
        let last = line.split(' ').count() - 1;
        let program = format!(
            ". '{}'; COMP_WORDS=({line}); [ {last} -lt ${{#COMP_WORDS[@]}} ] || COMP_WORDS+=(''); COMP_CWORD={last}; \
             $(complete -p claude-token-monitor | sed 's/.*-F \\([^ ]*\\).*/\\1/') claude-token-monitor \
             \"${{COMP_WORDS[$COMP_CWORD]}}\" \"${{COMP_WORDS[$COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let done = run(checkout(), "bash", &["-c", &program]);
        let said = words(&done);
        assert!(said.split_whitespace().any(|word| word == expected), "{line}: {said}");
    };
    check("claude-token-monitor ing", "ingest");
    check("claude-token-monitor service inst", "install");
    check("claude-token-monitor serve --lis", "--listen");
    check("claude-token-monitor completions f", "fish");
}

#[test]
fn a_tag_that_does_not_fit_is_not_released() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("scripts")).unwrap();
    let files = ["Cargo.toml", "Cargo.lock", "CHANGELOG.md", "scripts/check-release", "scripts/release-notes"];
    let mut texts: BTreeMap<&str, String> = files.into_iter().map(|file| (file, read(file))).collect();
    let version = env!("CARGO_PKG_VERSION");
    let section = format!(
        "## [Unreleased]\n\n## [{version}] - 2026-12-01\n\n### Added\n\n- News.\n\n## [0.0.1] - 2026-01-01\n\n- Old.\n"
    );
    let write = |texts: &BTreeMap<&str, String>| {
        for (file, text) in texts {
            std::fs::write(dir.path().join(file), text).unwrap();
        }
    };
    let script = |args: &[&str]| run(dir.path(), "/bin/sh", args);
    let check = |tag: &str, repository: &str, expected: Result<(), &str>| {
        let done = script(&["scripts/check-release", tag, repository]);
        match expected {
            Ok(()) => assert_eq!(words(&done).trim(), version, "{tag}"),
            Err(word) => assert!(!done.status.success() && words(&done).contains(word), "{tag}: {}", words(&done)),
        }
    };
    let (tag, repository) = (format!("v{version}"), "your-org/claude-token-monitor");
    texts.insert("CHANGELOG.md", "## [Unreleased]\n".to_owned());
    write(&texts);
    check(&tag, repository, Err("CHANGELOG.md"));
    texts.insert("CHANGELOG.md", section);
    write(&texts);
    check(&tag, repository, Ok(()));
    check(version, repository, Err("a tag is v"));
    check("v99.0.0", repository, Err("Cargo.toml says"));
    check(&tag, "someone/else", Err("repository"));
    let notes = script(&["scripts/release-notes", version]);
    assert_eq!(words(&notes).trim(), "### Added\n\n- News.");
}
