//! Reproducible randomness: `SplitMix64` and integer tables, no floats, so that a seed means the same bytes everywhere.

/// The `SplitMix64` generator (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

/// A distribution as `(per mille, value)` corners, ascending from 0 to 1000, straight lines between them.
pub(super) type Quantiles = [(u64, u64)];

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Mixes something in, so that what follows depends on it.
    pub(super) fn stir(&mut self, with: u64) {
        self.0 ^= Self(with).next();
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, and without, `bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the upper half of a 128-bit product fits")
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn index(&mut self, len: usize) -> usize {
        let bound = u64::try_from(len).expect("no slice is longer than 64 bits can count");
        usize::try_from(self.below(bound)).expect("it is below a usize")
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    pub(super) fn sample(&mut self, table: &Quantiles) -> u64 {
        interpolate(table, self.below(1_000_000))
    }
}

/// The value of a table at a place given in millionths.
pub(super) fn interpolate(table: &Quantiles, millionths: u64) -> u64 {
    for pair in table.windows(2) {
        let [(from, low), (to, high)] = [pair[0], pair[1]].map(|(place, value)| (place * 1000, value));
        if millionths <= to {
            return low + (high - low) * (millionths - from) / (to - from);
        }
    }
    table.last().map_or(0, |corner| corner.1)
}
