//! What happens to files while nobody looks: each case is one run, a change, and a run that starts where the first ended.

use super::*;

#[test]
fn every_transcript_is_read_once_and_not_again() {
    let (data, mut stored) = (Data::new(), Stored::default());
    std::fs::create_dir_all(data.at("s/subagents")).unwrap();
    data.write("a.jsonl", lines([1, 2]));
    data.write("s/subagents/agent-1.jsonl", line(3));
    data.write("s/subagents/journal.jsonl", line(4));
    data.write("empty.jsonl", "");
    let seen = data.read(&mut stored);
    assert_eq!((seen.sorted(), seen.caught_up, stored.0.len()), (vec![1, 2, 3], 1, 3));
    assert_eq!(seen.tally.bytes, lines([1, 2, 3]).len() as u64);
    assert_eq!(data.checkpoint(&stored, "a.jsonl").offset, lines([1, 2]).len() as u64);
    assert_eq!(seen.covered.len(), 1);
    assert_eq!(seen.covered_at_first, Some(1), "whoever waits for all to be read knows what is covered");

    let seen = data.read(&mut stored);
    assert_eq!((seen.batches, seen.caught_up), (0, 1), "what is unchanged is not even opened");
    data.append("a.jsonl", line(5));
    let seen = data.read(&mut stored);
    assert_eq!((seen.outputs, seen.tally.bytes), (vec![5], line(5).len() as u64));
    assert_eq!(data.checkpoint(&stored, "a.jsonl").tally.lines, 3, "the checkpoint sums up");
}

#[test]
fn claims_of_one_response_leave_as_one() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", line(1).repeat(1000));
    let seen = data.read(&mut stored);
    assert_eq!((seen.outputs, seen.tally.claims), (vec![1], 1000));
}

#[test]
fn a_touched_or_restricted_file_only_moves_its_times() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", line(1));
    data.read(&mut stored);
    let before = data.checkpoint(&stored, "a.jsonl");
    platform::restrict_file(&data.at("a.jsonl")).unwrap();
    let seen = data.read(&mut stored);
    let after = data.checkpoint(&stored, "a.jsonl");
    assert_eq!((seen.tally.bytes, seen.batches), (0, 1));
    assert_eq!(after, Checkpoint { ctime_ns: after.ctime_ns, ..before });
}

// Nasty input 1: a line that is being written.
#[test]
fn half_a_line_waits_for_its_other_half() {
    let (data, mut stored) = (Data::new(), Stored::default());
    let whole = line(2);
    let (first, second) = whole.split_at(40);
    data.write("a.jsonl", line(1) + first);
    assert_eq!(data.read(&mut stored).outputs, [1]);
    assert_eq!(data.checkpoint(&stored, "a.jsonl").offset, line(1).len() as u64);
    assert_eq!(data.read(&mut stored).batches, 0, "a waiting half is no news");
    data.append("a.jsonl", second);
    assert_eq!(data.read(&mut stored).outputs, [2]);
    assert_eq!(data.checkpoint(&stored, "a.jsonl").tally.skipped_total(), 0);
}

#[test]
fn a_last_line_without_newline_counts_once_it_has_rested() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines([1, 2]).trim_end());
    assert_eq!(data.read(&mut stored).outputs, [1], "it may still grow");
    data.age("a.jsonl");
    assert_eq!(data.read(&mut stored).sorted(), [1, 2], "a file that was touched is read again");
    let known = data.checkpoint(&stored, "a.jsonl");
    assert_eq!((known.offset, known.tally.lines), (line(1).len() as u64, 1), "its newline may still come");
    data.append("a.jsonl", "\n");
    assert_eq!(data.read(&mut stored).outputs, [2]);

    // A cut line is no response however long it rests, and neither is half a number.
    data.write("b.jsonl", line(3).trim_end().trim_end_matches('}'));
    data.age("b.jsonl");
    assert!(data.read(&mut stored).outputs.is_empty());
}

#[test]
fn a_last_line_without_newline_may_be_as_odd_as_any_other() {
    let check = |text: &[u8], expected: &[u64]| {
        let (data, mut stored) = (Data::new(), Stored::default());
        data.write("a.jsonl", text);
        data.age("a.jsonl");
        assert_eq!(data.read(&mut stored).sorted(), expected, "{}", text.escape_ascii());
        assert_eq!(data.checkpoint(&stored, "a.jsonl").tally, LineTally::default(), "it may go on");
    };
    let (first, second) = (line(1), line(2));
    let (first, second) = (first.trim_end(), second.trim_end());
    check(format!("{first}\0\0\0").as_bytes(), &[1]);
    check(format!("\0\0\0{first}").as_bytes(), &[1]);
    check(format!("\u{feff}{first}").as_bytes(), &[1]);
    check(format!("{first}{second}").as_bytes(), &[1, 2]);
    check(format!("{first}\r{second}\r").as_bytes(), &[1, 2]);
    check(first.replacen('{', "{\"costUSD\":NaN,", 1).as_bytes(), &[1]);
    check(format!("{first}{}", second.trim_end_matches('}')).as_bytes(), &[1]);
    check(b"12", &[]);
}

#[test]
fn a_line_left_without_newline_by_an_earlier_run_is_taken() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", line(1).trim_end());
    assert!(data.read(&mut stored).outputs.is_empty());
    let later = Clock::fixed(UnixMillis(Clock::system().now().0 + 120_000));
    assert_eq!(data.read_at(&mut stored, later).outputs, [1]);
}

// Nasty input 9: lines of any length, with bounded memory.
#[test]
fn an_endless_line_is_passed_over_and_counted() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", line(1));
    let file = OpenOptions::new().append(true).open(data.at("a.jsonl")).unwrap();
    // A hole: 80 MiB of NUL bytes that take no room on the disk.
    file.set_len(80 << 20).unwrap();
    data.append("a.jsonl", String::from("\n") + &line(2));
    let seen = data.read(&mut stored);
    assert_eq!(seen.outputs, [1, 2]);
    assert_eq!(seen.tally.skipped[crate::status::SkipReason::Oversized as usize], 1);
    let known = data.checkpoint(&stored, "a.jsonl");
    assert_eq!((known.offset, known.tally.bytes, known.tally.lines), (known.size, known.size, 3));
}

// Nasty input 10: a large file without any usage, read in several turns.
#[test]
fn a_file_of_snapshots_is_read_in_turns() {
    let (data, mut stored) = (Data::new(), Stored::default());
    let snapshot = format!("{{\"type\":\"file-history-snapshot\",\"text\":\"{}\"}}\n", "x".repeat(1 << 20));
    data.write("a.jsonl", snapshot.repeat(24) + &line(1));
    data.write("b.jsonl", line(2));
    let seen = data.read(&mut stored);
    assert_eq!((seen.sorted(), seen.tally.lines), (vec![1, 2], 26));
    assert!(seen.batches > 5, "{} batches", seen.batches);
    assert_eq!(data.checkpoint(&stored, "a.jsonl").offset, 24 * snapshot.len() as u64 + line(1).len() as u64);
}

#[test]
fn a_file_is_read_on_where_a_turn_ended() {
    let (data, mut stored) = (Data::new(), Stored::default());
    let filler = format!("{{\"text\":\"{}\"}}\n", "x".repeat(1 << 20));
    let content = line(1) + &filler.repeat(12) + &line(2);
    data.write("a.jsonl", &content);
    let mut running = Running::start(&data.root, Setup { room: 0, ..Setup::default() });
    running.until(|seen| seen.batches == 1);
    // Killed between two batches: what was stored is a position inside the file.
    stored.0 = running.seen.stored.0.clone();
    drop(running.messages);
    running.thread.join().unwrap().unwrap();
    let half = data.checkpoint(&stored, "a.jsonl").offset;
    assert!(half > 4 << 20 && half < 12 << 20, "{half}");
    let seen = data.read(&mut stored);
    assert_eq!((seen.outputs, seen.tally.bytes), (vec![2], content.len() as u64 - half));
}

// Nasty input 30.
#[cfg(target_os = "linux")]
#[test]
fn what_is_no_regular_file_is_left_alone() {
    let (data, mut stored) = (Data::new(), Stored::default());
    std::fs::create_dir(data.at("dir.jsonl")).unwrap();
    data.write("dir.jsonl/inner.jsonl", line(1));
    rustix::fs::mknodat(rustix::fs::CWD, data.at("fifo.jsonl"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(data.at("socket.jsonl")).unwrap();
    assert_eq!(data.read(&mut stored).outputs, [1]);
    assert_eq!(stored.0.len(), 1);
    drop(socket);
}

#[test]
fn utf16_is_refused_where_it_can_be_seen() {
    let (data, mut stored) = (Data::new(), Stored::default());
    let text: Vec<u8> = [0xFEFF].into_iter().chain(line(1).encode_utf16()).flat_map(u16::to_le_bytes).collect();
    data.write("a.jsonl", &text);
    let seen = data.read(&mut stored);
    assert_eq!((seen.outputs, seen.tally.skipped_total()), (vec![], 1));
    assert!(data.checkpoint(&stored, "a.jsonl").error.is_some_and(|error| error.contains("UTF-16")));
    assert_eq!(data.read(&mut stored).batches, 0);
    data.append("a.jsonl", &text);
    let seen = data.read(&mut stored);
    assert_eq!((seen.batches, seen.tally.skipped_total()), (1, 0), "one file is one refusal");
    data.write("a.jsonl", line(1));
    assert_eq!(data.read(&mut stored).outputs, [1]);
    assert_eq!(data.checkpoint(&stored, "a.jsonl").error, None);
}

// Nasty inputs 33 and 34: a compacted session is written anew, shorter, as long as before, or longer.
#[test]
fn a_rewritten_file_is_read_from_its_start() {
    let check = |before: &str, after: &str, expected: &[u64]| {
        let (data, mut stored) = (Data::new(), Stored::default());
        data.write("a.jsonl", before);
        data.read(&mut stored);
        data.write("a.jsonl", after);
        let seen = data.read(&mut stored);
        assert_eq!(seen.sorted(), expected);
        let known = data.checkpoint(&stored, "a.jsonl");
        assert_eq!((known.generation, known.offset, known.tally.bytes), (1, after.len() as u64, after.len() as u64));
    };
    check(&lines([1, 2, 3]), &lines([1, 4]), &[1, 4]);
    check(&lines([1, 2, 3]), &lines([1, 4, 3]), &[1, 3, 4]);
    check(&lines([1, 2, 3]), &lines([4, 5, 6]), &[4, 5, 6]);
    check(&lines([1, 2, 3]), &lines([2, 3, 4, 5]), &[2, 3, 4, 5]);
    check(&lines([1, 2]), &lines([1, 4, 5]), &[1, 4, 5]);
    // Only the middle, far from both ends of what is remembered.
    let with = |number: u64| lines((10..30).chain([number]).chain(30..50));
    check(&with(77), &with(88), &(10..50).chain([88]).collect::<Vec<_>>());
}

#[test]
fn copying_and_truncating_loses_nothing() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines(1..10));
    data.read(&mut stored);
    std::fs::copy(data.at("a.jsonl"), data.at("a.jsonl.1")).unwrap();
    File::options().write(true).open(data.at("a.jsonl")).unwrap().set_len(0).unwrap();
    assert!(data.read(&mut stored).outputs.is_empty());
    data.append("a.jsonl", lines(20..22));
    assert_eq!(data.read(&mut stored).sorted(), [20, 21]);
    File::options().write(true).open(data.at("a.jsonl")).unwrap().set_len(0).unwrap();
    data.append("a.jsonl", lines(30..50));
    assert_eq!(data.read(&mut stored).sorted(), (30..50).collect::<Vec<_>>());
}

// Nasty input 35.
#[test]
fn a_replaced_file_is_told_from_one_that_goes_on() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines([1, 2]));
    data.read(&mut stored);
    data.write("a.tmp", lines([3, 4, 5]));
    data.rename("a.tmp", "a.jsonl");
    assert_eq!(data.read(&mut stored).sorted(), [3, 4, 5]);
    // A tool that copies, appends and renames makes a new inode of the same file.
    data.write("a.tmp", lines([3, 4, 5, 6]));
    data.rename("a.tmp", "a.jsonl");
    let seen = data.read(&mut stored);
    assert_eq!((seen.outputs, seen.tally.bytes), (vec![6], line(6).len() as u64));
    assert_eq!(data.checkpoint(&stored, "a.jsonl").generation, 1);
}

#[test]
fn renumbered_devices_and_inodes_cost_no_reading() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines([1, 2]));
    data.read(&mut stored);
    for known in stored.0.values_mut() {
        (known.device, known.inode) = (known.device + 1, known.inode + 1);
    }
    let seen = data.read(&mut stored);
    assert_eq!((seen.batches, seen.tally.bytes), (1, 0));
}

// Nasty input 36.
#[test]
fn a_renamed_file_goes_on_under_its_new_name() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines([1, 2]));
    data.read(&mut stored);
    data.rename("a.jsonl", "b.jsonl");
    data.append("b.jsonl", line(3));
    let seen = data.read(&mut stored);
    assert_eq!((&seen.outputs[..], seen.tally.bytes), (&[3][..], line(3).len() as u64));
    assert_eq!(seen.renames, [(data.at("a.jsonl"), data.at("b.jsonl"))]);
    assert_eq!(stored.0.len(), 1);
}

#[test]
fn a_renamed_file_that_was_shortened_is_a_new_one() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines([1, 2]));
    data.read(&mut stored);
    data.rename("a.jsonl", "b.jsonl");
    File::options().write(true).open(data.at("b.jsonl")).unwrap().set_len(line(1).len() as u64).unwrap();
    let seen = data.read(&mut stored);
    assert_eq!((&seen.outputs[..], seen.renames.len(), stored.0.len()), (&[1][..], 0, 2));
}

#[test]
fn a_moved_project_moves_its_files() {
    let (data, mut stored) = (Data::new(), Stored::default());
    std::fs::create_dir(data.at("s")).unwrap();
    for number in 1..=5 {
        data.write(&format!("s/{number}.jsonl"), line(number));
    }
    data.read(&mut stored);
    data.rename("/projects/-p", "/projects/-q");
    let seen = data.read(&mut stored);
    assert_eq!((seen.tally.bytes, seen.renames.len(), stored.0.len()), (0, 5, 5));
    assert!(stored.0.values().all(|known| known.gone_at.is_none()));
}

#[test]
fn names_that_swap_are_seen_through() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines([1, 2]));
    data.write("b.jsonl", lines([3, 4]));
    data.read(&mut stored);
    data.rename("a.jsonl", "c");
    data.rename("b.jsonl", "a.jsonl");
    data.rename("c", "b.jsonl");
    data.append("a.jsonl", line(5));
    assert!(data.read(&mut stored).outputs.contains(&5));
    assert_eq!(data.read(&mut stored).batches, 0);
}

#[cfg(unix)]
#[test]
fn a_second_name_of_a_file_is_no_rename() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", line(1));
    data.read(&mut stored);
    std::fs::hard_link(data.at("a.jsonl"), data.at("b.jsonl")).unwrap();
    let seen = data.read(&mut stored);
    assert_eq!((seen.renames.len(), stored.0.len()), (0, 2));
    assert_eq!(seen.outputs, [1], "read twice, claimed twice, counted once");
}

// Nasty input 37.
#[test]
fn a_deleted_file_is_gone_until_it_comes_back() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines([1, 2]));
    data.write("b.jsonl", line(3));
    data.read(&mut stored);
    std::fs::remove_file(data.at("a.jsonl")).unwrap();
    let now = UnixMillis(1_800_000_000_000);
    assert_eq!(data.read_at(&mut stored, Clock::fixed(now)).batches, 1);
    assert_eq!(data.checkpoint(&stored, "a.jsonl").gone_at, Some(now));
    assert_eq!(data.read(&mut stored).batches, 0, "gone once");
    data.write("a.jsonl", lines([4, 5]));
    assert_eq!(data.read(&mut stored).sorted(), [4, 5]);
    assert_eq!(data.checkpoint(&stored, "a.jsonl").gone_at, None);
}

// Nasty input 38: file systems give a freed inode to the next file.
#[test]
fn a_reused_inode_is_another_file() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", lines([1, 2]));
    data.read(&mut stored);
    std::fs::remove_file(data.at("a.jsonl")).unwrap();
    data.write("b.jsonl", lines([3, 4, 5]));
    let reused = platform::open_regular(&data.at("b.jsonl")).unwrap().1.inode;
    stored.0.values_mut().for_each(|known| known.inode = reused);
    let seen = data.read(&mut stored);
    assert_eq!((seen.sorted(), seen.renames.len()), (vec![3, 4, 5], 0));
    assert!(data.checkpoint(&stored, "a.jsonl").gone_at.is_some());
}

// Nasty input 40.
#[test]
fn a_missing_root_is_no_error() {
    let (data, mut stored) = (Data::without_root(), Stored::default());
    let seen = data.read(&mut stored);
    assert_eq!((seen.caught_up, seen.covered.len()), (1, 0), "nothing was looked at, so nothing is covered");
}

// Nasty input 47.
#[cfg(target_os = "linux")]
#[test]
fn a_file_name_is_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let (data, mut stored) = (Data::new(), Stored::default());
    let name = std::ffi::OsStr::from_bytes(b"\xff\"\n.jsonl");
    std::fs::write(data.at("").join(name), line(1)).unwrap();
    assert_eq!(data.read(&mut stored).outputs, [1]);
    let key = stored.0.keys().next().unwrap();
    assert!(key.ends_with(b"\xff\"\n.jsonl"), "{key:?}");
    assert_eq!(data.read(&mut stored).batches, 0);
}

#[test]
fn what_is_remembered_badly_is_read_again() {
    let (data, mut stored) = (Data::new(), Stored::default());
    data.write("a.jsonl", line(1));
    data.read(&mut stored);
    data.append("a.jsonl", line(2));
    stored.0.values_mut().for_each(|known| known.cursor = "{\"of\":\"another version\"}".to_owned());
    assert_eq!(data.read(&mut stored).sorted(), [1, 2]);
}

#[test]
fn the_days_covered_end_now() {
    let (data, mut stored) = (Data::new(), Stored::default());
    let now = UnixMillis(1_800_000_000_000);
    let seen = data.read_at(&mut stored, Clock::fixed(now));
    assert_eq!(seen.covered, [(UnixMillis(now.0 - 30 * UnixMillis::DAY), now)]);
}
