//! The source at work: events, timers, roots that come and go. The one place with real file events; scans are off or
//! an hour away unless a test turns them on, so what is noticed was noticed by what the test is about.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use notify::NullWatcher;
use notify::event::{Event, EventKind, Flag};

use super::*;
use crate::sources::claude::watch::Handler;

impl Setup {
    /// Without events, scanning all the time.
    fn polling() -> Self {
        let mut setup = Self::default();
        setup.settings.watch = false;
        setup.settings.poll_interval = Duration::from_millis(5);
        setup
    }
}

impl Running {
    /// Starts, and waits for the end of the first pass.
    fn caught_up(root: &Path, setup: Setup) -> Self {
        let mut running = Self::start(root, setup);
        running.until(|seen| seen.caught_up == 1);
        running
    }

    /// Waits for a line.
    #[track_caller]
    fn until_output(&mut self, number: u64) {
        self.until(|seen| seen.outputs.contains(&number));
    }

    fn stop(mut self) -> Seen {
        self.stopper.stop();
        self.until_it_ends()
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn an_appended_line_arrives_by_its_event() {
    let data = Data::new();
    data.write("a.jsonl", line(1));
    let mut running = Running::caught_up(&data.root, Setup::default());
    for number in 2..50 {
        data.append("a.jsonl", line(number));
        running.until_output(number);
    }
    assert!(!running.status.polling.load(Ordering::Relaxed));
    let seen = running.stop();
    assert_eq!(seen.outputs, (1..50).collect::<Vec<_>>(), "each line once");
}

#[test]
fn reading_raises_no_events_that_lead_to_reading() {
    let data = Data::new();
    data.write("a.jsonl", line(1));
    let mut running = Running::caught_up(&data.root, Setup::default());
    for number in 2..12 {
        data.append("a.jsonl", line(number));
        running.until_output(number);
    }
    assert!(count(&running.status.watch_events) <= 10, "{:?}", running.status);
    assert!(running.stop().batches <= 12);
}

#[test]
fn a_burst_of_lines_arrives_whole() {
    let data = Data::new();
    let mut running = Running::caught_up(&data.root, Setup::default());
    let writer = std::thread::spawn({
        let path = data.at("a.jsonl");
        move || {
            let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
            for number in 1..=2000 {
                // In two pieces: many reads end in the middle of a line.
                let line = line(number);
                let (first, second) = line.split_at(line.len() / 2);
                file.write_all(first.as_bytes()).unwrap();
                file.write_all(second.as_bytes()).unwrap();
            }
        }
    });
    running.until_output(2000);
    writer.join().unwrap();
    let seen = running.stop();
    assert_eq!(seen.outputs, (1..=2000).collect::<Vec<_>>());
    assert!(seen.batches < 1000, "a busy file is read in gulps: {} batches", seen.batches);
}

#[test]
fn files_in_new_directories_are_found_at_once() {
    let data = Data::new();
    let mut running = Running::caught_up(&data.root, Setup::default());
    for number in 1..=30 {
        // The watch on the new directories comes later than the file.
        let dir = data.at(&format!("{number}/subagents/deep"));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("agent-1.jsonl"), line(number)).unwrap();
    }
    running.until(|seen| seen.outputs.len() >= 30);
    assert_eq!(running.stop().sorted(), (1..=30).collect::<Vec<_>>());
}

// Nasty input 43.
#[test]
fn thousands_of_files_at_once_all_arrive() {
    let data = Data::new();
    let mut running = Running::caught_up(&data.root, Setup::default());
    for number in 1..=2000 {
        data.write(&format!("{number}.jsonl"), line(number));
    }
    running.until(|seen| seen.outputs.len() >= 2000);
    assert_eq!(running.stop().sorted(), (1..=2000).collect::<Vec<_>>());
}

#[test]
fn renames_and_deletions_are_followed() {
    let data = Data::new();
    data.write("a.jsonl", line(1));
    data.write("gone.jsonl", line(2));
    let mut running = Running::caught_up(&data.root, Setup::default());
    data.rename("a.jsonl", "b.jsonl");
    running.until(|seen| seen.renames.len() == 1);
    std::fs::remove_file(data.at("gone.jsonl")).unwrap();
    let gone = |seen: &Seen, count| seen.stored.0.values().filter(|known| known.gone_at.is_some()).count() == count;
    running.until(|seen| gone(seen, 1));
    data.rename("/projects/-p", "/projects/-q");
    running.until(|seen| seen.renames.len() == 2);
    data.append("/projects/-q/b.jsonl", line(3));
    running.until_output(3);
    std::fs::remove_dir_all(data.at("/projects/-q")).unwrap();
    running.until(|seen| gone(seen, 2));
    let seen = running.stop();
    assert_eq!(seen.tally.bytes, lines([1, 2, 3]).len() as u64, "nothing was read twice");
}

#[test]
fn an_edit_in_the_middle_is_noticed_when_it_is_no_append() {
    let data = Data::new();
    let with = |number: u64| lines((10..30).chain([number]).chain(30..50));
    data.write("a.jsonl", with(77));
    let mut running = Running::caught_up(&data.root, Setup::default());
    let file = OpenOptions::new().write(true).open(data.at("a.jsonl")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, with(88).as_bytes(), 0).unwrap();
    running.until_output(88);
    running.stop();
}

// Nasty input 40.
#[test]
fn a_root_may_come_later_go_and_come_back() {
    let data = Data::without_root();
    let mut running = Running::caught_up(&data.root, Setup::default());
    assert_eq!(running.status.words().roots[0].state, "missing");
    std::fs::create_dir_all(data.at("")).unwrap();
    data.write("a.jsonl", line(1));
    running.until_output(1);
    assert_eq!(running.status.words().roots[0].state, "ok");
    data.append("a.jsonl", line(2));
    running.until_output(2);

    std::fs::remove_dir_all(&data.root).unwrap();
    running.until(|seen| seen.stored.0.values().all(|known| known.gone_at.is_some()));
    std::fs::create_dir_all(data.at("")).unwrap();
    data.write("a.jsonl", line(3));
    running.until_output(3);

    // Moved away, its watches go with it, and events keep the old name.
    std::fs::rename(&data.root, data.root.with_file_name("moved")).unwrap();
    std::fs::create_dir_all(data.at("")).unwrap();
    data.write("b.jsonl", line(4));
    running.until_output(4);
    data.append("b.jsonl", line(5));
    running.until_output(5);
    running.stop();
}

#[test]
fn a_root_in_a_missing_tree_is_waited_for() {
    let data = Data::without_root();
    let root = data.root.join("not/yet/there");
    let mut running = Running::caught_up(&root, Setup::default());
    std::fs::create_dir_all(root.join("projects/-p")).unwrap();
    std::fs::write(root.join("projects/-p/a.jsonl"), line(1)).unwrap();
    running.until_output(1);
    running.stop();
}

#[test]
fn without_events_everything_is_found_by_scans() {
    let data = Data::new();
    data.write("a.jsonl", line(1));
    let mut running = Running::caught_up(&data.root, Setup::polling());
    assert!(running.status.polling.load(Ordering::Relaxed));
    data.append("a.jsonl", line(2));
    running.until_output(2);
    std::fs::create_dir_all(data.at("new")).unwrap();
    data.write("new/b.jsonl", line(3));
    running.until_output(3);
    data.rename("new", "renamed");
    running.until(|seen| seen.renames.len() == 1);
    std::fs::remove_dir_all(data.at("renamed")).unwrap();
    running.until(|seen| seen.stored.0.values().any(|known| known.gone_at.is_some()));
    assert_eq!(running.stop().tally.bytes, lines([1, 2, 3]).len() as u64);
}

#[test]
fn a_watcher_that_says_nothing_is_found_out() {
    let data = Data::new();
    let mut setup = Setup { make_watcher: Arc::new(|_| Ok(Box::new(NullWatcher))), ..Setup::default() };
    setup.settings.reconcile_interval = Duration::from_millis(5);
    // Far from the files' times: no event can still be on its way.
    setup.clock = Clock::fixed(UnixMillis(4_000_000_000_000));
    let mut running = Running::caught_up(&data.root, setup);
    data.write("a.jsonl", line(1));
    running.until_output(1);
    assert!(count(&running.status.reconcile_found) > 0);
    assert!(!running.status.polling.load(Ordering::Relaxed));
    running.stop();
}

// Nasty input 41: no watches left, or no watcher.
#[test]
fn a_system_without_watches_left_is_polled() {
    for error in [
        || notify::Error::new(notify::ErrorKind::MaxFilesWatch),
        || notify::Error::io(std::io::Error::from_raw_os_error(24)),
    ] {
        let data = Data::new();
        let mut setup = Setup { make_watcher: Arc::new(move |_| Err(error())), ..Setup::polling() };
        setup.settings.watch = true;
        let mut running = Running::caught_up(&data.root, setup);
        let reason = running.status.words().poll_reason.unwrap();
        assert!(reason.contains("limit"), "{reason}");
        data.write("a.jsonl", line(1));
        running.until_output(1);
        running.stop();
    }
}

/// A watcher that the test speaks for.
#[derive(Clone, Default)]
struct Puppet(Arc<Mutex<Option<Handler>>>);

impl Puppet {
    fn make(&self) -> MakeWatcher {
        let strings = Arc::clone(&self.0);
        Arc::new(move |handler| {
            *strings.lock().expect("no test panics while it speaks") = Some(handler);
            Ok(Box::new(NullWatcher))
        })
    }

    fn say(&self, event: notify::Result<Event>) {
        let mut strings = self.0.lock().expect("no test panics while it speaks");
        strings.as_mut().expect("the source has made its watcher")(event);
    }
}

#[test]
fn lost_events_lead_to_a_scan() {
    let puppet = Puppet::default();
    let data = Data::new();
    let mut running = Running::caught_up(&data.root, Setup { make_watcher: puppet.make(), ..Setup::default() });
    let lost: [fn() -> notify::Result<Event>; 3] = [
        || Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)),
        || Ok(Event::new(EventKind::Any)),
        || Err(notify::Error::generic("lost")),
    ];
    for (number, event) in (1..).zip(lost) {
        data.write("a.jsonl", lines(1..=number));
        puppet.say(event());
        running.until_output(number);
    }
    assert_eq!(count(&running.status.watch_overflows), 1);
    assert_eq!(count(&running.status.watch_errors), 1);
    assert_eq!(count(&running.status.rescans), 3);
    running.stop();
}

#[test]
fn more_names_than_fit_lead_to_a_scan() {
    let puppet = Puppet::default();
    let data = Data::new();
    let mut running = Running::caught_up(&data.root, Setup { make_watcher: puppet.make(), ..Setup::default() });
    data.write("a.jsonl", line(1));
    let mut flood = Event::new(EventKind::Any);
    flood.paths = (0..5000).map(|number| data.at(&format!("{number}.jsonl"))).collect();
    puppet.say(Ok(flood));
    running.until_output(1);
    assert_eq!(count(&running.status.watch_overflows), 1);
    running.stop();
}

#[test]
fn a_watcher_that_runs_out_of_watches_later_is_replaced_by_scans() {
    let puppet = Puppet::default();
    let data = Data::new();
    let mut setup = Setup { make_watcher: puppet.make(), ..Setup::default() };
    setup.settings.poll_interval = Duration::from_millis(5);
    let mut running = Running::caught_up(&data.root, setup);
    puppet.say(Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
    for number in 1..5 {
        data.append("a.jsonl", line(number));
        running.until_output(number);
    }
    assert!(running.status.polling.load(Ordering::Relaxed));
    running.stop();
}

#[test]
fn progress_reaches_its_goal() {
    let data = Data::new();
    for number in 1..20 {
        data.write(&format!("{number}.jsonl"), lines([number, number + 100]));
    }
    data.append("1.jsonl", "half a line");
    let running = Running::caught_up(&data.root, Setup::default());
    let (todo, done) = (count(&running.status.catchup_bytes), count(&running.status.catchup_done_bytes));
    assert!(todo > 19 * 2 * 100);
    assert_eq!(todo, done);
    assert_eq!(count(&running.status.files), 19);
    assert_eq!(running.status.words().roots[0].files, 19);
    running.stop();
}

// Nasty input 39, without the powers that let root read everything.
#[test]
fn what_may_not_be_read_is_read_once_it_may() {
    let (data, mode) = (Data::new(), |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    });
    std::fs::create_dir_all(data.at("closed")).unwrap();
    data.write("a.jsonl", line(1));
    data.write("b.jsonl", line(2));
    data.write("closed/c.jsonl", line(3));
    mode(&data.at("a.jsonl"), 0);
    mode(&data.at("closed"), 0);
    let root = data.root.clone();
    let mut running = std::thread::spawn(move || {
        // Threads that this one starts inherit what it has left.
        use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
        set_capabilities(None, sets).unwrap();
        Running::start(&root, Setup::polling())
    })
    .join()
    .unwrap();
    running.until(|seen| seen.caught_up == 1);
    assert_eq!(running.seen.outputs, [2]);
    let denied = data.checkpoint(&running.seen.stored, "a.jsonl");
    assert!(denied.error.is_some_and(|error| error.to_lowercase().contains("permission")));
    assert!(count(&running.status.io_errors) >= 2, "a file and a directory");
    assert!(running.status.words().last_error.is_some());
    assert_eq!(running.seen.covered.len(), 0, "what could not be looked at is not covered");
    mode(&data.at("a.jsonl"), 0o600);
    mode(&data.at("closed"), 0o700);
    running.until(|seen| seen.sorted() == [1, 2, 3] && !seen.covered.is_empty());
    assert_eq!(data.checkpoint(&running.seen.stored, "a.jsonl").error, None);
    running.stop();
}
