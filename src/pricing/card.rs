//! The prices that apply to one response, and what it costs by them.
//!
//! Rules: <https://platform.claude.com/docs/en/about-claude/pricing>.

use std::sync::Arc;

use super::row::{Day, LongContext, Multiplier, Price, PriceRow};
use crate::event::{PicoUsd, TokenCounts};

/// A web search, whatever the model and however it ran: $10 per 1,000.
pub const SEARCH: u64 = 10_000_000_000;

/// The prices of one response with every modifier applied. Equal cards are equal values, so that a store can keep each
/// once. Prices are in pico-dollars per token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "five facts that do not depend on each other")]
pub struct Card {
    /// The model's plain id, or an override's own spelling.
    pub model: Arc<str>,
    /// First day of the row that applies, `YYYY-MM-DD`.
    pub effective_date: Arc<str>,
    /// The prompt was above the model's threshold.
    pub long_context: bool,
    /// The fast price was applied.
    pub fast: bool,
    /// The price of inference in the US was applied.
    pub us: bool,
    /// The batch price was applied.
    pub batch: bool,
    /// The response ran in a way that this table has no price for; that modifier was left out. Or it ran fast when the
    /// model was no longer offered so.
    pub unusual: bool,
    pub input: u64,
    pub output: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    pub cache_read: u64,
    /// Pico-dollars per web search.
    pub search: u64,
}

impl Card {
    /// What a response costs. Exact; the sums of the largest counts there can be still fit.
    pub fn cost(&self, tokens: TokenCounts, searches: u64) -> PicoUsd {
        let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = tokens;
        let parts = [
            (self.input, input),
            (self.output, output),
            (self.cache_write_5m, cache_write_5m),
            (self.cache_write_1h, cache_write_1h),
            (self.cache_read, cache_read),
            (self.search, searches),
        ];
        let cost = parts
            .into_iter()
            .fold(0i128, |sum, (price, count)| sum.saturating_add(i128::from(price).saturating_mul(i128::from(count))));
        PicoUsd(cost)
    }
}

/// All prices of one model. Cheap to clone and to keep.
#[derive(Clone, Debug)]
pub struct ModelPrices {
    model: Arc<Model>,
    fast: bool,
}

/// A model's rows, oldest first; never empty.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: Arc<str>,
    pub(super) rows: Vec<(Arc<str>, PriceRow)>,
}

impl Model {
    /// Sorts the rows by their day.
    pub(super) fn new(name: Arc<str>, mut rows: Vec<PriceRow>) -> Self {
        rows.sort_by_key(|row| row.effective_date);
        Self { name, rows: rows.into_iter().map(|row| (row.effective_date.to_string().into(), row)).collect() }
    }
}

impl ModelPrices {
    pub(super) fn new(model: Arc<Model>, fast: bool) -> Self {
        Self { model, fast }
    }

    /// The model's plain id, or an override's own spelling.
    pub fn model(&self) -> &Arc<str> {
        &self.model.name
    }

    /// Its rows, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = &PriceRow> {
        self.model.rows.iter().map(|(_, row)| row)
    }

    /// The card for a response of the given UTC day (days since 1970-01-01) with a prompt of that many tokens (input,
    /// cache writes and cache reads), and `usage.speed`, `usage.service_tier` and `usage.inference_geo` as the
    /// transcript has them.
    ///
    /// The newest row that is not after the day applies; before the first row, the first. Words without a meaning here
    /// cost nothing extra and make the card `unusual`.
    pub fn card(
        &self,
        utc_day: i64,
        prompt_tokens: u64,
        speed: Option<&str>,
        tier: Option<&str>,
        geo: Option<&str>,
    ) -> Card {
        let newer = self.model.rows.partition_point(|(_, row)| row.effective_date <= Day(utc_day));
        let (date, row) = &self.model.rows[newer.saturating_sub(1)];

        let long = row.long_context.as_ref().filter(|long| prompt_tokens > long.threshold);
        let speed = Modifier::of(speed, "fast", &["standard"], row.fast_multiplier);
        let speed = if self.fast { Modifier::asked(row.fast_multiplier) } else { speed };
        let tier = Modifier::of(tier, "batch", &["standard"], row.batch_multiplier);
        let geo = Modifier::of(geo, "us", &["global", "not_available"], row.us_inference_multiplier);
        let too_late = speed.factor.is_some() && row.fast_until.is_some_and(|last| Day(utc_day) > last);

        let price = |standard: Price, above: fn(&LongContext) -> Price| {
            product(long.map_or(standard, above), [speed, geo, tier])
        };
        Card {
            model: Arc::clone(&self.model.name),
            effective_date: Arc::clone(date),
            long_context: long.is_some(),
            fast: speed.factor.is_some(),
            us: geo.factor.is_some(),
            batch: tier.factor.is_some(),
            unusual: speed.unusual || tier.unusual || geo.unusual || too_late,
            input: price(row.input, |long| long.input),
            output: price(row.output, |long| long.output),
            cache_write_5m: price(row.cache_write_5m, |long| long.cache_write_5m),
            cache_write_1h: price(row.cache_write_1h, |long| long.cache_write_1h),
            cache_read: price(row.cache_read, |long| long.cache_read),
            search: SEARCH,
        }
    }
}

/// What one word of a response does to its prices.
#[derive(Clone, Copy)]
struct Modifier {
    factor: Option<Multiplier>,
    unusual: bool,
}

impl Modifier {
    /// `word` is the one with a price; absence, nothing and the `plain` words have none.
    fn of(said: Option<&str>, word: &str, plain: &[&str], factor: Option<Multiplier>) -> Self {
        match said {
            Some(said) if said == word => Self::asked(factor),
            Some(said) => Self { factor: None, unusual: !said.is_empty() && !plain.contains(&said) },
            None => Self { factor: None, unusual: false },
        }
    }

    fn asked(factor: Option<Multiplier>) -> Self {
        Self { factor, unusual: factor.is_none() }
    }
}

/// The price times all factors, rounded half up to whole pico-dollars: once, at the end.
fn product(price: Price, modifiers: [Modifier; 3]) -> u64 {
    let (value, scale) = modifiers
        .iter()
        .filter_map(|modifier| modifier.factor)
        .fold((u128::from(price.0), 1u128), |(value, scale), factor| {
            (value * u128::from(factor.0), scale * u128::from(Multiplier::ONE.0))
        });
    u64::try_from((value + scale / 2) / scale).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::PriceTable;

    /// A response: its model, day and tokens, and how it ran.
    #[derive(Clone, Copy)]
    struct Response {
        model: &'static str,
        day: &'static str,
        tokens: TokenCounts,
        searches: u64,
        speed: Option<&'static str>,
        tier: Option<&'static str>,
        geo: Option<&'static str>,
    }

    const M: u64 = 1_000_000;
    const NOTHING: TokenCounts =
        TokenCounts { input: 0, output: 0, cache_write_5m: 0, cache_write_1h: 0, cache_read: 0 };
    /// A million of each kind: its cost in dollars is the sum of the five prices.
    const EACH: TokenCounts = TokenCounts { input: M, output: M, cache_write_5m: M, cache_write_1h: M, cache_read: M };

    fn on(model: &'static str, day: &'static str, tokens: TokenCounts) -> Response {
        Response { model, day, tokens, searches: 0, speed: None, tier: None, geo: None }
    }

    fn card(response: Response) -> Card {
        let Response { model, day, tokens, speed, tier, geo, .. } = response;
        let prices = PriceTable::builtin().find(model).expect(model);
        prices.card(day.parse::<Day>().expect(day).0, tokens.prompt(), speed, tier, geo)
    }

    /// `dollars` is a decimal with up to twelve places.
    fn check(response: Response, dollars: &str) {
        let (whole, fraction) = dollars.split_once('.').unwrap_or((dollars, ""));
        let expected: i128 = format!("{whole}{fraction:0<12}").parse().expect("digits");
        assert_eq!(card(response).cost(response.tokens, response.searches), PicoUsd(expected));
    }

    #[test]
    fn the_five_kinds_of_tokens() {
        let day = "2026-11-23";
        check(on("claude-opus-5", day, EACH), "46.75");
        check(on("claude-opus-5", day, TokenCounts { cache_write_5m: M, ..NOTHING }), "6.25");
        check(on("claude-opus-5", day, TokenCounts { cache_write_1h: M, ..NOTHING }), "10");
        check(on("claude-fable-5-2", day, EACH), "74.2");
        check(on("claude-opus-5-5", day, TokenCounts { cache_read: M, ..NOTHING }), "0.2");
        check(on("claude-fable-5-1", day, TokenCounts { cache_read: M, ..NOTHING }), "0.25");
        check(on("claude-fable-5", day, TokenCounts { cache_read: M, ..NOTHING }), "1");
        check(on("claude-sonnet-5", day, TokenCounts { input: M, output: M, ..NOTHING }), "12");
        check(on("claude-haiku-4-5", day, TokenCounts { input: 1, output: 1, ..NOTHING }), "0.000006");
        check(on("claude-opus-5", day, NOTHING), "0");
    }

    #[test]
    fn a_price_is_that_of_the_day() {
        let read = TokenCounts { cache_read: M, ..NOTHING };
        check(on("claude-sonnet-5-5", "2026-10-06", read), "0.2");
        check(on("claude-sonnet-5-5", "2026-10-07", read), "0.1");
        check(on("claude-sonnet-5-5", "2026-01-01", read), "0.2");
        assert_eq!(card(on("claude-sonnet-5-5", "2026-01-01", read)).effective_date.as_ref(), "2026-09-28");
        assert_eq!(card(on("claude-sonnet-5-5", "2026-10-07", read)).effective_date.as_ref(), "2026-10-07");
        // Partner clouds serve a model after Anthropic has retired it.
        check(on("claude-3-haiku", "2026-11-23", TokenCounts { input: M, ..NOTHING }), "0.25");
    }

    #[test]
    fn above_the_threshold_the_whole_request_costs_more() {
        let prompt = |input| TokenCounts { input, output: 1_000, ..NOTHING };
        check(on("claude-haiku-5-5", "2026-10-07", prompt(100_000)), "0.0105");
        check(on("claude-haiku-5-5", "2026-10-07", prompt(100_001)), "0.0525005");
        let mixed =
            TokenCounts { input: 1, cache_write_5m: 30_000, cache_write_1h: 30_000, cache_read: 40_000, output: 0 };
        check(on("claude-haiku-5-5", "2026-10-07", mixed), "0.0507505");
        let output = TokenCounts { output: 500_000, ..prompt(100_000) };
        check(on("claude-haiku-5-5", "2026-10-07", output), "0.26");

        check(on("claude-sonnet-4-5", "2025-10-01", prompt(200_000)), "0.615");
        check(on("claude-sonnet-4-5", "2025-10-01", prompt(200_001)), "1.222506");
        check(on("claude-sonnet-4-6", "2026-03-12", prompt(200_001)), "1.222506");
        check(on("claude-sonnet-4-6", "2026-03-13", prompt(200_001)), "0.615003");
        assert!(card(on("claude-sonnet-4-6", "2026-03-12", prompt(200_001))).long_context);
        assert!(!card(on("claude-sonnet-4-6", "2026-03-12", prompt(200_000))).long_context);
    }

    #[test]
    fn fast_requests() {
        let fast = |model, day, tokens| Response { speed: Some("fast"), ..on(model, day, tokens) };
        let launch = card(fast("claude-opus-4-6", "2026-02-10", TokenCounts { input: 200_001, ..NOTHING }));
        assert_eq!((launch.input, launch.output), (60 * M, 225 * M));
        assert!(launch.long_context && launch.fast && !launch.unusual);
        check(fast("claude-opus-4-6", "2026-02-10", EACH), "486");
        check(fast("claude-opus-5", "2026-11-23", EACH), "93.5");
        check(fast("claude-opus-4-6-fast", "2026-03-13", EACH), "280.5");
        check(on("claude-opus-4-6-fast", "2026-03-13", EACH), "280.5");
        check(fast("claude-haiku-4-5", "2026-03-13", TokenCounts { input: M, ..NOTHING }), "1");
        assert!(card(fast("claude-haiku-4-5", "2026-03-13", NOTHING)).unusual);
        assert!(!card(fast("claude-haiku-4-5", "2026-03-13", NOTHING)).fast);
        assert!(!card(fast("claude-opus-4-7", "2026-07-24", NOTHING)).unusual);
        let late = card(fast("claude-opus-4-7", "2026-07-25", NOTHING));
        assert!(late.fast && late.unusual && late.input == 30 * M);
    }

    #[test]
    fn where_and_when_it_ran() {
        let opus = on("claude-opus-5-5", "2026-11-23", EACH);
        check(opus, "37.2");
        check(Response { geo: Some("us"), ..opus }, "40.92");
        check(Response { tier: Some("batch"), ..opus }, "18.6");
        check(Response { geo: Some("us"), tier: Some("batch"), speed: Some("fast"), ..opus }, "40.92");
        let old =
            Response { geo: Some("us"), ..on("claude-haiku-4-5", "2026-11-23", TokenCounts { input: M, ..NOTHING }) };
        check(old, "1");
        assert!(card(old).unusual && !card(old).us);
    }

    #[test]
    fn words_without_a_price_change_nothing_and_are_noted() {
        let plain = on("claude-opus-5-5", "2026-11-23", EACH);
        let standard = Response { speed: Some("standard"), tier: Some("standard"), geo: Some("global"), ..plain };
        assert_eq!(card(standard), card(plain));
        for geo in ["not_available", ""] {
            assert_eq!(card(Response { geo: Some(geo), ..plain }), card(plain));
        }
        for odd in [
            Response { tier: Some("priority"), ..plain },
            Response { speed: Some("ludicrous"), ..plain },
            Response { geo: Some("moon"), ..plain },
        ] {
            assert_eq!(card(odd), Card { unusual: true, ..card(plain) });
        }
    }

    #[test]
    fn web_searches_have_one_price() {
        let searched = |tokens| Response { searches: 3, ..on("claude-opus-5", "2026-11-23", tokens) };
        check(searched(NOTHING), "0.03");
        let dear = Response { speed: Some("fast"), geo: Some("us"), tier: Some("batch"), ..searched(NOTHING) };
        check(dear, "0.03");
    }

    #[test]
    fn every_built_in_price_is_exact_under_every_modifier() {
        let table = PriceTable::builtin();
        for row in table.rows() {
            let base = [row.input, row.output, row.cache_write_5m, row.cache_write_1h, row.cache_read];
            let long = row.long_context.as_ref().map_or(base, |long| {
                [long.input, long.output, long.cache_write_5m, long.cache_write_1h, long.cache_read]
            });
            let factor = |multiplier: Option<Multiplier>| u128::from(multiplier.unwrap_or(Multiplier::ONE).0);
            let all = factor(row.fast_multiplier) * factor(row.us_inference_multiplier) * factor(row.batch_multiplier);
            for price in base.into_iter().chain(long) {
                assert_eq!(u128::from(price.0) * all % 1_000_000_000, 0, "{} at {price}", row.model);
            }
        }
    }

    #[test]
    fn products_are_rounded_half_up_once() {
        let times = |thousandths| Modifier::asked(Some(Multiplier(thousandths)));
        assert_eq!(product(Price(1), [times(500), times(1000), times(1000)]), 1);
        assert_eq!(product(Price(1), [times(499), times(1000), times(1000)]), 0);
        assert_eq!(product(Price(3), [times(500), times(500), times(2000)]), 2, "1.5, not 0.75 made 1 made 2");
        assert_eq!(product(Price(5), [times(500), times(500), times(1000)]), 1, "1.25, not 2.5 made 3 made 2");
    }

    #[test]
    fn the_largest_counts_do_not_overflow() {
        let most = TokenCounts {
            input: u64::MAX,
            output: u64::MAX,
            cache_write_5m: u64::MAX,
            cache_write_1h: u64::MAX,
            cache_read: u64::MAX,
        };
        let expected = 11_250_000 * i128::from(u64::MAX);
        let card = card(on("claude-opus-5", "2026-11-23", NOTHING));
        let input_and_write = TokenCounts { output: 0, cache_write_1h: 0, cache_read: 0, ..most };
        assert_eq!(card.cost(input_and_write, 0), PicoUsd(expected));
        assert!(card.cost(most, u64::MAX) > PicoUsd(expected));
    }
}
