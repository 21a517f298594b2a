//! What an answer means, by the rules of the protocol: which failures may be tried again, and what was refused.
//! See <https://opentelemetry.io/docs/specs/otlp/>.

use std::time::Duration;

use hyper::header::CONTENT_TYPE;
use prost::Message as _;
use serde_json::Value;
use tonic::{Code, Status};

use super::messages::{Export, Partial};
use crate::event::UnixMillis;
use crate::plugin::Outcome;
use crate::sinks::http::{self, Answer};

/// `google.rpc.Status`: the body of an HTTP refusal, and what gRPC carries beside its own status.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`: when the receiver wants to be asked again.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<RpcDuration>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RpcDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Nobody is believed to mean more than this.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Only 429, 502, 503 and 504 may be tried again. 401, 403, 404 and their like are about the address or a password, so
/// the batch waits for the user; what else is refused is refused for good.
pub(super) fn of_http<E: Export>(answer: &Answer, json: bool, now: UnixMillis) -> Result<Partial, Outcome> {
    if answer.status.is_success() {
        return Ok(partial_of_http::<E>(&answer.body, json));
    }
    let why = match rpc_message(answer) {
        Some(message) => format!("{}{}", answer.status, http::quote(message.as_bytes())),
        None => format!("{}{}", answer.status, http::quote(&answer.body)),
    };
    Err(match answer.status.as_u16() {
        429 | 502..=504 => Outcome::Retry { after: http::retry_after(&answer.headers, now), why },
        413 => Outcome::TooLarge { why },
        300..=399 | 401..=405 | 407 | 410 | 415 | 421 | 501 | 505 => Outcome::Refused { why },
        _ => Outcome::Reject { why },
    })
}

/// An answer that cannot be read says nothing, and nothing means that all was well.
fn partial_of_http<E: Export>(body: &[u8], json: bool) -> Partial {
    if !json {
        return E::Answer::decode(body).map(E::partial).unwrap_or_default();
    }
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let partial = answer.get("partialSuccess").cloned().unwrap_or_default();
    // 64-bit numbers are strings in this mapping, and some senders write numbers all the same.
    let rejected = match partial.get(E::REJECTED) {
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        Some(number) => number.as_u64().unwrap_or(0),
        None => 0,
    };
    let message = partial.get("errorMessage").and_then(Value::as_str).unwrap_or_default().to_owned();
    Partial { rejected, message }
}

/// What a refusal says, if it says it as the protocol wants.
fn rpc_message(answer: &Answer) -> Option<String> {
    let kind = answer.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if kind.starts_with("application/x-protobuf") {
        return RpcStatus::decode(&*answer.body).ok().map(|status| status.message);
    }
    let status: Value = serde_json::from_slice(&answer.body).ok().filter(|_| kind.starts_with("application/json"))?;
    Some(status.get("message")?.as_str()?.to_owned())
}

/// The same for gRPC. Exhausted resources may be tried again only if the receiver says when; without that, it is how
/// receivers say that a message is too long.
pub(super) fn of_grpc(status: &Status) -> Outcome {
    let why = format!("{:?}{}", status.code(), http::quote(status.message().as_bytes()));
    // What has a cause happened on the way: nobody has refused anything.
    if let Some(cause) = std::error::Error::source(status) {
        let why = format!("{why}: {}", last_cause(cause));
        return if http::is_distrust(cause) { Outcome::refused(why) } else { Outcome::retry(why) };
    }
    let after = retry_info(status.details());
    match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Outcome::Retry { after, why },
        Code::ResourceExhausted if after.is_some() => Outcome::Retry { after, why },
        Code::ResourceExhausted => Outcome::TooLarge { why },
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented | Code::NotFound => {
            Outcome::Refused { why }
        }
        _ => Outcome::Reject { why },
    }
}

/// An error of a transport says what happened at its very end.
fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

fn retry_info(details: &[u8]) -> Option<Duration> {
    let status = RpcStatus::decode(details).ok()?;
    let info = status.details.iter().find(|any| any.type_url.ends_with("google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&*info.value).ok()?.delay.unwrap_or_default();
    let wait = Duration::new(u64::try_from(delay.seconds).unwrap_or(0), u32::try_from(delay.nanos).unwrap_or(0));
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;
    use hyper::header::{HeaderMap, RETRY_AFTER};
    use hyper::{StatusCode, header::HeaderValue};
    use opentelemetry_proto::tonic::collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
    };

    use super::*;

    fn answer(status: u16, body: &[u8]) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body) }
    }

    fn judged(answer: &Answer, json: bool) -> Result<Partial, Outcome> {
        of_http::<ExportLogsServiceRequest>(answer, json, UnixMillis(0))
    }

    #[test]
    fn http_follows_the_table() {
        let check = |statuses: &[u16], expected: fn(&Result<Partial, Outcome>) -> bool| {
            for status in statuses {
                let judged = judged(&answer(*status, b""), false);
                assert!(expected(&judged), "{status}: {judged:?}");
            }
        };
        check(&[200, 202, 204], |judged| *judged == Ok(Partial::default()));
        check(&[429, 502, 503, 504], |judged| matches!(judged, Err(Outcome::Retry { after: None, .. })));
        check(&[413], |judged| matches!(judged, Err(Outcome::TooLarge { .. })));
        check(&[301, 401, 403, 404, 415], |judged| matches!(judged, Err(Outcome::Refused { .. })));
        check(&[400, 408, 422, 500, 507], |judged| matches!(judged, Err(Outcome::Reject { .. })));
    }

    #[test]
    fn the_receiver_says_when() {
        let mut busy = answer(503, b"");
        busy.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert!(matches!(judged(&busy, false), Err(Outcome::Retry { after: Some(wait), .. }) if wait.as_secs() == 7));
    }

    #[test]
    fn a_part_may_be_refused() {
        let expected = Partial { rejected: 3, message: "too old".to_owned() };
        let partial_success =
            Some(ExportLogsPartialSuccess { rejected_log_records: 3, error_message: "too old".to_owned() });
        let body = ExportLogsServiceResponse { partial_success }.encode_to_vec();
        assert_eq!(judged(&answer(200, &body), false), Ok(expected));
        for body in [
            r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}"#,
            r#"{"partialSuccess":{"rejectedLogRecords":3,"errorMessage":"too old"}}"#,
        ] {
            assert_eq!(judged(&answer(200, body.as_bytes()), true).unwrap().rejected, 3, "{body}");
        }
        assert_eq!(judged(&answer(200, b"<html>"), false), Ok(Partial::default()));
        assert_eq!(judged(&answer(200, b"{}"), true), Ok(Partial::default()));
    }

    #[test]
    fn a_refusal_is_quoted() {
        let status = RpcStatus { code: 3, message: "no such field".to_owned(), details: Vec::new() };
        let mut refusal = answer(400, &status.encode_to_vec());
        refusal.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        assert_eq!(judged(&refusal, false), Err(Outcome::reject("400 Bad Request: no such field")));
    }

    fn details(retry_after: Duration) -> Vec<u8> {
        let seconds = i64::try_from(retry_after.as_secs()).unwrap();
        let delay = Some(RpcDuration { seconds, nanos: i32::try_from(retry_after.subsec_nanos()).unwrap() });
        let value = RetryInfo { delay }.encode_to_vec();
        let any = Any { type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(), value };
        RpcStatus { code: 8, message: String::new(), details: vec![any] }.encode_to_vec()
    }

    #[test]
    fn grpc_follows_the_table() {
        let check = |codes: &[Code], expected: fn(&Outcome) -> bool| {
            for code in codes {
                let outcome = of_grpc(&Status::new(*code, "words"));
                assert!(expected(&outcome), "{code:?}: {outcome:?}");
            }
        };
        let passing = [
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unavailable,
            Code::DataLoss,
        ];
        check(&passing, |outcome| matches!(outcome, Outcome::Retry { after: None, .. }));
        check(&[Code::ResourceExhausted], |outcome| matches!(outcome, Outcome::TooLarge { .. }));
        check(&[Code::Unauthenticated, Code::PermissionDenied, Code::Unimplemented], |outcome| {
            matches!(outcome, Outcome::Refused { .. })
        });
        check(&[Code::InvalidArgument, Code::Internal, Code::Unknown, Code::FailedPrecondition], |outcome| {
            matches!(outcome, Outcome::Reject { .. })
        });
    }

    #[test]
    fn exhausted_resources_are_tried_again_only_when_told_when() {
        let status = |wait| Status::with_details(Code::ResourceExhausted, "busy", Bytes::from(details(wait)));
        let wait = Duration::from_millis(1_500);
        assert_eq!(
            of_grpc(&status(wait)),
            Outcome::Retry { after: Some(wait), why: "ResourceExhausted: busy".to_owned() }
        );
        assert!(matches!(of_grpc(&status(Duration::from_secs(1 << 40))), Outcome::Retry { after: Some(LONGEST), .. }));
    }
}
