//! OTLP over gRPC against a receiver that fails in every way the protocol knows: what is tried again, how soon, what is
//! given up, and that nothing else is.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status};

use super::otlp::{Record, ids, records_of};
use super::{dead_letters, wait_listed};
use crate::house::TestHouse;
use crate::scribe::Scribe;
use crate::wait::{PATIENCE, eventually};

type Answer = Result<ExportLogsServiceResponse, Status>;
type Behaviour = dyn FnMut(&[Record]) -> Answer + Send;

const WELL: Answer = Ok(ExportLogsServiceResponse { partial_success: None });

/// One call as it came.
struct Call {
    at: Instant,
    records: Vec<Record>,
    taken: bool,
}

#[derive(Clone)]
struct Service {
    behaviour: Arc<Mutex<Behaviour>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let records = records_of([request.into_inner()]);
        let answer = (*lock(&self.behaviour))(&records);
        lock(&self.calls).push(Call { at: Instant::now(), records, taken: answer.is_ok() });
        answer.map(Response::new)
    }
}

/// The other side of gRPC. Ends when dropped.
pub(super) struct GrpcReceiver {
    pub(super) address: SocketAddr,
    service: Service,
    runtime: Option<Runtime>,
}

impl GrpcReceiver {
    pub(super) fn behaving(behaviour: impl FnMut(&[Record]) -> Answer + Send + 'static) -> Self {
        let service = Service { behaviour: Arc::new(Mutex::new(behaviour)), calls: Arc::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let server = LogsServiceServer::new(service.clone()).accept_compressed(CompressionEncoding::Gzip);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = TowerToHyperService::new(server.clone());
                let builder = http2::Builder::new(TokioExecutor::new());
                // A client that is killed cuts its connection.
                tokio::spawn(async move { builder.serve_connection(TokioIo::new(stream), serving).await.ok() });
            }
        });
        Self { address, service, runtime: Some(runtime) }
    }

    /// When each call came, and how many records it had.
    fn calls(&self) -> Vec<(Instant, usize)> {
        lock(&self.service.calls).iter().map(|call| (call.at, call.records.len())).collect()
    }

    /// Every record that was taken, as often as it was.
    pub(super) fn taken(&self) -> Vec<Record> {
        let calls = lock(&self.service.calls);
        calls.iter().filter(|call| call.taken).flat_map(|call| call.records.clone()).collect()
    }

    fn wait(&self, count: usize) -> Vec<Record> {
        eventually(&format!("{count} records over gRPC"), PATIENCE, || {
            let taken = self.taken();
            (ids(&taken).len() >= count).then_some(taken)
        })
    }
}

impl Drop for GrpcReceiver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A house that sends logs there, quick to try again.
fn house(receiver: &GrpcReceiver, more: &str) -> (TestHouse, Scribe) {
    let house = TestHouse::new().with_config(&format!(
        "[sinks.otlp]\nendpoint = 'http://{}'\nprotocol = 'grpc'\nmetrics = false\nstart_from = 'beginning'\n\
         interval = '100ms'\nretry_initial = '20ms'\nretry_max = '200ms'\n{more}\n",
        receiver.address
    ));
    let scribe = Scribe::new(house.claude());
    (house, scribe)
}

/// `google.rpc.Status` with a `RetryInfo` of so many seconds, byte by byte: shared with nothing of the program.
fn busy_for(seconds: u8) -> Status {
    let kind = b"type.googleapis.com/google.rpc.RetryInfo";
    let delay = [0x08, seconds];
    let info = [[0x0a, 2].as_slice(), &delay].concat();
    let any = [[0x0a, u8::try_from(kind.len()).unwrap()].as_slice(), kind, &[0x12, 4], &info].concat();
    let status = [[0x08, 8, 0x1a, u8::try_from(any.len()).unwrap()].as_slice(), &any].concat();
    Status::with_details(Code::ResourceExhausted, "busy", status.into())
}

#[test]
fn unavailable_and_exhausted_with_a_time_are_tried_again_no_sooner() {
    let mut replies = vec![Err(busy_for(1)), Err(Status::unavailable("away")), Err(Status::unavailable("away"))];
    let receiver = GrpcReceiver::behaving(move |_| replies.pop().unwrap_or(WELL));
    let (house, mut scribe) = house(&receiver, "");
    scribe.append("a", 10);
    let served = house.serve();
    assert_eq!(receiver.wait(10).len(), 10, "each exactly once");
    let calls = receiver.calls();
    assert_eq!(calls.iter().map(|(_, records)| *records).collect::<Vec<_>>(), [10; 4]);
    assert!(calls[3].0 - calls[2].0 >= Duration::from_millis(950), "the receiver asked for a second");
    wait_listed(&house, "otlp.logs", "at the end", |row| row["lag_events"] == 0 && row["state"] == "ok");
    assert!(dead_letters(&house).is_empty());
    let failures = served.scrape().sum("claude_token_monitor_sink_send_failures_total");
    assert_eq!(failures, Some(3.0));
    drop(served);
}

#[test]
fn exhausted_without_a_time_means_too_large() {
    let receiver = GrpcReceiver::behaving(|records| match records.len() {
        0..=4 => WELL,
        _ => Err(Status::resource_exhausted("larger than max")),
    });
    let (house, mut scribe) = house(&receiver, "");
    scribe.append("a", 30);
    let served = house.serve();
    assert_eq!(receiver.wait(30).len(), 30);
    wait_listed(&house, "otlp.logs", "at the end", |row| row["lag_events"] == 0);
    assert!(dead_letters(&house).is_empty());
    drop(served);
}

#[test]
fn what_is_refused_for_good_is_found_and_the_rest_arrives() {
    let receiver = GrpcReceiver::behaving(|records| {
        let poison = records.iter().any(|(_, attributes)| attributes["session.id"] == "poison");
        if poison { Err(Status::invalid_argument("no such session")) } else { WELL }
    });
    let (house, mut scribe) = house(&receiver, "");
    scribe.append("a", 10);
    scribe.append("poison", 1);
    scribe.append("b", 10);
    let served = house.serve();
    assert_eq!(receiver.wait(20).len(), 20);
    wait_listed(&house, "otlp.logs", "with a dead letter", |row| row["dead_letters"] == 1 && row["lag_events"] == 0);
    let letters = dead_letters(&house);
    assert!(letters[0].to_string().contains("no such session"), "{letters:?}");
    drop(served);
}

#[test]
fn a_part_that_grpc_refuses_is_counted_and_never_sent_again() {
    let partial = ExportLogsPartialSuccess { rejected_log_records: 2, error_message: "too old".to_owned() };
    let answer = ExportLogsServiceResponse { partial_success: Some(partial) };
    let receiver = GrpcReceiver::behaving(move |_| Ok(answer.clone()));
    let (house, mut scribe) = house(&receiver, "");
    scribe.append("a", 10);
    let served = house.serve();
    wait_listed(&house, "otlp.logs", "counted", |row| row["lag_events"] == 0 && row["dead_letters"] == 2);
    assert_eq!(receiver.taken().len(), 10);
    drop(served);
}

#[test]
fn a_wrong_password_over_grpc_loses_nothing() {
    let mut tries = 0;
    let receiver = GrpcReceiver::behaving(move |_| {
        tries += 1;
        if tries < 4 { Err(Status::unauthenticated("who are you?")) } else { WELL }
    });
    let (house, mut scribe) = house(&receiver, "");
    scribe.append("a", 5);
    let served = house.serve();
    let taken = receiver.wait(5);
    assert_eq!(taken.len(), 5);
    assert!(dead_letters(&house).is_empty());
    drop(served);
}

#[test]
fn killed_again_and_again_in_the_middle_nothing_is_missing() {
    let receiver = GrpcReceiver::behaving(|_| WELL);
    let (house, mut scribe) = house(&receiver, "batch_max = 10");
    let total = 600;
    scribe.append("a", total);
    for kill in 1..=3_usize {
        let served = house.serve();
        receiver.wait(kill * 100);
        served.kill();
    }
    let served = house.serve();
    let total = usize::try_from(total).unwrap();
    let taken = receiver.wait(total);
    wait_listed(&house, "otlp.logs", "at the end", |row| row["lag_events"] == 0);
    let revisions: BTreeSet<&str> = taken.iter().map(|(_, attributes)| &*attributes["usage.revision"]).collect();
    assert_eq!((ids(&taken).len(), revisions.len()), (total, total), "no gap");
    assert!(taken.len() <= total + 3 * 10, "at most the batch that was under way comes twice: {}", taken.len());
    drop(served);
}
