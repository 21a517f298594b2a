//! Positions, and the round numbers of an axis.

/// A position or a length, at most two decimals.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Coordinate(pub f64);

impl std::fmt::Display for Coordinate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.2}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// An axis from zero to a round number that nothing is larger than.
pub(super) struct Scale {
    /// Between two lines.
    pub(super) step: u128,
    pub(super) lines: u128,
}

impl Scale {
    /// Steps are 1, 2 or 5 times a power of ten and of `grain`, the smallest amount that is worth a line.
    pub(super) fn of(largest: u128, grain: u128) -> Self {
        const MOST: u128 = 4;
        let mut power = grain.max(1);
        loop {
            for factor in [1, 2, 5] {
                let step = power.saturating_mul(factor);
                if largest.div_ceil(step) <= MOST {
                    return Self { step, lines: largest.div_ceil(step) };
                }
            }
            power = power.saturating_mul(10);
        }
    }

    /// The amounts at the lines, zero first.
    pub(super) fn amounts(&self) -> impl Iterator<Item = u128> {
        (0..=self.lines).map(|line| self.step.saturating_mul(line))
    }

    /// Where an amount is, 0 at the bottom and 1 at the top.
    pub(super) fn share(&self, amount: u128) -> f64 {
        share(amount, self.step.saturating_mul(self.lines))
    }
}

/// `part` of `whole`, 0 to 1; nothing of nothing is nothing.
#[expect(clippy::cast_precision_loss, reason = "for the eye")]
pub fn share(part: u128, whole: u128) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_steps() {
        fn check(largest: u128, grain: u128, expected: &[u128]) {
            assert_eq!(Scale::of(largest, grain).amounts().collect::<Vec<_>>(), expected, "{largest}");
        }
        check(0, 1, &[0]);
        check(1, 1, &[0, 1]);
        check(4, 1, &[0, 1, 2, 3, 4]);
        check(5, 1, &[0, 2, 4, 6]);
        check(11, 1, &[0, 5, 10, 15]);
        check(100, 1, &[0, 50, 100]);
        check(1_234_567, 1, &[0, 500_000, 1_000_000, 1_500_000]);
        check(3, 100, &[0, 100]);
        check(250, 100, &[0, 100, 200, 300]);
    }

    #[test]
    fn the_largest_number_there_is_has_an_axis() {
        let scale = Scale::of(u128::MAX, 1);
        assert!((2..=4).contains(&scale.lines), "{}", scale.lines);
        assert!((0.8..=1.0).contains(&scale.share(u128::MAX)));
    }

    #[test]
    fn places() {
        let scale = Scale::of(30, 1);
        let places = [0, 15, 30, 99].map(|amount| Coordinate(scale.share(amount) * 100.0).to_string());
        assert_eq!(places, ["0", "50", "100", "100"]);
        assert!(Scale::of(0, 1).share(0).abs() < f64::EPSILON);
        assert_eq!([0.0, 12.0, 12.345, -0.5].map(|at| Coordinate(at).to_string()), ["0", "12", "12.35", "-0.5"]);
    }
}
