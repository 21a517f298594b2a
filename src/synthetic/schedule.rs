//! How large files are and when sessions happen.

use crate::event::UnixMillis;

use super::Plan;
use super::rng::{Rng, interpolate};
use super::time;

/// File sizes for a typical file of 100 KB: with the short files of side questions added, half of all files are below
/// that, a tenth above 650 KB, a hundredth above 5 MB. Between those corners the logarithm grows evenly.
const SIZES: [(u64, u64); 15] = [
    (0, 2_000),
    (125, 5_500),
    (250, 15_000),
    (375, 45_000),
    (500, 130_000),
    (600, 190_000),
    (700, 290_000),
    (800, 450_000),
    (900, 720_000),
    (930, 1_280_000),
    (960, 2_530_000),
    (990, 5_000_000),
    (994, 14_000_000),
    (997, 33_000_000),
    (1000, 90_000_000),
];

/// No file is larger than so many per cent of all.
const LARGEST_PERCENT: u64 = 7;

/// The sizes of all files, in random order.
pub(super) fn file_sizes(plan: &Plan, rng: &mut Rng) -> Vec<u64> {
    let largest = (plan.bytes * LARGEST_PERCENT / 100).max(1);
    let size_at = |millionths| (interpolate(&SIZES, millionths) * plan.typical_file_bytes / 100_000).clamp(1, largest);
    let mean = (0..1000).map(|place| size_at(place * 1000 + 500)).sum::<u64>() / 1000;
    let count = (plan.bytes / mean.max(1)).max(1);
    let mut sizes: Vec<u64> = (0..count).map(|place| size_at((2 * place + 1) * 500_000 / count)).collect();
    rng.shuffle(&mut sizes);
    sizes
}

/// How lively an hour of the UTC day is, of 100.
const HOURS: [u64; 24] = [6, 3, 2, 1, 1, 3, 10, 30, 65, 90, 100, 95, 60, 75, 95, 100, 90, 70, 45, 35, 40, 35, 22, 12];

/// When a session of some length begins: mostly in working hours, seldom at weekends, more often lately.
pub(super) fn start(plan: &Plan, rng: &mut Rng, length_ms: u64) -> UnixMillis {
    let day = UnixMillis::DAY.unsigned_abs();
    let window = u64::from(plan.days.max(1)) * day;
    let room = window.saturating_sub(length_ms).max(1);
    let first = time::before(plan.end, window);
    let mut at = first;
    for _ in 0..12 {
        let offset = rng.below(room);
        at = time::after(first, offset);
        let hour = usize::try_from(at.0.rem_euclid(UnixMillis::DAY) / 3_600_000).unwrap_or(0);
        // 1970-01-01 was a Thursday.
        let weekend = matches!(at.utc_day().rem_euclid(7), 2 | 3);
        let recency = 45 + 55 * offset / window;
        let chance = HOURS[hour] * recency / if weekend { 400 } else { 100 };
        if rng.below(100) < chance {
            break;
        }
    }
    at
}
