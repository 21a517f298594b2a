//! How sinks that send are doing: what waits, what failed and what was given up, by sink. Those that are merely asked
//! have nothing of it.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::families::Families;
use super::own::seconds;
use crate::event::UnixMillis;
use crate::status::{SinkReport, SinkRole, SinkState};

type ReadCount = fn(&SinkReport) -> u64;

/// The reports of all sinks.
#[derive(Debug)]
pub struct Delivered(pub Vec<SinkReport>);

impl Collector for Delivered {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families(encoder);
        let up = self.sending().map(|sink| {
            let works = matches!(sink.state, SinkState::Ok | SinkState::Waiting);
            ([("sink", sink.id.as_str())], u64::from(works))
        });
        families.gauges("sink_up", "1 while what is sent arrives, 0 while it fails or is paused", up)?;
        self.lag(&mut families)?;
        let counters: [(&str, &str, ReadCount); 4] = [
            ("sink_events", "Changes that arrived", |sink| sink.events),
            ("sink_dead_letters", "Changes that were refused for good", |sink| sink.dead_letters),
            ("sink_dropped_events", "Changes that a sink's own settings left out", |sink| sink.dropped_events),
            ("sink_restarts", "Starts after a panic or an error", |sink| sink.restarts),
        ];
        for (name, help, read) in counters {
            families.counters(
                name,
                help,
                None,
                self.sending().map(|sink| ([("sink", sink.id.as_str())], read(sink))),
            )?;
        }
        let failures = self.sending().flat_map(|sink| {
            sink.failures.each().map(|(kind, count)| ([("sink", sink.id.as_str()), ("kind", kind)], count))
        });
        families.counters("sink_send_failures", "Tries that failed", None, failures)?;
        let times = self.sending().map(|sink| ([("sink", sink.id.as_str())], &sink.send_seconds));
        families.histograms("sink_send_seconds", "How long tries took", times)?;
        let last = self
            .sending()
            .filter_map(|sink| Some(([("sink", sink.id.as_str())], seconds(UnixMillis(sink.last_success_at?)))));
        families.gauges("sink_last_success_timestamp_seconds", "When something last arrived", last)
    }
}

impl Delivered {
    fn sending(&self) -> impl Iterator<Item = &SinkReport> {
        self.0.iter().filter(|sink| sink.role != SinkRole::Follower)
    }

    /// Of those that have a cursor.
    fn lag(&self, families: &mut Families<'_>) -> fmt::Result {
        let behind = || self.sending().filter(|sink| sink.role == SinkRole::Delivery);
        let events = behind().map(|sink| ([("sink", sink.id.as_str())], sink.lag_events));
        families.gauges("sink_lag_events", "Changes that wait", events)?;
        let seconds = behind().map(|sink| ([("sink", sink.id.as_str())], sink.lag_seconds));
        families.gauges("sink_lag_seconds", "How long something has waited", seconds)
    }
}
