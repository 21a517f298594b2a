//! What the two kinds of requests have in common: where their answer says what was refused.

use std::future::Future;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::Channel;

/// A request to export.
pub(super) trait Export: prost::Message + serde::Serialize {
    type Answer: prost::Message + Default;

    /// The name of [`Partial::rejected`] in JSON.
    const REJECTED: &'static str;

    /// What the answer says of a part that was refused.
    fn partial(answer: Self::Answer) -> Partial;

    /// Calls the service.
    fn call(
        channel: Channel,
        gzip: bool,
        request: tonic::Request<Self>,
    ) -> impl Future<Output = Result<tonic::Response<Self::Answer>, tonic::Status>>
    where
        Self: Sized;
}

/// A success may be partial: so many were refused, for good.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Partial {
    pub(super) rejected: u64,
    pub(super) message: String,
}

impl Partial {
    fn new(rejected: i64, message: String) -> Self {
        Self { rejected: u64::try_from(rejected).unwrap_or(0), message }
    }
}

impl Export for ExportLogsServiceRequest {
    type Answer = ExportLogsServiceResponse;
    const REJECTED: &'static str = "rejectedLogRecords";

    fn partial(answer: Self::Answer) -> Partial {
        let partial = answer.partial_success.unwrap_or_default();
        Partial::new(partial.rejected_log_records, partial.error_message)
    }

    async fn call(
        channel: Channel,
        gzip: bool,
        request: tonic::Request<Self>,
    ) -> Result<tonic::Response<Self::Answer>, tonic::Status> {
        let client = LogsServiceClient::new(channel).accept_compressed(Gzip);
        let mut client = if gzip { client.send_compressed(Gzip) } else { client };
        client.export(request).await
    }
}

impl Export for ExportMetricsServiceRequest {
    type Answer = ExportMetricsServiceResponse;
    const REJECTED: &'static str = "rejectedDataPoints";

    fn partial(answer: Self::Answer) -> Partial {
        let partial = answer.partial_success.unwrap_or_default();
        Partial::new(partial.rejected_data_points, partial.error_message)
    }

    async fn call(
        channel: Channel,
        gzip: bool,
        request: tonic::Request<Self>,
    ) -> Result<tonic::Response<Self::Answer>, tonic::Status> {
        let client = MetricsServiceClient::new(channel).accept_compressed(Gzip);
        let mut client = if gzip { client.send_compressed(Gzip) } else { client };
        client.export(request).await
    }
}
