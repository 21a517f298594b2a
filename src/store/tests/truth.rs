//! A small random history and a plain recount of it, which knows nothing of tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::event::{Event, QuerySource, Tally};

const QUARTER: i64 = 900_000;

/// Numbers that look random and are the same every time.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % end.unsigned_abs()).unwrap()
    }

    pub(super) fn one_in(&mut self, n: i64) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len().try_into().unwrap())).unwrap()]
    }
}

pub(super) const ZONES: [&str; 6] =
    ["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe", "Europe/Vienna"];

/// Instants near which clocks are changed: New York forward and back, Lord Howe by half an hour, Apia by a whole day.
const CHANGES: [&str; 5] = [
    "2026-03-08T07:00:00Z",
    "2026-11-01T06:00:00Z",
    "2026-04-04T15:00:00Z",
    "2026-10-03T15:30:00Z",
    "2011-12-30T10:00:00Z",
];

/// A response as the recount knows it.
#[derive(Clone)]
pub(super) struct Fact {
    pub(super) revision: u64,
    pub(super) event: Event,
    /// When it counts: at the beginning of its quarter once its detail is gone.
    pub(super) at: i64,
    pub(super) pruned: bool,
}

/// A history with its recount.
pub(super) struct World {
    /// Keeps the directory.
    _bench: Bench,
    pub(super) readers: Readers,
    pub(super) facts: Vec<Fact>,
    pub(super) prices: Arc<PriceTable>,
    pub(super) dice: Dice,
    /// Roughly the middle of it.
    pub(super) middle: i64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(7_919));
        let mut bench = Bench::new();
        let change: jiff::Timestamp = dice.pick(&CHANGES).parse().unwrap();
        let middle = change.as_millisecond();
        bench.options.clock = Clock::fixed(UnixMillis(middle + 400 * UnixMillis::DAY));
        let mut prices = Arc::new(PriceTable::builtin());
        let mut store = Store::open(&bench.options, Arc::clone(&prices)).unwrap().store;
        let claims: Vec<_> = (0..80 + dice.below(80)).map(|n| any_response(&mut dice, n, middle)).collect();
        for some in claims.chunks(17) {
            bench.commit(&mut store, some.to_vec());
        }
        // Corrections: more output, an earlier time, another owner; and the same id in another way.
        for n in 0..30 {
            let mut again = dice.pick(&claims).clone();
            again.usage.tokens.output += 1 + u64::try_from(n).unwrap();
            again.first_at.0 -= dice.below(3) * 400_000;
            again.owner.at.0 -= dice.below(2) * 1_000;
            if dice.one_in(3) {
                again.owner.session = "s-moved".into();
            }
            if dice.one_in(4) {
                again.usage.request_id = Some("req_other".into());
                again.key.variant = Variant::Anchored("req_other".into());
                again.usage.tokens.input += 5;
            }
            bench.commit(&mut store, vec![again]);
        }
        if dice.one_in(3) {
            drop(store);
            prices = Arc::new(PriceTable::builtin().with_overrides(&overrides()).unwrap());
            store = Store::open(&bench.options, Arc::clone(&prices)).unwrap().store;
            store.reprice(false).unwrap();
        }
        let readers = Readers::new(store.path());
        let mut facts: Vec<Fact> = readers
            .changes_after(0, 10_000)
            .unwrap()
            .into_iter()
            .map(|change| {
                let event = change.after.unwrap();
                Fact { revision: change.revision, at: event.at.0, event, pruned: false }
            })
            .collect();
        if dice.one_in(2) {
            if dice.one_in(2) {
                // A delivery has not got beyond this.
                store.move_cursor("otlp", facts[facts.len() / 2].revision).unwrap();
            }
            let now = UnixMillis(middle + 10 * UnixMillis::DAY);
            store.prune(3, now).unwrap();
            let kept: BTreeSet<u64> =
                readers.changes_after(0, 10_000).unwrap().iter().map(|change| change.revision).collect();
            for fact in &mut facts {
                if !kept.contains(&fact.revision) {
                    (fact.pruned, fact.at) = (true, fact.at.div_euclid(QUARTER) * QUARTER);
                }
            }
        }
        facts.sort_by_key(|fact| (fact.at, fact.revision));
        Self { _bench: bench, readers, facts, prices, dice, middle }
    }

    /// A span that begins and ends anywhere: on full hours, on odd milliseconds, at a response, or never.
    pub(super) fn span(&mut self) -> Span {
        let end = |world: &mut Self| match world.dice.below(5) {
            0 => world.middle + (world.dice.below(240) - 120) * 3_600_000,
            1 => world.facts[usize::try_from(world.dice.below(60)).unwrap()].event.at.0,
            2 => (world.middle + world.dice.below(400_000_000) - 200_000_000).div_euclid(QUARTER) * QUARTER,
            _ => world.middle + world.dice.below(800_000_000) - 400_000_000,
        };
        if self.dice.one_in(8) {
            return Span::ALL;
        }
        let (a, b) = (end(self), end(self));
        Span { from: UnixMillis(a.min(b)), to: UnixMillis(a.max(b)) }
    }

    pub(super) fn filter(&mut self) -> Filter {
        let mut some = |names: &[&str]| -> Vec<Arc<str>> {
            match self.dice.below(5) {
                0 => vec![(*self.dice.pick(names)).into()],
                1 => vec![(*self.dice.pick(names)).into(), (*self.dice.pick(names)).into()],
                _ => Vec::new(),
            }
        };
        let mut filter = Filter {
            models: some(&MODELS),
            projects: some(&PROJECTS),
            sessions: some(&SESSIONS),
            branches: some(&["main", "fix"]),
            sources: some(&["claude"]),
            query_source: None,
        };
        if self.dice.one_in(4) {
            filter.query_source = Some(QuerySource::of(self.dice.one_in(2)));
        }
        if self.dice.one_in(12) {
            filter.models.push("never-heard-of".into());
        }
        if self.dice.one_in(2) {
            return Filter::default();
        }
        filter
    }

    /// The facts that are meant, in the order of time.
    pub(super) fn matching(&self, span: Span, filter: &Filter) -> Vec<&Fact> {
        let any = |names: &[Arc<str>], name: Option<&Arc<str>>| {
            names.is_empty() || name.is_some_and(|name| names.contains(name))
        };
        self.facts
            .iter()
            .filter(|fact| span.from.0 <= fact.at && fact.at < span.to.0)
            .filter(|Fact { event, .. }| {
                any(&filter.models, Some(&event.model))
                    && any(&filter.projects, Some(&event.project))
                    && any(&filter.sessions, Some(&event.session))
                    && any(&filter.branches, event.branch.as_ref())
                    && any(&filter.sources, Some(&"claude".into()))
                    && filter.query_source.is_none_or(|source| source == event.query_source)
            })
            .collect()
    }

    /// What one response adds.
    pub(super) fn sums_of(&self, event: &Event) -> Sums {
        let tally = Tally::of(event.tokens, event.web.searches, event.cost);
        let price = self.prices.find(&event.model).map(|prices| {
            let word = |word: &Option<Arc<str>>| word.clone();
            let (speed, tier, geo) = (word(&event.speed), word(&event.tier), word(&event.geo));
            prices.card(event.at.utc_day(), event.tokens.prompt(), speed.as_deref(), tier.as_deref(), geo.as_deref())
        });
        let costs = price.map_or_else(Costs::default, |card| {
            let cost = |tokens: TokenCounts, searches| card.cost(tokens, searches);
            let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = event.tokens;
            let none = TokenCounts::default();
            Costs {
                input: cost(TokenCounts { input, ..none }, 0),
                output: cost(TokenCounts { output, ..none }, 0),
                cache_write_5m: cost(TokenCounts { cache_write_5m, ..none }, 0),
                cache_write_1h: cost(TokenCounts { cache_write_1h, ..none }, 0),
                cache_read: cost(TokenCounts { cache_read, ..none }, 0),
                web_search: cost(none, event.web.searches),
                unexplained: crate::event::PicoUsd(0),
            }
        });
        Sums { tally, costs }
    }

    pub(super) fn sum<'a>(&self, facts: impl IntoIterator<Item = &'a Fact>) -> Sums {
        let mut sum = Sums::default();
        facts.into_iter().for_each(|fact| sum.add(&self.sums_of(&fact.event)));
        sum
    }

    /// The sums by a name.
    pub(super) fn by<K: Ord>(&self, facts: &[&Fact], name: impl Fn(&Event) -> K) -> BTreeMap<K, Sums> {
        let mut groups: BTreeMap<K, Sums> = BTreeMap::new();
        for fact in facts {
            groups.entry(name(&fact.event)).or_default().add(&self.sums_of(&fact.event));
        }
        groups
    }
}

const MODELS: [&str; 5] = ["claude-sonnet-4-5", "claude-haiku-5-5", "claude-opus-4-6", "glm-5-air", "claude-opus-4-8"];
const PROJECTS: [&str; 3] = ["/work/shop", "/work/site", "/work/api"];
const SESSIONS: [&str; 6] = ["s1", "s2", "s3", "s4", "s5", "s-moved"];

fn any_response(dice: &mut Dice, n: i64, middle: i64) -> UsageRecord {
    let request = (!dice.one_in(4)).then(|| format!("req_{n}"));
    // Bursts, and pauses of more than five hours between them.
    let burst = (dice.below(30) - 15) * 8 * 3_600_000;
    let at = middle + burst + dice.below(4) * 1_700_000 + dice.below(900_000) - NOON;
    let mut record = claim(&format!("msg_{n}"), request.as_deref(), at, 1 + dice.below(500).unsigned_abs());
    record.usage.model = (*dice.pick(&MODELS)).into();
    record.usage.tokens.input = *dice.pick(&[3, 90_000, 99_900, 150_000, 198_900, 250_000]);
    record.usage.tokens.cache_write_1h = *dice.pick(&[0, 60]);
    record.usage.speed = dice.one_in(4).then(|| "fast".into());
    record.usage.geo = dice.one_in(5).then(|| "us".into());
    record.usage.tier = dice.one_in(6).then(|| "batch".into());
    record.usage.web = dice.one_in(5).then_some(WebUse { searches: 2, fetches: 1 });
    record.owner.session = (*dice.pick(&SESSIONS[..5])).into();
    record.owner.project = (*dice.pick(&PROJECTS)).into();
    record.owner.branch = dice.pick(&[None, Some("main"), Some("fix")]).map(Into::into);
    record.owner.sidechain = dice.one_in(3);
    if record.owner.sidechain {
        record.owner.agent = Some((*dice.pick(&["a1", "a2"])).into());
        record.key.variant = Variant::Floating;
    }
    record
}

pub(super) fn overrides() -> Vec<crate::pricing::PriceRow> {
    toml::from_str::<BTreeMap<String, _>>(
        r#"prices = [
            { model = "claude-sonnet-4-5", input = 1, output = 2, cache_write_5m = 3, cache_write_1h = 4, cache_read = 5 },
            { model = "glm-5-air", input = 1, output = 1, cache_write_5m = 1, cache_write_1h = 1, cache_read = 1 },
        ]"#,
    )
    .unwrap()
    .remove("prices")
    .unwrap()
}
