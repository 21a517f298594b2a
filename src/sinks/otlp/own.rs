//! What this program has to say of itself, through OpenTelemetry's own SDK: it reads the hub every interval and sends
//! what it finds. Nothing here is about usage. What is missed while the receiver is down is missed; these are values of
//! a moment, and sums since the process started.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::Bytes;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Compression, MetricExporter, Protocol, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource as SdkResource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, Temporality};
use tokio::runtime::Handle;
use tonic::metadata::MetadataMap;

use super::receiver::{Receiver, Way};
use super::resource::Resource;
use super::settings;
use crate::hub::{Hub, Snapshot};
use crate::plugin::FollowerContext;
use crate::sinks::http::Client;

/// The last export may take this long when the house stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// Sends the program's own metrics.
pub(super) struct Own {
    receiver: Receiver,
    resource: Resource,
    interval: Duration,
}

impl Own {
    pub(super) fn new(receiver: Receiver, resource: Resource, interval: Duration) -> Self {
        Self { receiver, resource, interval }
    }

    /// Works until the house stops.
    pub(super) async fn run(self, hub: Hub, mut context: FollowerContext) -> anyhow::Result<()> {
        let attributes = self.resource.attributes(&hub.snapshot().instance);
        let attributes = attributes.into_iter().map(|(key, value)| KeyValue::new(key, value));
        let resource = SdkResource::builder_empty().with_attributes(attributes).build();
        let exporter = OnRuntime { inner: exporter(self.receiver)?, runtime: Handle::current() };
        let reader = PeriodicReader::builder(exporter).with_interval(self.interval).build();
        let provider = SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build();
        instruments(&provider.meter(env!("CARGO_PKG_NAME")), &hub);
        context.stop.wait().await;
        let closed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FAREWELL)).await?;
        if let Err(error) = closed {
            tracing::debug!("the last of the own telemetry was not sent: {error}");
        }
        Ok(())
    }
}

/// The SDK's exporter, over our own connections.
fn exporter(receiver: Receiver) -> anyhow::Result<MetricExporter> {
    let Receiver { target, way, .. } = receiver;
    let headers = target.headers().map_err(anyhow::Error::msg)?;
    let gzip = |builder: bool| builder.then_some(Compression::Gzip);
    let exporter = match way {
        Way::Grpc(mut grpc) => {
            let mut builder = MetricExporter::builder()
                .with_tonic()
                .with_channel(grpc.channel())
                .with_metadata(MetadataMap::from_headers(headers))
                .with_timeout(target.timeout);
            if let Some(gzip) = gzip(target.gzip) {
                builder = builder.with_compression(gzip);
            }
            builder.build()?
        }
        Way::Http(client) => {
            let json = target.protocol == settings::Protocol::HttpJson;
            let mut builder = MetricExporter::builder()
                .with_http()
                .with_http_client(Shared { client: Arc::from(client), timeout: target.timeout })
                .with_endpoint(target.url.to_string())
                .with_protocol(if json { Protocol::HttpJson } else { Protocol::HttpBinary })
                .with_headers(named(&headers))
                .with_timeout(target.timeout);
            if let Some(gzip) = gzip(target.gzip) {
                builder = builder.with_compression(gzip);
            }
            builder.build()?
        }
    };
    Ok(exporter)
}

fn named(headers: &HeaderMap) -> HashMap<String, String> {
    let text = |value: &hyper::header::HeaderValue| value.to_str().ok().map(str::to_owned);
    headers.iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}

/// The shared client as the SDK wants one: it knows own authorities and client certificates, which the SDK's do not.
struct Shared {
    client: Arc<Client>,
    timeout: Duration,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl HttpClient for Shared {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let sent = self.client.post(&head.uri, head.headers, body);
            let answer = tokio::time::timeout(self.timeout, sent).await.map_err(Box::new)??;
            let mut response = Response::new(answer.body);
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}

/// Exports from the SDK's thread on the house's runtime: connections belong to a runtime, and that thread has none.
#[derive(Debug)]
struct OnRuntime {
    inner: MetricExporter,
    runtime: Handle,
}

impl PushMetricExporter for OnRuntime {
    fn export(&self, metrics: &ResourceMetrics) -> impl Future<Output = OTelSdkResult> + Send {
        std::future::ready(self.runtime.block_on(self.inner.export(metrics)))
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

/// What is read from the hub, every interval.
fn instruments(meter: &Meter, hub: &Hub) {
    type Read = fn(&Snapshot) -> u64;
    let gauges: [(&str, &str, &str, Read); 5] = [
        ("ready", "1", "1 once everything that was on disk at the start is counted", |now| now.ready.into()),
        ("troubles", "1", "Things that need somebody", |now| now.troubles.len() as u64),
        ("revision", "1", "The newest change of the history", |now| now.revision),
        ("db.size", "By", "Size of the database", |now| now.store.size_bytes),
        ("db.responses", "1", "Responses in the database", |now| now.store.responses),
    ];
    for (name, unit, description, read) in gauges {
        let hub = hub.clone();
        let gauge = meter.u64_observable_gauge(format!("claude_token_monitor.{name}"));
        let gauge = gauge.with_unit(unit).with_description(description);
        gauge.with_callback(move |observer| observer.observe(read(&hub.snapshot()), &[])).build();
    }
    let commits = meter.u64_observable_counter("claude_token_monitor.commits");
    let of = hub.clone();
    let commits = commits.with_description("Transactions since the process started");
    commits.with_callback(move |observer| observer.observe(of.snapshot().ingest.commits, &[])).build();
    process(meter, hub);
}

/// The process, by the names of OpenTelemetry's semantic conventions.
fn process(meter: &Meter, hub: &Hub) {
    let of = hub.clone();
    let memory = meter.i64_observable_up_down_counter("process.memory.usage").with_unit("By");
    let memory = memory.with_description("Resident memory");
    memory
        .with_callback(move |observer| {
            if let Some(bytes) = of.house().process().and_then(|process| process.resident_bytes) {
                observer.observe(i64::try_from(bytes).unwrap_or(i64::MAX), &[]);
            }
        })
        .build();
    let of = hub.clone();
    let cpu = meter.f64_observable_counter("process.cpu.time").with_unit("s").with_description("Processor time used");
    cpu.with_callback(move |observer| {
        if let Some(seconds) = of.house().process().and_then(|process| process.cpu_seconds) {
            observer.observe(seconds, &[]);
        }
    })
    .build();
}
