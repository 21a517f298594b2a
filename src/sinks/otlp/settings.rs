//! What users say, in the section or by the standard variables. The section wins, key by key: it speaks of one receiver,
//! the environment of all. A variable for one signal wins over the one for all signals.
//! See <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use serde::Deserialize;

use super::TIMEOUT;
use crate::plugin::{BuildError, Secret, SecretRef, Setup};
use crate::sinks::http::{self, Tls};

/// The section `[sinks.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    endpoint: Option<String>,
    metrics_endpoint: Option<String>,
    logs_endpoint: Option<String>,
    protocol: Option<Protocol>,
    compression: Option<Compression>,
    headers_env: Option<String>,
    headers_file: Option<PathBuf>,
    tls: Option<Tls>,
    metrics: Option<bool>,
    logs: Option<bool>,
    temporality: Option<Temporality>,
    pub(super) service_name: Option<String>,
    pub(super) instance_id: Option<String>,
    pub(super) resource: BTreeMap<String, String>,
    pub(super) self_telemetry: bool,
}

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Protocol {
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    #[serde(rename = "http/json")]
    HttpJson,
    #[serde(rename = "grpc")]
    Grpc,
}

impl Protocol {
    fn parse(text: &str) -> Option<Self> {
        match text {
            opentelemetry_otlp::OTEL_EXPORTER_OTLP_PROTOCOL_HTTP_PROTOBUF => Some(Self::HttpProtobuf),
            opentelemetry_otlp::OTEL_EXPORTER_OTLP_PROTOCOL_HTTP_JSON => Some(Self::HttpJson),
            opentelemetry_otlp::OTEL_EXPORTER_OTLP_PROTOCOL_GRPC => Some(Self::Grpc),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Compression {
    Gzip,
    None,
}

/// What a sum says: all since its start, or what came since the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Temporality {
    Cumulative,
    Delta,
}

impl Temporality {
    /// For counters, `lowmemory` means delta.
    pub(super) fn of(config: &Config, setup: &Setup) -> Result<Self, BuildError> {
        let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
        match (config.temporality, variable(setup, name).map(|said| said.to_ascii_lowercase()).as_deref()) {
            (Some(said), _) => Ok(said),
            (None, None | Some("cumulative")) => Ok(Self::Cumulative),
            (None, Some("delta" | "lowmemory")) => Ok(Self::Delta),
            (None, Some(_)) => Err(wrong(name, "expected cumulative, delta or lowmemory")),
        }
    }
}

/// A kind of telemetry, with an endpoint of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Metrics,
    Logs,
}

impl Signal {
    /// As it stands in the names of variables.
    fn word(self) -> &'static str {
        match self {
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Where it goes below the base.
    fn path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// `OTEL_EXPORTER_OTLP_<SIGNAL>_<what>`, or the one for all signals.
    fn variable(self, what: &str, setup: &Setup) -> Option<(String, String)> {
        [format!("OTEL_EXPORTER_OTLP_{}_{what}", self.word()), format!("OTEL_EXPORTER_OTLP_{what}")]
            .into_iter()
            .find_map(|name| variable(setup, &name).map(|value| (name, value)))
    }
}

/// A variable that is set to something: an empty one counts as unset.
fn variable(setup: &Setup, name: &str) -> Option<String> {
    (setup.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn wrong(name: &str, words: &str) -> BuildError {
    BuildError::Settings(format!("the environment variable {name}: {words}"))
}

/// The environment names a receiver, and does not say that nothing shall be sent.
pub(super) fn asked_by_environment(setup: &Setup) -> bool {
    let off = variable(setup, "OTEL_SDK_DISABLED").is_some_and(|said| said.eq_ignore_ascii_case("true"));
    !off && [Signal::Metrics, Signal::Logs].into_iter().any(|signal| named(signal, setup))
}

/// The environment says where this signal goes.
fn named(signal: Signal, setup: &Setup) -> bool {
    let exporter = variable(setup, &format!("OTEL_{}_EXPORTER", signal.word()));
    signal.variable("ENDPOINT", setup).is_some() && exporter.is_none_or(|names| names.split(',').any(|n| n == "otlp"))
}

impl Config {
    /// Whether a signal is sent: as the section says; without a word of it, both, or the ones that the environment has a
    /// receiver for.
    pub(super) fn wants(&self, signal: Signal, setup: &Setup) -> bool {
        let said = match signal {
            Signal::Metrics => self.metrics,
            Signal::Logs => self.logs,
        };
        let here = self.endpoint.is_some() || self.signal_endpoint(signal).is_some();
        said.unwrap_or(here || named(signal, setup) || !asked_by_environment(setup))
    }

    fn signal_endpoint(&self, signal: Signal) -> Option<&String> {
        match signal {
            Signal::Metrics => self.metrics_endpoint.as_ref(),
            Signal::Logs => self.logs_endpoint.as_ref(),
        }
    }
}

/// Time between metrics: `OTEL_METRIC_EXPORT_INTERVAL`, in milliseconds.
pub(super) fn interval(setup: &Setup) -> Result<Duration, BuildError> {
    let name = "OTEL_METRIC_EXPORT_INTERVAL";
    match variable(setup, name) {
        None => Ok(Duration::from_secs(60)),
        Some(text) => millis(name, &text),
    }
}

fn millis(name: &str, text: &str) -> Result<Duration, BuildError> {
    match text.parse() {
        Ok(millis @ 1..=86_400_000) => Ok(Duration::from_millis(millis)),
        _ => Err(wrong(name, "expected milliseconds from 1 to 86400000")),
    }
}

/// Where one signal goes, and how.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) url: Uri,
    pub(super) protocol: Protocol,
    pub(super) gzip: bool,
    pub(super) timeout: Duration,
    pub(super) headers: Headers,
    pub(super) tls: Tls,
}

/// What goes along with every request.
#[derive(Clone, Debug)]
pub(super) enum Headers {
    Fixed(hyper::HeaderMap),
    /// Read at each use: a file may be replaced.
    Secret(Secret),
}

impl Target {
    pub(super) fn of(signal: Signal, config: &Config, setup: &Setup) -> Result<Self, BuildError> {
        let protocol = match (config.protocol, signal.variable("PROTOCOL", setup)) {
            (Some(said), _) => said,
            (None, None) => Protocol::HttpProtobuf,
            (None, Some((name, text))) => {
                Protocol::parse(&text).ok_or_else(|| wrong(&name, "expected http/protobuf, http/json or grpc"))?
            }
        };
        let gzip = match (config.compression, signal.variable("COMPRESSION", setup)) {
            (Some(said), _) => said == Compression::Gzip,
            (None, None) => true,
            (None, Some((name, text))) => match text.as_str() {
                "gzip" => true,
                "none" => false,
                _ => return Err(wrong(&name, "expected gzip or none")),
            },
        };
        let timeout = match signal.variable("TIMEOUT", setup) {
            None => TIMEOUT,
            Some((name, text)) => millis(&name, &text)?,
        };
        let secret = SecretRef::new(config.headers_env.clone(), config.headers_file.clone());
        let headers = match (secret.resolve("headers", setup)?, signal.variable("HEADERS", setup)) {
            (Some(secret), _) => Headers::Secret(secret),
            (None, None) => Headers::Fixed(hyper::HeaderMap::new()),
            (None, Some((name, text))) => Headers::Fixed(headers(&text).map_err(|words| wrong(&name, &words))?),
        };
        let url = url(signal, protocol, config, setup)?;
        Ok(Self { url, protocol, gzip, timeout, headers, tls: tls(signal, config, setup) })
    }
}

/// An endpoint for the signal is taken as it is; to one for all signals the path is added, unless it is gRPC's.
fn url(signal: Signal, protocol: Protocol, config: &Config, setup: &Setup) -> Result<Uri, BuildError> {
    let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.word());
    let all = opentelemetry_otlp::OTEL_EXPORTER_OTLP_ENDPOINT;
    let key = format!("{}_endpoint", signal.word().to_ascii_lowercase());
    let default = if protocol == Protocol::Grpc { "http://localhost:4317" } else { "http://localhost:4318" };
    let (from, text, whole) = match (config.signal_endpoint(signal), &config.endpoint) {
        (Some(text), _) => (key.as_str(), text.clone(), true),
        (None, Some(text)) => ("endpoint", text.clone(), false),
        (None, None) => match (variable(setup, &own), variable(setup, all)) {
            (Some(text), _) => (own.as_str(), text, true),
            (None, Some(text)) => (all, text, false),
            (None, None) => ("endpoint", default.to_owned(), false),
        },
    };
    let mut text = text;
    if protocol == Protocol::Grpc {
        if !text.contains("://") {
            let insecure =
                signal.variable("INSECURE", setup).is_some_and(|(_, said)| said.eq_ignore_ascii_case("true"));
            text = format!("{}://{text}", if insecure { "http" } else { "https" });
        }
    } else if !whole {
        text = format!("{}{}", text.trim_end_matches('/'), signal.path());
    }
    http::url(from, &text)
}

/// The section's table as a whole, or what the variables name.
fn tls(signal: Signal, config: &Config, setup: &Setup) -> Tls {
    let file = |what: &str| signal.variable(what, setup).map(|(_, path)| PathBuf::from(path));
    config.tls.clone().unwrap_or_else(|| Tls {
        ca_file: file("CERTIFICATE"),
        cert_file: file("CLIENT_CERTIFICATE"),
        key_file: file("CLIENT_KEY"),
    })
}

/// `name=value,name=value`, values percent-encoded.
pub(super) fn headers(text: &str) -> Result<hyper::HeaderMap, String> {
    let mut headers = hyper::HeaderMap::new();
    for (name, value) in pairs(text)? {
        let name = hyper::header::HeaderName::try_from(name.to_ascii_lowercase())
            .map_err(|_| "there is a name that no header can have".to_owned())?;
        let mut value = hyper::header::HeaderValue::try_from(value)
            .map_err(|_| format!("the value of {name} is none that a header can have"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The pairs of a list as in W3C Baggage, which several of the variables have. The values stay out of the errors: they
/// may be secrets.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut pairs = Vec::new();
    for (place, pair) in text.split(',').map(str::trim).enumerate().filter(|(_, pair)| !pair.is_empty()) {
        let wrong = || format!("number {} of the list is not `name=value`", place + 1);
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        if name.trim().is_empty() {
            return Err(wrong());
        }
        let value = decoded(value.trim()).ok_or_else(|| format!("number {} of the list is not UTF-8", place + 1))?;
        pairs.push((name.trim().to_owned(), value));
    }
    Ok(pairs)
}

/// Percent-decoding, RFC 3986 §2.1; a `%` that starts nothing stands for itself.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let code = more.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = more.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    String::from_utf8(bytes).ok()
}
