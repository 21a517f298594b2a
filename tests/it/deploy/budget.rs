//! Half a processor and 256 MB, which is what the compose file gives: enough to read everything for the first time and to
//! answer all the while.

use std::io::Write as _;
use std::time::{Duration, Instant};

use claude_token_monitor::synthetic::{self, Noise, Plan};

use crate::house::TestHouse;
use crate::machine::Share;
use crate::parts;
use crate::wait::{pause, within};

/// MiB to read.
fn size() -> u64 {
    if parts::soak() { 1024 } else { 256 }
}

#[test]
fn a_first_read_on_half_a_processor_and_256_mib_serves_throughout() {
    let Some(share) = Share::of("budget", 50, 256) else { return };
    let house = TestHouse::new().through(share.prefix());
    let plan = Plan { bytes: size() << 20, noise: Noise::Usual, ..Plan::default() };
    let truth = synthetic::write(&plan, house.claude()).unwrap();
    let start = Instant::now();
    let mut served = house.spawn::<&str>([]).listening();
    let (mut rounds, mut slowest) = (0, Duration::ZERO);
    let ready = within(Duration::from_secs(600), || {
        let ready = served.ask("/-/ready").expect("an answer").0 == 200;
        for path in ["/-/healthy", "/api/v1/stats/current", "/api/v1/health", "/metrics", "/"] {
            let asked = Instant::now();
            assert_eq!(served.ask(path).expect("an answer").0, 200, "{path}");
            slowest = slowest.max(asked.elapsed());
        }
        rounds += u32::from(!ready);
        pause(Duration::from_millis(50));
        ready.then_some(())
    });
    assert!(ready.is_some(), "not read within ten minutes:\n{}", served.log());
    served.assert_alive();
    let line = format!(
        "MEASURED budget: {} MiB read in {:?} on half a processor; {rounds} rounds of questions meanwhile, the slowest \
         answer after {slowest:?}; {} MiB resident at most, {} MiB charged to its group; out of processor time {} \
         times\n",
        size(),
        start.elapsed(),
        served.peak_kib() / 1024,
        share.peak_mib(),
        share.throttled(),
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(rounds > 0, "it was asked while it read");
    assert!(share.throttled() > 0 && served.peak_kib() < 256 * 1024);
    let counts = served.counts();
    let truth = [truth.responses, truth.totals.tokens.output].map(|count| i64::try_from(count).unwrap());
    assert_eq!([counts.requests, counts.output], truth);
    assert_eq!(served.stop().code(), Some(0));
}
