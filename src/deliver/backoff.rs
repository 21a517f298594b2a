//! How long to wait before the next try: exponential with full jitter, so that many who failed together do not come back
//! together. See <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.

use std::time::Duration;

/// However lucky the draw, a receiver in trouble gets this long.
const LEAST: Duration = Duration::from_millis(10);

/// Pauses between tries that fail in a row.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    initial: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(initial: Duration, most: Duration) -> Self {
        Self { initial, most, failures: 0 }
    }

    /// Something arrived.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The pause after one more failure. Never shorter than what the receiver asked for.
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        // Without randomness from the system, the middle.
        let draw = getrandom::u64().unwrap_or(u64::MAX / 2);
        self.next_drawn(asked, draw)
    }

    fn next_drawn(&mut self, asked: Option<Duration>, draw: u64) -> Duration {
        let doubled = self.initial.saturating_mul(1_u32.checked_shl(self.failures.min(31)).unwrap_or(u32::MAX));
        let ceiling = doubled.min(self.most);
        self.failures = self.failures.saturating_add(1);
        let nanos = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        // The upper half of the product is the draw scaled to the ceiling.
        let scaled = (u128::from(nanos) * u128::from(draw)) >> 64;
        let pause = Duration::from_nanos(u64::try_from(scaled).unwrap_or(nanos));
        pause.max(LEAST).max(asked.unwrap_or_default())
    }

    /// The longest pause, for what only a change of settings mends.
    pub(super) fn slowest(&self) -> Duration {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_ceiling_doubles_until_the_most() {
        let mut backoff = Backoff::new(SECOND, SECOND * 10);
        let ceilings: Vec<u128> = (0..6).map(|_| backoff.next_drawn(None, u64::MAX).as_millis() + 1).collect();
        assert_eq!(ceilings, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
        backoff.reset();
        assert!(backoff.next_drawn(None, u64::MAX) <= SECOND);
    }

    #[test]
    fn the_draw_is_from_nothing_to_the_ceiling() {
        let check = |draw: u64, expected: Duration| {
            assert_eq!(Backoff::new(SECOND, SECOND * 60).next_drawn(None, draw), expected, "{draw}");
        };
        check(0, LEAST);
        check(1 << 63, SECOND / 2);
        check(1 << 62, SECOND / 4);
    }

    #[test]
    fn what_the_receiver_asks_for_is_the_least() {
        let mut backoff = Backoff::new(SECOND, SECOND * 60);
        assert_eq!(backoff.next_drawn(Some(SECOND * 30), u64::MAX), SECOND * 30);
        assert_eq!(backoff.next_drawn(Some(SECOND), 1 << 63), SECOND);
    }

    #[test]
    fn many_failures_do_not_overflow() {
        let mut backoff = Backoff::new(SECOND * 3_600, SECOND * 86_400);
        for _ in 0..100 {
            assert!(backoff.next(None) <= SECOND * 86_400);
        }
    }
}
