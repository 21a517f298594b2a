//! S6: as many questions as a busy house asks while transcripts grow faster than anybody types, with half a processor and
//! 256 MB. Questions come by the clock, whether or not the last ones have been answered.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::measured;
use crate::house::{Served, TestHouse};
use crate::machine::Share;
use crate::parts;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, pause};

/// What is asked for, in turn.
const MIX: [&str; 12] = [
    "/api/v1/stats/current",
    "/api/v1/health",
    "/api/v1/stats/current",
    "/metrics",
    "/api/v1/stats/models",
    "/api/v1/stats/current",
    "/",
    "/api/v1/stats/history?limit=20",
    "/api/v1/stats/trends",
    "/api/v1/stats/projects",
    "/api/v1/stats/sessions",
    "/-/ready",
];

/// So many a second, for so many seconds. A build for debugging does everything several times slower, so it is asked
/// several times less; `make soak` asks for all of it.
struct Load {
    questions: u32,
    responses: u64,
    seconds: u32,
}

impl Load {
    fn new() -> Self {
        let seconds = if parts::soak() { 300 } else { 20 };
        if cfg!(debug_assertions) {
            Self { questions: 400, responses: 2500, seconds }
        } else {
            Self { questions: 1000, responses: 5000, seconds }
        }
    }
}

/// Questions that nobody has answered yet stand in line behind so many.
const ASKERS: usize = 32;

/// How long each answer took from when its question was due.
fn ask(served: &Served, load: &Load, start: Instant) -> Vec<Duration> {
    let next = AtomicU32::new(0);
    thread::scope(|scope| {
        let askers: Vec<_> = (0..ASKERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut times = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= load.questions * load.seconds {
                            return times;
                        }
                        let due = start + Duration::from_secs(1) * number / load.questions;
                        pause(due.saturating_duration_since(Instant::now()));
                        let path = MIX[number as usize % MIX.len()];
                        let (status, _) = served.ask(path).expect("an answer");
                        assert_eq!(status, 200, "{path}");
                        times.push(due.elapsed());
                    }
                })
            })
            .collect();
        let mut times: Vec<Duration> = askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect();
        times.sort();
        times
    })
}

/// Writes by the clock, into a hundred sessions.
fn write(scribe: &mut Scribe, load: &Load, start: Instant) {
    const TICKS: u32 = 20;
    for tick in 0..load.seconds * TICKS {
        pause((start + Duration::from_secs(1) * tick / TICKS).saturating_duration_since(Instant::now()));
        for part in 0..5 {
            scribe.append(&format!("s{}", (tick * 5 + part) % 100), load.responses / u64::from(TICKS) / 5);
        }
    }
}

#[test]
fn s6_questions_and_transcripts_at_once_on_half_a_processor() {
    let Some(share) = Share::of("s6", 50, 256) else { return };
    let house = TestHouse::new().through(share.prefix());
    let mut scribe = Scribe::new(house.claude());
    scribe.append("s0", 1000);
    let served = house.serve();
    let (load, start) = (Load::new(), Instant::now());
    let (times, behind) = thread::scope(|scope| {
        let times = scope.spawn(|| ask(&served, &load, start));
        write(&mut scribe, &load, start);
        let behind = scribe.written.requests - served.counts().requests;
        (times.join().unwrap(), behind)
    });
    let share_of_time = |hundredths: usize| times[times.len() * hundredths / 100];
    measured(&format!(
        "{} answers, 50 of 100 within {:?}, 95 within {:?}, 99 within {:?}; {behind} of {} responses behind at the end; \
         {} MiB; out of processor time {} times",
        times.len(),
        share_of_time(50),
        share_of_time(95),
        share_of_time(99),
        scribe.written.requests,
        share.peak_mib(),
        share.throttled(),
    ));
    // It keeps up: what is not there yet was written a moment ago, and not since the beginning.
    assert!(behind < scribe.written.requests / 2, "{behind} of {} are missing", scribe.written.requests);
    served.wait_counts(scribe.written, PATIENCE);
    assert!(served.peak_kib() < 128 * 1024, "{} KiB", served.peak_kib());
    assert_eq!(served.stop().code(), Some(0));
}
