//! Settings: where things go, and who wins; what is sent of a snapshot.

use std::sync::{Mutex, PoisonError};

use super::settings::{Protocol, Target, headers, pairs};
use super::*;
use crate::clock::Clock;
use crate::event::UnixMillis;
use crate::plugin::SinkFactory;

/// The environment of the test that runs: `Setup` has a function pointer, which can capture nothing.
static ENVIRONMENT: Mutex<Vec<(&str, &str)>> = Mutex::new(Vec::new());
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn with<T>(environment: &[(&'static str, &'static str)], run: impl FnOnce(&Setup) -> T) -> T {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    environment.clone_into(&mut ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner));
    let env = |name: &str| {
        let all = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    run(&Setup { env, ..Setup::new("otlp", Clock::fixed(UnixMillis(0))) })
}

fn config(text: &str) -> Config {
    toml::from_str(text).unwrap()
}

fn target(signal: Signal, text: &str, environment: &[(&'static str, &'static str)]) -> Target {
    with(environment, |setup| Target::of(signal, &config(text), setup).unwrap())
}

#[test]
fn where_each_signal_goes() {
    fn check(signal: Signal, text: &str, environment: &[(&'static str, &'static str)], expected: &str) {
        assert_eq!(target(signal, text, environment).url.to_string(), expected, "{text} {environment:?}");
    }
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1/base/");
    let logs = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:2/exact");
    check(Signal::Metrics, "", &[], "http://localhost:4318/v1/metrics");
    check(Signal::Metrics, "protocol = 'grpc'", &[], "http://localhost:4317/");
    check(Signal::Metrics, "", &[base, logs], "http://all:1/base/v1/metrics");
    check(Signal::Logs, "", &[base, logs], "http://logs:2/exact");
    check(Signal::Logs, "endpoint = 'http://mine:3'", &[base, logs], "http://mine:3/v1/logs");
    check(Signal::Logs, "endpoint = 'http://mine:3'\nlogs_endpoint = 'https://other/x'", &[base], "https://other/x");
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    check(Signal::Logs, "", &[grpc, ("OTEL_EXPORTER_OTLP_ENDPOINT", "host:4317")], "https://host:4317/");
    let insecure = ("OTEL_EXPORTER_OTLP_INSECURE", "true");
    check(Signal::Logs, "", &[grpc, insecure, ("OTEL_EXPORTER_OTLP_ENDPOINT", "host:4317")], "http://host:4317/");
}

#[test]
fn the_section_wins_and_a_signal_wins_over_all() {
    let both = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "250"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20x, x-tenant = 7"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
    ];
    let logs = target(Signal::Logs, "", &both);
    assert_eq!((logs.protocol, logs.gzip, logs.timeout), (Protocol::Grpc, false, TIMEOUT));
    let metrics = target(Signal::Metrics, "", &both);
    assert_eq!((metrics.protocol, metrics.timeout.as_millis()), (Protocol::HttpJson, 250));
    let sent = metrics.headers().unwrap();
    assert_eq!((sent["authorization"].to_str().unwrap(), &sent["x-tenant"]), ("Bearer x", &"7".parse().unwrap()));
    assert!(!format!("{:?}", metrics.headers).contains("Bearer"), "a secret must not be shown");
    assert_eq!(metrics.tls.ca_file, Some("/ca.pem".into()));
    let mine = target(Signal::Logs, "protocol = 'http/protobuf'\ncompression = 'gzip'\ntls = {}", &both);
    assert_eq!((mine.protocol, mine.gzip, mine.tls.ca_file), (Protocol::HttpProtobuf, true, None));
}

#[test]
fn only_what_the_user_asks_for_is_sent() {
    let check = |environment: &[(&'static str, &'static str)], text: &str, expected: (bool, bool, bool)| {
        let found = with(environment, |setup| {
            let wants = |signal| config(text).wants(signal, setup);
            (Otlp::is_asked_for(setup), wants(Signal::Metrics), wants(Signal::Logs))
        });
        assert_eq!(found, expected, "{environment:?} {text}");
    };
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:1");
    check(&[], "", (false, true, true));
    check(&[base], "", (true, true, true));
    check(&[base, ("OTEL_SDK_DISABLED", "true")], "", (false, true, true));
    check(&[base, ("OTEL_LOGS_EXPORTER", "none")], "", (true, true, false));
    check(&[base], "metrics = false", (true, false, true));
    check(&[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:1")], "", (true, false, true));
    check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], "", (false, true, true));
}

#[test]
fn temporality_and_interval_follow_the_standard() {
    let name = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
    let of = |text: &str, environment: &[(&'static str, &'static str)]| {
        with(environment, |setup| Temporality::of(&config(text), setup).map_err(|error| error.to_string()))
    };
    assert_eq!(of("", &[]), Ok(Temporality::Cumulative));
    assert_eq!(of("", &[(name, "Delta")]), Ok(Temporality::Delta));
    assert_eq!(of("", &[(name, "lowmemory")]), Ok(Temporality::Delta));
    assert_eq!(of("temporality = 'cumulative'", &[(name, "delta")]), Ok(Temporality::Cumulative));
    assert!(of("", &[(name, "both")]).unwrap_err().contains(name));
    let millis = with(&[("OTEL_METRIC_EXPORT_INTERVAL", "1500")], |setup| settings::interval(setup).unwrap());
    assert_eq!(millis.as_millis(), 1_500);
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    let check = |text: &str, environment: &[(&'static str, &'static str)], word: &str| {
        let table: toml::Table = text.parse().unwrap();
        let factory = SinkFactory::of::<Otlp>();
        let error = with(environment, |setup| (factory.build)(table, setup).err().expect(text).to_string());
        assert!(error.contains(word), "{text} {environment:?}: {error}");
    };
    check("endpont = 'http://x'", &[], "endpont");
    check("protocol = 'udp'", &[], "udp");
    check("endpoint = 'host:4318'", &[], "expected http://HOST");
    check("endpoint = 'http://me:secret@host/'", &[], "password");
    check("headers_env = 'NOT_SET'", &[], "NOT_SET");
    check("tls = { ca_file = '/nowhere/ca.pem' }", &[], "ca_file");
    check("", &[("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")], "OTEL_EXPORTER_OTLP_TIMEOUT");
    check("", &[("OTEL_EXPORTER_OTLP_PROTOCOL", "thrift")], "OTEL_EXPORTER_OTLP_PROTOCOL");
    check("", &[("OTEL_EXPORTER_OTLP_HEADERS", "secret")], "OTEL_EXPORTER_OTLP_HEADERS");
    check("", &[("OTEL_RESOURCE_ATTRIBUTES", "a")], "OTEL_RESOURCE_ATTRIBUTES");
}

#[test]
fn the_resource_says_who_is_sending() {
    let environment = [
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,team=x%2Cy,deployment.environment.name=dev"),
        ("OTEL_SERVICE_NAME", "b"),
    ];
    let of = |text: &str| with(&environment, |setup| resource::Resource::new(&config(text), setup).unwrap());
    let found = of("resource = { team = 'mine' }").attributes("the-history");
    assert_eq!((&*found["service.name"], &*found["team"]), ("b", "mine"));
    assert_eq!((&*found["deployment.environment.name"], &*found["service.instance.id"]), ("dev", "the-history"));
    assert!(found.contains_key("service.version") && found.contains_key("os.type") && found.contains_key("host.arch"));
    let found = of("service_name = 'c'\ninstance_id = 'one'").attributes("the-history");
    assert_eq!((&*found["service.name"], &*found["team"], &*found["service.instance.id"]), ("c", "x,y", "one"));
}

#[test]
fn lists_are_decoded_and_errors_show_no_value() {
    assert_eq!(pairs("a=1%20%zz,,b=c=d").unwrap(), [("a".into(), "1 %zz".into()), ("b".into(), "c=d".into())]);
    for wrong in ["secret", "=secret", "a=%ff-secret", "a b=secret", "a=sec%0Aret"] {
        let words = headers(wrong).unwrap_err();
        assert!(!words.contains("secret") && !words.contains("ret"), "{wrong}: {words}");
    }
}

#[test]
fn the_sample_has_both_parts() {
    let mut table: toml::Table = Otlp::SAMPLE.parse().unwrap();
    let mut section = table["sinks"]["otlp"].as_table().unwrap().clone();
    section.remove("type");
    table.clear();
    let hub = Hub::new(crate::hub::Snapshot::default(), crate::hub::Statuses::default());
    let parts = with(&[], |setup| (SinkFactory::of::<Otlp>().build)(section, setup).unwrap()(&hub));
    let names: Vec<_> = parts.deliveries.iter().map(|named| named.part).collect();
    assert_eq!((names, parts.follower.is_none()), (vec![Some("metrics"), Some("logs")], true));
}
