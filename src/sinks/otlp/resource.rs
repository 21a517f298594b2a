//! Who is sending: the attributes that every record and every point belong to.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource as Message;

use super::settings::{Config, pairs};
use crate::plugin::{BuildError, Setup};

/// No more attributes than this, whoever wants them.
const MOST: usize = 128;

/// The attributes by name. `service.instance.id` is the history's own name unless the user has another.
#[derive(Clone, Debug)]
pub(super) struct Resource(BTreeMap<String, String>);

impl Resource {
    /// The section wins over `OTEL_SERVICE_NAME`, that over `OTEL_RESOURCE_ATTRIBUTES`, that over what we say ourselves.
    pub(super) fn new(config: &Config, setup: &Setup) -> Result<Self, BuildError> {
        let said = |name: &str| (setup.env)(name).filter(|value| !value.trim().is_empty());
        let ours = [
            ("service.name", env!("CARGO_PKG_NAME")),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("os.type", if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS }),
            ("host.arch", architecture(std::env::consts::ARCH)),
        ];
        let mut all: BTreeMap<String, String> = ours.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        if let Some(text) = said("OTEL_RESOURCE_ATTRIBUTES") {
            let pairs = pairs(&text).map_err(|words| {
                BuildError::Settings(format!("the environment variable OTEL_RESOURCE_ATTRIBUTES: {words}"))
            })?;
            all.extend(pairs);
        }
        all.extend(said("OTEL_SERVICE_NAME").map(|name| ("service.name".to_owned(), name)));
        all.extend(config.resource.clone());
        all.extend(config.service_name.clone().map(|name| ("service.name".to_owned(), name)));
        all.extend(config.instance_id.clone().map(|id| ("service.instance.id".to_owned(), id)));
        if all.len() > MOST {
            return Err(BuildError::at("resource", format!("more than {MOST} attributes of the resource")));
        }
        Ok(Self(all))
    }

    /// All of them, for one history.
    pub(super) fn attributes(&self, instance: &str) -> BTreeMap<String, String> {
        let mut all = self.0.clone();
        all.entry("service.instance.id".to_owned()).or_insert_with(|| instance.to_owned());
        all
    }

    pub(super) fn message(&self, instance: &str) -> Message {
        let attributes = self.attributes(instance);
        Message { attributes: attributes.into_iter().map(|(k, v)| text(&k, v)).collect(), ..Message::default() }
    }
}

/// The names that OpenTelemetry has for processors.
fn architecture(ours: &'static str) -> &'static str {
    match ours {
        "x86_64" => "amd64",
        "x86" => "x86",
        "aarch64" => "arm64",
        "arm" => "arm32",
        other => other,
    }
}

/// Whose names these are.
pub(super) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    }
}

pub(super) fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// OTLP has no unsigned numbers.
pub(super) fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::IntValue(signed(value)))
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
