//! D4: a power cut, as near as software comes to it. The database is on a file system of its own; a copy of that file
//! system's image, taken while the program is frozen, holds exactly what had reached the disk.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::counts::Counts;
use crate::house::TestHouse;
use crate::machine::{Mount, alone, may_mount, succeeds};
use crate::parts;
use crate::scribe::{Dice, Scribe};
use crate::wait::pause;

#[test]
fn d04_after_a_power_cut_rows_and_positions_agree() {
    let Some(mkfs) = parts::need("mkfs.ext4") else { return };
    let _alone = alone();
    if !may_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, at) = (dir.path().join("disk"), dir.path().join("mnt"));
    std::fs::File::create(&image).unwrap().set_len(48 << 20).unwrap();
    assert!(succeeds(mkfs, ["-q".as_ref(), "-F".as_ref(), image.as_os_str()]));
    let Some(disk) = Mount::image(&image, &at, "commit=1") else {
        parts::lack("loop devices");
        return;
    };
    let house = TestHouse::new().storing(at.join("monitor.db"));
    let mut scribe = Scribe::new(house.claude());
    let mut dice = Dice::new(4);
    let served = house.serve();
    let mut behind = 0;
    let cuts = if parts::soak() { 500 } else { 20 };
    for cut in 0..cuts {
        for _ in 0..6 {
            scribe.append(&format!("s{}", dice.below(10)), 1 + dice.below(30));
            pause(Duration::from_millis(dice.below(60)));
        }
        served.signal(Signal::STOP);
        let (copy, there) = (dir.path().join("copy"), dir.path().join("there"));
        std::fs::copy(&image, &copy).unwrap();
        let committed = Counts::of_rows(house.database()).map_or(0, |counts| counts.requests);
        served.signal(Signal::CONT);

        let disk = Mount::image(&copy, &there, "commit=1").unwrap();
        behind += u64::from(responses_on(&there) < committed);
        let after = TestHouse::new().reading(house.claude()).storing(there.join("monitor.db"));
        after.ingest();
        let counts = Counts::try_of_database(after.database());
        assert_eq!(counts, Ok(scribe.written), "after cut {cut}");
        drop(disk);
    }
    assert!(behind > 0, "no copy was behind: they show what was in memory, not what was on the disk");
    served.kill();
    drop(disk);
}

/// How many responses a disk holds, asked of a copy of the files so that these stay as the cut left them.
fn responses_on(disk: &Path) -> i64 {
    let copy = tempfile::tempdir().unwrap();
    for name in ["monitor.db", "monitor.db-wal"] {
        if disk.join(name).exists() {
            std::fs::copy(disk.join(name), copy.path().join(name)).unwrap();
        }
    }
    Counts::of_rows(&copy.path().join("monitor.db")).map_or(0, |counts| counts.requests)
}
