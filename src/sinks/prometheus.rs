//! `/metrics`. A scrape renders the present snapshot: it reads no file, asks no database, and waits for nothing that
//! ingest holds.
//!
//! Usage families have the names that Claude Code's own telemetry has after translation, so published dashboards work;
//! they are withheld until the first catch-up is done, so that reading the history never looks like a burst of usage.

pub mod exposition;
pub mod families;
pub mod labels;
pub mod own;
pub mod usage;

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use warp::http::{HeaderMap, HeaderValue, header};

use crate::hub::Hub;
use crate::plugin::{BuildError, Parts, Setup, Sink};
use crate::route::{Access, Class, Response, Route};
use exposition::Format;
use labels::ModelLabels;

/// Serves `/metrics`.
pub struct Prometheus;

/// What users configure.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

impl Sink for Prometheus {
    const KIND: &'static str = "prometheus";
    const ALWAYS: bool = true;
    const SAMPLE: &'static str = "\
[sinks.prometheus]
# Serves GET /metrics, as OpenMetrics or in the older text format, whichever the scraper asks for.
enabled = true
";
    type Config = Config;

    fn build(_: Config, _: &Setup) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn parts(self, hub: &Hub) -> Parts {
        let metrics = Arc::new(Metrics { hub: hub.clone(), models: Mutex::default() });
        let route = Route::get("/metrics", move |request| metrics.answer(&request.headers));
        Parts::default().with_routes([route.access(Access::Scrape).class(Class::Scrape)])
    }
}

/// What a scrape is rendered from.
struct Metrics {
    hub: Hub,
    /// Which models have a series of their own. Only scrapes take this lock.
    models: Mutex<ModelLabels>,
}

impl Metrics {
    fn answer(&self, asked: &HeaderMap) -> Response {
        let format = Format::negotiate(asked);
        let text = self.render(format);
        let zipped = exposition::accepts_gzip(asked).then(|| gzip(text.as_bytes())).flatten();
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
            let folded = self.models.lock().unwrap_or_else(PoisonError::into_inner).fold(&snapshot.series);
            overflow = Some(folded.overflow);
            let usage =
                usage::Usage { snapshot: Arc::clone(&snapshot), series: folded.series, costs: self.hub.shows_costs() };
            registry.register_collector(Box::new(usage));
        }
        registry.register_collector(Box::new(own::Process(self.hub.house().process())));
        let own = own::Own { hub: self.hub.clone(), snapshot, overflow };
        registry.sub_registry_with_prefix("claude_token_monitor").register_collector(Box::new(own));
        let mut rendered = String::new();
        text::encode(&mut rendered, &registry).expect("writing to a string cannot fail");
        match format {
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
