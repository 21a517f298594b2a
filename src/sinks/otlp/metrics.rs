//! The lifetime totals as sums, under the names that Claude Code's own telemetry has.
//!
//! Cumulative, the default: every point has the start time of the first one ever sent, so a receiver that turns sums into
//! differences never takes a restart of ours for a burst. Deltas: what came since the receiver last acknowledged
//! something. A request that arrived although it seemed to fail is then counted twice; that is in the nature of deltas.

use std::time::Duration;

use jiff::ToSpan;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric,
};

use super::logs::nanos;
use super::receiver::Receiver;
use super::resource::{Resource, scope, signed, text};
use super::settings::Temporality;
use super::sums::{Acked, Memory, difference};
use crate::event::{Tally, UnixMillis};
use crate::plugin::{Batch, Delivery, Outcome, Pace, Wants};
use crate::sinks::series::{Sums, has_cost, kinds};

/// How many days back the beginning of the history is looked for. What is older is in the totals all the same; the start
/// only has to lie before whatever a receiver could take for new.
const DAYS_BACK: i64 = 1_100;

/// Sends the totals.
pub(crate) struct Metrics {
    receiver: Receiver,
    resource: Resource,
    temporality: Temporality,
    interval: Duration,
    costs: bool,
    memory: Memory,
}

impl Metrics {
    pub(super) fn new(
        receiver: Receiver,
        resource: Resource,
        temporality: Temporality,
        interval: Duration,
        costs: bool,
    ) -> Self {
        Self { receiver, resource, temporality, interval, costs, memory: Memory::default() }
    }

    fn request(&self, points: &Points, batch: &Batch<'_>) -> ExportMetricsServiceRequest {
        let metrics = points.metrics(self.costs, batch.snapshot.last_event_at);
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope()), metrics, ..ScopeMetrics::default() }];
        let resource = Some(self.resource.message(&batch.snapshot.instance));
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }],
        }
    }
}

impl Delivery for Metrics {
    const WANTS: Wants = Wants::Snapshot;

    fn pace(&self) -> Pace {
        Pace { interval: self.interval, timeout: self.receiver.target.timeout, ..Pace::default() }
    }

    fn target(&self) -> String {
        self.receiver.shown()
    }

    fn recall(&mut self, memo: &str) {
        self.memory = Memory::read(memo);
    }

    fn remember(&self) -> Option<String> {
        self.memory.written()
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        // Changed only if this arrives.
        let mut memory = self.memory.clone();
        let sums = memory.admitted.fold(&batch.snapshot.series);
        let sessions = batch.snapshot.session_count;
        let start = *memory.start.get_or_insert_with(|| beginning(batch));
        let points = match (self.temporality, &memory.acked) {
            (Temporality::Cumulative, _) => {
                memory.acked = None;
                Points { temporality: AggregationTemporality::Cumulative, start, now: batch.now, sums, sessions }
            }
            (Temporality::Delta, None) => {
                // What was before the receiver came is not news.
                memory.acked = Some(Acked { at: batch.now, sums, sessions });
                self.memory = memory;
                return Outcome::Acked;
            }
            (Temporality::Delta, Some(acked)) => {
                let (start, before) = (acked.at, acked.sessions);
                let more = difference(&sums, &acked.sums);
                memory.acked = Some(Acked { at: batch.now, sums, sessions });
                let sessions = sessions.saturating_sub(before);
                Points { temporality: AggregationTemporality::Delta, start, now: batch.now, sums: more, sessions }
            }
        };
        let outcome = self.receiver.send(self.request(&points, batch), batch.now).await;
        if matches!(outcome, Outcome::Acked | Outcome::Partial { .. }) {
            self.memory = memory;
        }
        outcome
    }
}

/// When the totals began: the first day that has any, else now.
fn beginning(batch: &Batch<'_>) -> UnixMillis {
    let now = jiff::Timestamp::from_millisecond(batch.now.0).unwrap_or_default();
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let oldest = today.checked_sub(DAYS_BACK.days()).unwrap_or(today);
    let days = batch.history.days(oldest, today).unwrap_or_else(|error| {
        tracing::debug!("the beginning of the history is not known: {error:#}");
        Vec::new()
    });
    let first = days.into_iter().find(|(_, tally)| *tally != Tally::default()).map(|(day, _)| day);
    let start = first.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    start.map_or(batch.now, |start| UnixMillis(start.timestamp().as_millisecond().min(batch.now.0)))
}

/// Totals or differences, and the time they cover.
struct Points {
    temporality: AggregationTemporality,
    start: UnixMillis,
    now: UnixMillis,
    sums: Sums,
    sessions: u64,
}

impl Points {
    fn metrics(&self, costs: bool, newest: Option<UnixMillis>) -> Vec<Metric> {
        let by_source = |(model, source): &(std::sync::Arc<str>, crate::event::QuerySource)| {
            vec![text("model", &**model), text("query_source", source.name())]
        };
        let each = |pick: fn(&Tally) -> u64| -> Vec<NumberDataPoint> {
            self.sums.iter().map(|(key, tally)| self.count(by_source(key), pick(tally))).collect()
        };
        let tokens = self.sums.iter().flat_map(|(key, tally)| {
            kinds(tally.tokens).map(|(kind, count)| {
                let mut attributes = by_source(key);
                attributes.push(text("type", kind));
                self.count(attributes, count)
            })
        });
        let writes = self.sums.iter().flat_map(|(key, tally)| {
            [("5m", tally.tokens.cache_write_5m), ("1h", tally.tokens.cache_write_1h)].map(|(ttl, count)| {
                let mut attributes = by_source(key);
                attributes.push(text("ttl", ttl));
                self.count(attributes, count)
            })
        });
        let priced = self.sums.iter().filter(|(_, tally)| costs && has_cost(tally));
        let cost = priced.map(|(key, tally)| self.point(by_source(key), Value::AsDouble(tally.cost.usd())));
        let sessions = vec![self.count(Vec::new(), self.sessions)];
        [
            self.sum("claude_code.token.usage", "tokens", "Number of tokens used", tokens.collect()),
            self.sum("claude_code.cost.usage", "USD", "Estimated cost at API list prices", cost.collect()),
            self.sum("claude_code.session.count", "", "Sessions with at least one response", sessions),
            self.sum("claude_token_monitor.api_requests", "", "Responses, each counted once", each(|t| t.requests)),
            self.sum("claude_token_monitor.cache_creation", "tokens", "Tokens written to caches", writes.collect()),
            self.sum("claude_token_monitor.unpriced", "tokens", "Tokens without a price", each(|t| t.unpriced_tokens)),
            self.sum("claude_token_monitor.web_searches", "", "Billed web searches", each(|t| t.searches)),
            newest.map(|at| self.newest(at)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A metric without points is left out, and so is a difference of nothing.
    fn sum(&self, name: &str, unit: &str, description: &str, mut points: Vec<NumberDataPoint>) -> Option<Metric> {
        if self.temporality == AggregationTemporality::Delta {
            points.retain(|point| {
                !matches!(point.value, Some(Value::AsInt(0))) && point.value != Some(Value::AsDouble(0.0))
            });
        }
        if points.is_empty() {
            return None;
        }
        let sum = Sum { data_points: points, aggregation_temporality: self.temporality.into(), is_monotonic: true };
        Some(named(name, unit, description, metric::Data::Sum(sum)))
    }

    fn newest(&self, at: UnixMillis) -> Metric {
        let mut point = self.point(Vec::new(), Value::AsInt(at.0.div_euclid(1_000)));
        point.start_time_unix_nano = 0;
        let gauge = metric::Data::Gauge(Gauge { data_points: vec![point] });
        named("claude_token_monitor.last_event_timestamp", "s", "When the newest response was made", gauge)
    }

    fn count(&self, attributes: Vec<KeyValue>, count: u64) -> NumberDataPoint {
        self.point(attributes, Value::AsInt(signed(count)))
    }

    fn point(&self, attributes: Vec<KeyValue>, value: Value) -> NumberDataPoint {
        NumberDataPoint {
            attributes,
            start_time_unix_nano: nanos(self.start),
            time_unix_nano: nanos(self.now),
            value: Some(value),
            ..NumberDataPoint::default()
        }
    }
}

fn named(name: &str, unit: &str, description: &str, data: metric::Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}
