//! The usage families: what counters show, which is the highest value that each series ever had.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::families::Families;
use super::labels::label_value;
use crate::event::{QuerySource, Tally, TokenCounts};
use crate::hub::Snapshot;

/// Everything that has been used.
#[derive(Debug)]
pub struct Usage {
    pub snapshot: Arc<Snapshot>,
    /// By label value of the model.
    pub series: BTreeMap<(Arc<str>, QuerySource), Tally>,
    pub costs: bool,
}

impl Collector for Usage {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        self.tokens(&mut families)?;
        if self.costs {
            self.cost(&mut families)?;
        }
        families.counter(
            "claude_code_session_count",
            "Sessions with at least one response",
            &self.snapshot.session_count,
        )?;
        self.details(&mut families)?;
        self.estimates(&mut families)
    }
}

impl Usage {
    fn tokens(&self, families: &mut Families<'_>) -> fmt::Result {
        let samples = self.series.iter().flat_map(|((model, source), tally)| {
            kinds(tally.tokens)
                .map(|(kind, count)| ([("type", kind), ("model", &**model), ("query_source", source.name())], count))
        });
        let unit = Unit::Other("tokens".to_owned());
        families.counters("claude_code_token_usage", "Tokens used, each response counted once", Some(&unit), samples)
    }

    fn cost(&self, families: &mut Families<'_>) -> fmt::Result {
        // What is wholly without a price has an unknown cost, which is not zero.
        let known = self.series.iter().filter(|(_, tally)| tally.unpriced_tokens == 0 || tally.cost.0 > 0);
        let samples = known
            .map(|((model, source), tally)| ([("model", &**model), ("query_source", source.name())], tally.cost.usd()));
        let unit = Unit::Other("USD".to_owned());
        let help = "Estimated cost at API list prices of the day of each response";
        families.counters("claude_code_cost_usage", help, Some(&unit), samples)
    }

    /// What Claude Code's own telemetry does not have.
    fn details(&self, families: &mut Families<'_>) -> fmt::Result {
        let samples = self
            .series
            .iter()
            .map(|((model, source), tally)| ([("model", &**model), ("query_source", source.name())], tally.requests));
        families.counters("claude_token_monitor_api_requests", "Responses, each counted once", None, samples)?;

        let mut models = BTreeMap::<&str, Tally>::new();
        for ((model, _), tally) in &self.series {
            models.entry(model).or_default().add(tally);
        }
        let samples = models.iter().flat_map(|(model, tally)| {
            [("5m", tally.tokens.cache_write_5m), ("1h", tally.tokens.cache_write_1h)]
                .map(|(ttl, count)| ([("model", *model), ("ttl", ttl)], count))
        });
        let help = "Tokens written to caches, by time to live; part of type=\"cacheCreation\"";
        let unit = Unit::Other("tokens".to_owned());
        families.counters("claude_token_monitor_cache_creation", help, Some(&unit), samples)?;

        let samples = models.iter().map(|(model, tally)| ([("model", *model)], tally.unpriced_tokens));
        let help = "Tokens of models without a price; they are in no cost";
        families.counters("claude_token_monitor_unpriced", help, Some(&unit), samples)?;

        let samples = models.iter().map(|(model, tally)| ([("model", *model)], tally.searches));
        families.counters("claude_token_monitor_web_searches", "Billed web searches", None, samples)?;

        let newest = self.snapshot.last_event_at.map(super::own::seconds);
        let help = "When the newest response was made";
        families.gauge("claude_token_monitor_last_event_timestamp_seconds", help, newest)
    }

    /// What Claude Code's own statistics claim: not de-duplicated, often old, and so never part of a counter.
    fn estimates(&self, families: &mut Families<'_>) -> fmt::Result {
        let mut models = BTreeMap::<Arc<str>, TokenCounts>::new();
        for (model, tokens) in &self.snapshot.estimates {
            let mut tally = Tally { tokens: *tokens, ..Tally::default() };
            let sum = models.entry(label_value(model)).or_default();
            tally.add(&Tally { tokens: *sum, ..Tally::default() });
            *sum = tally.tokens;
        }
        let samples = models.iter().take(super::labels::MOST).flat_map(|(model, tokens)| {
            kinds(*tokens).map(|(kind, count)| ([("type", kind), ("model", &**model)], count))
        });
        let help = "Lifetime tokens as Claude Code's own statistics state them, not de-duplicated";
        families.gauges("claude_token_monitor_stats_cache_tokens", help, samples)
    }
}

/// The four values of the label `type`.
fn kinds(tokens: TokenCounts) -> [(&'static str, u64); 4] {
    let TokenCounts { input, output, cache_write_5m: _, cache_write_1h: _, cache_read } = tokens;
    [("input", input), ("output", output), ("cacheRead", cache_read), ("cacheCreation", tokens.cache_write())]
}
