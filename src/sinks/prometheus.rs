//! `/metrics`. A scrape renders the present snapshot: it reads no file, asks no database, and waits for nothing that
//! ingest holds.
//!
//! Usage families have the names that Claude Code's own telemetry has after translation, so published dashboards work;
//! they are withheld until the first catch-up is done, so that reading the history never looks like a burst of usage.

pub mod config;
pub mod delivered;
pub mod exemplars;
pub mod exposition;
pub mod families;
pub mod labels;
pub mod own;
pub mod projects;
pub mod served;
pub mod usage;

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use warp::http::{HeaderMap, HeaderValue, header};

use crate::accept::takes;
use crate::hub::Hub;
use crate::plugin::{BuildError, Parts, Setup, Sink};
use crate::route::{Access, Class, Response, Route};
pub use config::Config;
use exposition::Format;

/// Serves `/metrics`.
pub struct Prometheus {
    config: Arc<Config>,
}

impl Sink for Prometheus {
    const KIND: &'static str = "prometheus";
    const ALWAYS: bool = true;
    const SAMPLE: &'static str = "\
[sinks.prometheus]
# Serves GET /metrics, as OpenMetrics or in the older text format, whichever the scraper asks for.
enabled = true
# Names of the families that Claude Code's own telemetry has, too: native (its names), own (claude_token_monitor_…), both.
profile = \"native\"
# Families by project: top (the first `max_projects`, the largest first; all others share one series) or none.
projects = \"top\"
max_projects = 20
# What the label of a project says: name (the last part of its path), hash (nothing that can be read) or path.
project_label = \"name\"
# Gauges for sessions that were active in the last `session_hours`: none or active.
sessions = \"none\"
session_hours = 12
# Labels that every usage family carries, for dashboards that ask for them.
labels = {}
# US dollars that are meant to be enough for a day, a week from Monday on, a month.
#[sinks.prometheus.budgets]
#daily = 20.0
#weekly = 100.0
#monthly = 400.0
";
    type Config = Config;

    fn build(config: Config, _: &Setup) -> Result<Self, BuildError> {
        config.check()?;
        Ok(Self { config: Arc::new(config) })
    }

    fn parts(self, hub: &Hub) -> Parts {
        hub.wish(self.config.wishes());
        let metrics = Arc::new(Metrics { hub: hub.clone(), config: Arc::clone(&self.config) });
        let route = Route::get("/metrics", move |request| metrics.answer(&request.headers));
        Parts::default().with_routes([route.access(Access::Scrape).class(Class::Scrape)])
    }
}

/// Room for a usual exposition, so that it is not moved while it grows.
const TYPICAL_BYTES: usize = 128 * 1024;

/// What a scrape is rendered from.
struct Metrics {
    hub: Hub,
    config: Arc<Config>,
}

impl Metrics {
    fn answer(&self, asked: &HeaderMap) -> Response {
        let format = Format::negotiate(asked);
        let text = self.render(format);
        let zipped = takes(asked, &["gzip"]).then(|| gzip(text.as_bytes())).flatten();
        let is_zipped = zipped.is_some();
        let mut response = Response::new(zipped.unwrap_or_else(|| text.into_bytes()).into());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        headers.insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
        if is_zipped {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    fn render(&self, format: Format) -> String {
        let snapshot = self.hub.snapshot();
        let mut registry = Registry::default();
        let mut overflow = None;
        if snapshot.ready {
            let labels::Folded { series, overflow: models } = labels::fold(&snapshot);
            overflow = Some(own::Overflow { models, projects: self.config.projects_beyond(&snapshot) });
            let usage = usage::Usage {
                config: Arc::clone(&self.config),
                snapshot: Arc::clone(&snapshot),
                series,
                calendar: self.hub.calendar().clone(),
                costs: self.hub.shows_costs(),
            };
            registry.sub_registry_with_labels(self.config.static_labels()).register_collector(Box::new(usage));
        }
        // Below, since what stands at the top is written first, and usage should be.
        let process = own::Process(self.hub.house().process());
        registry.sub_registry_with_labels(std::iter::empty()).register_collector(Box::new(process));
        let own = own::Own { hub: self.hub.clone(), snapshot: Arc::clone(&snapshot), overflow };
        let now = self.hub.calendar().clock.now();
        let sinks = delivered::Delivered(self.hub.house().sinks(snapshot.revision, now.0));
        let ours = registry.sub_registry_with_prefix("claude_token_monitor");
        ours.register_collector(Box::new(own));
        ours.register_collector(Box::new(served::Served(self.hub.clone())));
        ours.register_collector(Box::new(sinks));
        let mut rendered = String::with_capacity(TYPICAL_BYTES);
        text::encode(&mut rendered, &registry).expect("writing to a string cannot fail");
        match format {
            Format::OpenMetrics1 | Format::OpenMetrics0 if snapshot.ready => {
                exemplars::added(&rendered, usage::REQUEST_TOKENS, &snapshot.request_sizes)
            }
            Format::OpenMetrics1 | Format::OpenMetrics0 => rendered,
            Format::Text => exposition::to_text(&rendered),
        }
    }
}

/// Compresses, the fast way: a scrape is read once.
fn gzip(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain).and_then(|()| encoder.finish()).ok()
}

#[cfg(test)]
mod tests;
