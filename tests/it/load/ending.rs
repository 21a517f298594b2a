//! S11: SIGTERM while there is most to do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::clients::{Over, ask, connect};
use super::measured;
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, pause, within};

#[test]
fn s11_sigterm_under_load_ends_in_order_and_loses_nothing() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("s0", 500);
    let mut served = house.serve();
    let idle = connect(&served, "127.0.0.2", 100, None);
    let over = AtomicBool::new(false);
    let ended = thread::scope(|scope| {
        let _over = Over(&over);
        for path in ["/", "/metrics", "/api/v1/stats/current", "/api/v1/health"] {
            let (address, over) = (served.address().to_owned(), &over);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // No answer is all right for whoever asks a server that is leaving; a wrong one is not.
                    let Ok((status, _)) = ask(&address, path) else { continue };
                    assert!(status < 500, "{path}: {status}");
                }
            });
        }
        let (over, scribe) = (&over, &mut scribe);
        scope.spawn(move || {
            for session in (0..40).cycle().take_while(|_| !over.load(Ordering::Relaxed)) {
                scribe.append(&format!("s{session}"), 50);
            }
        });
        pause(Duration::from_secs(1));
        served.signal(Signal::TERM);
        let since = Instant::now();
        let ended = within(PATIENCE, || served.has_ended());
        measured(&format!("ended {:?} after SIGTERM", since.elapsed()));
        ended
    });
    drop(idle);
    let log = served.log();
    assert_eq!(ended.and_then(|status| status.code()), Some(0), "{log}");
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "{log}");
    let left = std::fs::metadata(house.database().with_file_name("monitor.db-wal")).map_or(0, |file| file.len());
    assert_eq!(left, 0, "the write-ahead log is folded in");
    house.ingest();
    assert_eq!(house.counts(), scribe.written);
}
