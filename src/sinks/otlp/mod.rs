//! OTLP: metrics and logs to an OpenTelemetry collector, or to any backend that speaks its protocol, over HTTP (protobuf
//! or JSON) or gRPC.
//!
//! Metrics are the lifetime totals with one start time that survives restarts, so a restart never looks like a reset or
//! like a burst of usage. Logs are one record a response at the response's own time, however late it is sent; never any
//! content. The messages are built by hand from `opentelemetry-proto`, since the SDK can neither set the times of a
//! metric nor say that a receiver took only a part; the SDK sends what this program has to say of itself
//! (`self_telemetry`).

mod grpc;
mod logs;
mod messages;
mod metrics;
mod own;
mod receiver;
mod resource;
mod settings;
mod sums;
mod verdict;

use std::time::Duration;

use crate::hub::Hub;
use crate::plugin::{BuildError, Parts, Setup, Sink};
use receiver::Receiver;
pub use settings::Config;
use settings::{Signal, Temporality};

/// Pushes to one receiver.
pub struct Otlp {
    metrics: Option<metrics::Metrics>,
    logs: Option<logs::Logs>,
    own: Option<own::Own>,
}

impl Sink for Otlp {
    const KIND: &'static str = "otlp";
    const SAMPLE: &'static str = "\
[sinks.otlp]
type = \"otlp\"
# Where to: the base, to which /v1/metrics and /v1/logs are added. The default depends on the protocol, as the
# OpenTelemetry specification has it. Whatever is left out here is as OTEL_EXPORTER_OTLP_… in the environment says.
endpoint = \"http://localhost:4318\"
# \"http/protobuf\", \"http/json\" or \"grpc\"
protocol = \"http/protobuf\"
compression = \"gzip\"
# A variable or a file that holds headers as `name=value,name=value`.
# headers_env = \"OTLP_HEADERS\"
# tls = { ca_file = \"ca.pem\", cert_file = \"client.pem\", key_file = \"client.key\" }
metrics = true
logs = true
temporality = \"cumulative\"
resource = { \"deployment.environment.name\" = \"laptop\" }
self_telemetry = false
";
    type Config = Config;

    fn is_asked_for(setup: &Setup) -> bool {
        settings::asked_by_environment(setup)
    }

    fn build(config: Config, setup: &Setup) -> Result<Self, BuildError> {
        let resource = resource::Resource::new(&config, setup)?;
        let receiver = |signal| Receiver::new(settings::Target::of(signal, &config, setup)?, setup);
        let mut this = Self { metrics: None, logs: None, own: None };
        if config.wants(Signal::Metrics, setup) {
            let (temporality, interval) = (Temporality::of(&config, setup)?, settings::interval(setup)?);
            let receiver = receiver(Signal::Metrics)?;
            this.metrics = Some(metrics::Metrics::new(receiver, resource.clone(), temporality, interval, setup.costs));
        }
        if config.wants(Signal::Logs, setup) {
            this.logs = Some(logs::Logs::new(receiver(Signal::Logs)?, resource.clone(), setup.costs));
        }
        if config.self_telemetry {
            this.own = Some(own::Own::new(receiver(Signal::Metrics)?, resource, settings::interval(setup)?));
        }
        Ok(this)
    }

    fn parts(self, hub: &Hub) -> Parts {
        let mut parts = Parts::default();
        if let Some(metrics) = self.metrics {
            parts = parts.with_part("metrics", metrics);
        }
        if let Some(logs) = self.logs {
            parts = parts.with_part("logs", logs);
        }
        if let Some(own) = self.own {
            let hub = hub.clone();
            parts = parts.with_follower(move |context| own.run(hub, context));
        }
        parts
    }
}

/// How long a request may take if nobody says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
