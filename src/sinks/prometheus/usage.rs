//! The usage families: what counters show, which is the highest value that each series ever had.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;

use super::config::{Config, Projects, Sessions};
use super::families::Families;
use super::labels::label_value;
use super::projects::{Names, OTHERS};
use crate::clock::Calendar;
use crate::event::{QuerySource, Tally, TokenCounts};
use crate::hub::{Direction, MODEL_PLACES, Snapshot};

/// The histogram whose buckets have exemplars.
pub const REQUEST_TOKENS: &str = "claude_token_monitor_request_tokens";

/// Everything that has been used.
pub struct Usage {
    pub config: Arc<Config>,
    pub snapshot: Arc<Snapshot>,
    /// By label value of the model.
    pub series: BTreeMap<(Arc<str>, QuerySource), Tally>,
    pub calendar: Calendar,
    pub costs: bool,
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Usage").field("revision", &self.snapshot.revision).finish_non_exhaustive()
    }
}

impl Collector for Usage {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        for prefix in self.config.profile.prefixes() {
            self.tokens(&mut families, prefix)?;
            if self.costs {
                self.cost(&mut families, prefix)?;
            }
            let name = format!("{prefix}_session_count");
            families.counter(&name, "Sessions with at least one response", &self.snapshot.session_count)?;
        }
        self.details(&mut families)?;
        self.request_sizes(&mut families)?;
        let mut names = Names::new(self.config.project_label);
        if self.config.projects == Projects::Top {
            self.projects(&mut families, &mut names)?;
        }
        if self.config.sessions == Sessions::Active {
            self.sessions(&mut families, &mut names)?;
        }
        if self.costs {
            self.budgets(&mut families)?;
        }
        self.estimates(&mut families)
    }
}

impl Usage {
    fn tokens(&self, families: &mut Families<'_>, prefix: &str) -> fmt::Result {
        let samples = self.series.iter().flat_map(|((model, source), tally)| {
            kinds(tally.tokens)
                .map(|(kind, count)| ([("type", kind), ("model", &**model), ("query_source", source.name())], count))
        });
        let name = format!("{prefix}_token_usage");
        families.counters(&name, "Tokens used, each response counted once", Some(&tokens()), samples)
    }

    fn cost(&self, families: &mut Families<'_>, prefix: &str) -> fmt::Result {
        let known = self.series.iter().filter(|(_, tally)| is_known(tally));
        let samples = known
            .map(|((model, source), tally)| ([("model", &**model), ("query_source", source.name())], tally.cost.usd()));
        let help = "Estimated cost at API list prices of the day of each response";
        families.counters(&format!("{prefix}_cost_usage"), help, Some(&usd()), samples)
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
        families.counters("claude_token_monitor_cache_creation", help, Some(&tokens()), samples)?;

        let samples = models.iter().map(|(model, tally)| ([("model", *model)], tally.unpriced_tokens));
        let help = "Tokens of models without a price; they are in no cost";
        families.counters("claude_token_monitor_unpriced", help, Some(&tokens()), samples)?;

        let samples = models.iter().map(|(model, tally)| ([("model", *model)], tally.searches));
        families.counters("claude_token_monitor_web_searches", "Billed web searches", None, samples)?;

        let newest = self.snapshot.last_event_at.map(super::own::seconds);
        let help = "When the newest response was made";
        families.gauge("claude_token_monitor_last_event_timestamp_seconds", help, newest)
    }

    fn request_sizes(&self, families: &mut Families<'_>) -> fmt::Result {
        let sizes = Direction::ALL.map(|direction| {
            let sizes = &self.snapshot.request_sizes[direction as usize];
            ([("direction", direction.name())], sizes)
        });
        let help = "Size of requests: the whole prompt, caches included, and the output";
        families.sizes(REQUEST_TOKENS, help, sizes)
    }

    fn projects(&self, families: &mut Families<'_>, names: &mut Names) -> fmt::Result {
        let sums = &self.snapshot.projects;
        let mut projects: Vec<(Arc<str>, Tally)> =
            sums.placed.iter().map(|(project, tally)| (names.of(project), *tally)).collect();
        projects.push((OTHERS.into(), sums.rest));
        let samples = projects.iter().flat_map(|(project, tally)| {
            kinds(tally.tokens).map(|(kind, count)| ([("project", &**project), ("type", kind)], count))
        });
        let help = "Tokens used by project; those without a label of their own share project=\"__other__\"";
        families.counters("claude_token_monitor_project", help, Some(&tokens()), samples)?;
        if !self.costs {
            return Ok(());
        }
        let known = projects.iter().filter(|(_, tally)| is_known(tally));
        let samples = known.map(|(project, tally)| ([("project", &**project)], tally.cost.usd()));
        let help = "Estimated cost by project, at API list prices of the day of each response";
        families.counters("claude_token_monitor_project_cost", help, Some(&usd()), samples)
    }

    /// Gauges, since sessions go away again.
    fn sessions(&self, families: &mut Families<'_>, names: &mut Names) -> fmt::Result {
        let oldest = self.calendar.clock.now().0.saturating_sub(i64::from(self.config.session_hours) * 3_600_000);
        let active = self.snapshot.active_sessions.iter().filter(|session| session.last_at.0 >= oldest);
        // Names made harmless may be the same.
        let mut rows = BTreeMap::<[Arc<str>; 3], Tally>::new();
        for session in active {
            for part in &session.parts {
                let labels = [label_value(&session.session), names.of(&part.project), label_value(&part.model)];
                rows.entry(labels).or_default().add(&part.tally);
            }
        }
        let labels = |[session, project, model]: &'_ [Arc<str>; 3]| -> [(&'static str, String); 3] {
            [("session_id", session.to_string()), ("project", project.to_string()), ("model", model.to_string())]
        };
        let rows: Vec<_> = rows.iter().map(|(row, tally)| (labels(row), tally)).collect();
        let samples = rows.iter().map(|(labels, tally)| (borrowed(labels), tally.tokens.total()));
        let help = "Tokens that a session has used so far, for sessions that were active lately";
        families.gauges("claude_token_monitor_session_tokens", help, samples)?;
        if !self.costs {
            return Ok(());
        }
        let known = rows.iter().filter(|(_, tally)| is_known(tally));
        let samples = known.map(|(labels, tally)| (borrowed(labels), tally.cost.usd()));
        let help = "Estimated cost of a session so far, for sessions that were active lately";
        families.gauges("claude_token_monitor_session_cost_USD", help, samples)
    }

    fn budgets(&self, families: &mut Families<'_>) -> fmt::Result {
        let budgets = || self.config.budgets.each();
        let samples = budgets().map(|(name, _, usd)| ([("period", name)], usd));
        families.gauges("claude_token_monitor_budget_USD", "The budget that was set", samples)?;
        let used = budgets().filter_map(|(name, period, usd)| {
            let spent = self.snapshot.spend.since(self.calendar.began(period)?);
            Some(([("period", name)], spent.usd() / usd))
        });
        let help = "Share of the budget that the present day, week or month has used; 1 is all of it";
        families.gauges("claude_token_monitor_budget_used_ratio", help, used)
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
        let samples = models.iter().take(MODEL_PLACES).flat_map(|(model, tokens)| {
            kinds(*tokens).map(|(kind, count)| ([("type", kind), ("model", &**model)], count))
        });
        let help = "Lifetime tokens as Claude Code's own statistics state them, not de-duplicated";
        families.gauges("claude_token_monitor_stats_cache_tokens", help, samples)
    }
}

fn borrowed<'a>(labels: &'a [(&'static str, String); 3]) -> [(&'static str, &'a str); 3] {
    labels.each_ref().map(|(name, value)| (*name, value.as_str()))
}

fn tokens() -> Unit {
    Unit::Other("tokens".to_owned())
}

fn usd() -> Unit {
    Unit::Other("USD".to_owned())
}

/// What is wholly without a price has an unknown cost, which is not zero.
fn is_known(tally: &Tally) -> bool {
    tally.unpriced_tokens == 0 || tally.cost.0 > 0
}

/// The four values of the label `type`.
fn kinds(tokens: TokenCounts) -> [(&'static str, u64); 4] {
    let TokenCounts { input, output, cache_write_5m: _, cache_write_1h: _, cache_read } = tokens;
    [("input", input), ("output", output), ("cacheRead", cache_read), ("cacheCreation", tokens.cache_write())]
}
