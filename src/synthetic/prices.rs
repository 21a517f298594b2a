//! The truth's own price list: a handful of models with their prices copied by hand from the public pages, and its own
//! arithmetic, so that a mistake in the real price table or its reader cannot hide.
//!
//! Sources: <https://platform.claude.com/docs/en/about-claude/pricing> and the models' own pages below
//! <https://platform.claude.com/docs/en/models/>, read in November 2026.

use crate::event::{PicoUsd, TokenCounts};

use super::rng::Rng;

/// A model as transcripts name it, when this generator uses it, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    pub(super) id: &'static str,
    /// First and last UTC day of use.
    from: &'static str,
    until: &'static str,
    weight: u64,
    card: Option<Card>,
    /// The whole request costs this where the prompt is longer than so many tokens.
    long: Option<(u64, Card)>,
    /// From this UTC day on, a cache read costs so much.
    later_read: Option<(&'static str, u64)>,
    /// What fast mode multiplies token prices by, where there is one.
    fast: Option<u64>,
    /// Inference in the US only costs a tenth more.
    us: bool,
}

/// Uncached input, 5-minute write, 1-hour write, cache read and output, in pico-dollars per token, which are millionths
/// of a dollar per million tokens.
type Card = [u64; 5];

/// Ten dollars per thousand web searches, in pico-dollars each.
const SEARCH: u64 = 10_000_000_000;

const OPEN: &str = "9999-12-31";

pub(super) static MODELS: [Model; 11] = [
    Model::new("claude-opus-5-5", ["2026-09-22", OPEN], 32, [4_000_000, 5_000_000, 8_000_000, 200_000, 20_000_000])
        .fast(2)
        .us(),
    Model::new("claude-sonnet-5-5", ["2026-09-28", OPEN], 28, [2_000_000, 2_500_000, 4_000_000, 200_000, 10_000_000])
        .later_read("2026-10-07", 100_000)
        .us(),
    Model::new("claude-haiku-5-5", ["2026-10-07", OPEN], 14, [100_000, 125_000, 200_000, 10_000, 500_000])
        .long(100_000, [500_000, 625_000, 1_000_000, 50_000, 2_500_000])
        .us(),
    Model::new(ADVISOR, ["2026-09-01", OPEN], 5, [10_000_000, 12_500_000, 20_000_000, 250_000, 50_000_000]).us(),
    Model::new(
        "claude-sonnet-5",
        ["2026-06-30", "2026-10-31"],
        16,
        [2_000_000, 2_500_000, 4_000_000, 200_000, 10_000_000],
    )
    .us(),
    Model::new(
        "claude-opus-4-8",
        ["2026-05-29", "2026-10-31"],
        10,
        [5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000],
    )
    .fast(2)
    .us(),
    Model::new(
        "claude-haiku-4-5-20251001",
        ["2025-10-15", OPEN],
        8,
        [1_000_000, 1_250_000, 2_000_000, 100_000, 5_000_000],
    ),
    Model::new(
        "claude-sonnet-4-5-20250929",
        ["2025-09-29", "2026-11-29"],
        6,
        [3_000_000, 3_750_000, 6_000_000, 300_000, 15_000_000],
    )
    .long(200_000, [6_000_000, 7_500_000, 12_000_000, 600_000, 22_500_000]),
    // Opus 4.5 as Amazon Bedrock names it.
    Model::new(
        "global.anthropic.claude-opus-4-5-20251101-v1:0",
        ["2025-11-24", OPEN],
        2,
        [5_000_000, 6_250_000, 10_000_000, 500_000, 25_000_000],
    ),
    Model::new(
        "claude-opus-4-1-20250805",
        ["0000-01-01", "2026-08-04"],
        6,
        [15_000_000, 18_750_000, 30_000_000, 1_500_000, 75_000_000],
    ),
    // Another maker's model behind a gateway: its tokens count, its cost is unknown.
    Model::unpriced("qwen3-coder-plus", "2025-08-01", 1),
];

/// The id of the model that advisor iterations are billed to.
const ADVISOR: &str = "claude-fable-5-1";

/// Stands for a line that names no model.
pub(super) static UNKNOWN: Model = Model::unpriced("unknown", "0000-01-01", 0);

/// What a response is billed for beside its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bill {
    pub(super) fast: bool,
    pub(super) us: bool,
    pub(super) searches: u64,
}

impl Model {
    const fn unpriced(id: &'static str, from: &'static str, weight: u64) -> Self {
        Self { id, from, until: OPEN, weight, card: None, long: None, later_read: None, fast: None, us: false }
    }

    const fn new(id: &'static str, [from, until]: [&'static str; 2], weight: u64, card: Card) -> Self {
        Self { until, card: Some(card), ..Self::unpriced(id, from, weight) }
    }

    const fn long(self, threshold: u64, card: Card) -> Self {
        Self { long: Some((threshold, card)), ..self }
    }

    const fn later_read(self, since: &'static str, price: u64) -> Self {
        Self { later_read: Some((since, price)), ..self }
    }

    const fn fast(self, factor: u64) -> Self {
        Self { fast: Some(factor), ..self }
    }

    const fn us(self) -> Self {
        Self { us: true, ..self }
    }

    /// One of the models in use on a UTC day.
    pub(super) fn pick(rng: &mut Rng, day: &str) -> &'static Self {
        let in_use = || MODELS.iter().filter(|model| model.in_use(day));
        let mut left = rng.below(in_use().map(|model| model.weight).sum());
        for model in in_use() {
            if left < model.weight {
                return model;
            }
            left -= model.weight;
        }
        &UNKNOWN
    }

    pub(super) fn in_use(&self, day: &str) -> bool {
        self.weight > 0 && self.from <= day && day <= self.until
    }

    /// The advisor, once it exists.
    pub(super) fn advisor(day: &str) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.id == ADVISOR && model.from <= day)
    }

    pub(super) fn has_fast(&self) -> bool {
        self.fast.is_some()
    }

    pub(super) fn has_us(&self) -> bool {
        self.us
    }

    /// The prompt length above which the model costs more.
    pub(super) fn threshold(&self) -> Option<u64> {
        self.long.map(|(threshold, _)| threshold)
    }

    /// What a response costs; nothing is known of a model without a price.
    pub(super) fn cost(&self, day: &str, tokens: TokenCounts, bill: Bill) -> Option<PicoUsd> {
        let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = tokens;
        let mut card = self.card?;
        if let Some((since, price)) = self.later_read
            && day >= since
        {
            card[3] = price;
        }
        if let Some((threshold, long)) = self.long
            && input + cache_write_5m + cache_write_1h + cache_read > threshold
        {
            card = long;
        }
        let counts = [input, cache_write_5m, cache_write_1h, cache_read, output];
        let mut pico =
            card.iter().zip(counts).map(|(price, count)| i128::from(*price) * i128::from(count)).sum::<i128>();
        if bill.fast {
            pico *= i128::from(self.fast.unwrap_or(1));
        }
        if bill.us && self.us {
            // Exact: every price is a multiple of ten.
            pico = pico * 11 / 10;
        }
        Some(PicoUsd(pico + i128::from(SEARCH) * i128::from(bill.searches)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, day: &str, tokens: TokenCounts, bill: Bill, expected: Option<i128>) {
        let model = MODELS.iter().find(|model| model.id == id).unwrap();
        assert_eq!(model.cost(day, tokens, bill), expected.map(PicoUsd), "{id} on {day}");
    }

    fn tokens(input: u64, output: u64, five_minutes: u64, one_hour: u64, cache_read: u64) -> TokenCounts {
        TokenCounts { input, output, cache_write_5m: five_minutes, cache_write_1h: one_hour, cache_read }
    }

    #[test]
    fn costs_are_what_a_pocket_calculator_says() {
        let plain = Bill::default();
        // 3 x $4 + 412 x $20 + 5,200 x $8 + 88,000 x $0.20, per million.
        let opus = tokens(3, 412, 0, 5200, 88_000);
        check("claude-opus-5-5", "2026-11-20", opus, plain, Some(67_452_000_000));
        check("claude-opus-5-5", "2026-11-20", opus, Bill { fast: true, ..plain }, Some(134_904_000_000));
        // Twice the price, a tenth more for the US, and two searches at a cent.
        let all = Bill { fast: true, us: true, searches: 2 };
        check("claude-opus-5-5", "2026-11-20", opus, all, Some(168_394_400_000));
        // The read price halved on 2026-10-07.
        let read = tokens(0, 0, 0, 0, 1000);
        check("claude-sonnet-5-5", "2026-10-06", read, plain, Some(200_000_000));
        check("claude-sonnet-5-5", "2026-10-07", read, plain, Some(100_000_000));
        // Above 100,000 prompt tokens everything costs more, output included; at 100,000 nothing does.
        check("claude-haiku-5-5", "2026-11-01", tokens(0, 10, 0, 0, 100_000), plain, Some(1_005_000_000));
        check("claude-haiku-5-5", "2026-11-01", tokens(1, 10, 0, 0, 100_000), plain, Some(5_025_500_000));
        check("claude-sonnet-4-5-20250929", "2026-11-01", tokens(0, 1, 0, 1, 200_000), plain, Some(120_034_500_000));
        check("qwen3-coder-plus", "2026-11-01", opus, all, None);
    }
}
