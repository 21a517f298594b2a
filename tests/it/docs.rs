//! What the documents state in tables is what the program does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use claude_token_monitor::clock::Clock;
use claude_token_monitor::config::{Flags, Settings, keys};
use claude_token_monitor::pricing::{PriceRow, PriceTable};
use claude_token_monitor::sinks::websocket::message::{ClientMessage, ServerMessage};
use claude_token_monitor::synthetic;
use serde_json::Value;

use crate::house::TestHouse;
use crate::wait::{PATIENCE, eventually};

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows below the header that starts with `first`, without the line under it.
fn table<'a>(document: &'a str, first: &str) -> Vec<&'a str> {
    let lines = document.lines().skip_while(|line| !line.starts_with(first)).skip(2);
    lines.take_while(|line| line.starts_with('|')).collect()
}

fn row(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Shows the whole expected table, so that it can be copied into the document.
fn check(document: &str, first: &str, expected: &[String]) {
    assert!(table(document, first) == expected, "the table `{first}` should be:\n{}", expected.join("\n"));
}

fn name(row: &PriceRow) -> [String; 2] {
    [format!("`{}`", row.model), row.effective_date.to_string()]
}

#[test]
fn the_price_table_is_the_one_in_force() {
    let document = document("pricing.md");
    let table = PriceTable::builtin();
    assert!(document.contains(&format!("Last checked on {}.", table.version())));

    let prices = table.rows().map(|price| {
        let times = |factor: Option<_>| factor.map_or_else(|| "–".to_owned(), |factor| format!("×{factor}"));
        let amounts = [price.input, price.output, price.cache_write_5m, price.cache_write_1h, price.cache_read];
        let cells = name(price).into_iter().chain(amounts.map(|amount| amount.to_string()));
        let ways = [times(price.fast_multiplier), times(price.us_inference_multiplier)];
        row(&cells.chain(ways).chain([price.confidence.name().to_owned()]).collect::<Vec<_>>())
    });
    check(&document, "| Model | From | Input", &prices.collect::<Vec<_>>());

    let long = table.rows().filter_map(|price| {
        let long = price.long_context.as_ref()?;
        let amounts = [long.input, long.output, long.cache_write_5m, long.cache_write_1h, long.cache_read];
        let cells = name(price).into_iter().chain([long.threshold.to_string()]);
        Some(row(&cells.chain(amounts.map(|amount| amount.to_string())).collect::<Vec<_>>()))
    });
    check(&document, "| Model | From | Threshold", &long.collect::<Vec<_>>());
}

#[test]
fn every_batch_price_is_the_half_that_the_document_says() {
    assert!(PriceTable::builtin().rows().all(|row| row.batch_multiplier.is_some_and(|half| half.to_string() == "0.5")));
}

#[test]
fn the_sources_of_prices_are_named() {
    let document = document("pricing.md");
    let table = PriceTable::builtin();
    let sources: BTreeSet<&str> = table.rows().flat_map(|row| &row.sources).map(String::as_str).collect();
    for source in sources {
        assert!(document.contains(source), "docs/pricing.md does not name {source}");
    }
}

#[test]
fn the_example_of_a_price_is_valid() {
    let document = document("pricing.md");
    let example = document.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = directory.path().join("config.toml");
    std::fs::write(&config, example).expect("writable");
    let flags = Flags { config: Some(config), ..Flags::default() };
    let settings = Settings::load(&flags, &BTreeMap::from([("HOME", "/home/me")])).expect("valid").0;
    assert_eq!(settings.prices.len(), 1);
}

#[test]
fn every_setting_is_documented() {
    let document = document("configuration.md");
    let home = if cfg!(windows) { r"C:\me" } else { "/home/me" };
    let (_, defaults) = Settings::load(&Flags::default(), &BTreeMap::from([("HOME", home)])).expect("valid");
    let rows = table(&document, "| Key | Default");
    let documented: Vec<&str> = rows.iter().filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(documented, defaults.iter().map(|setting| setting.key.as_str()).collect::<Vec<_>>());

    for (key, line) in keys::ALL.iter().zip(rows) {
        let cells: Vec<&str> = line.split(" | ").collect();
        let quoted = |names: &[&str]| match names {
            [] => "–".to_owned(),
            names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        };
        assert_eq!(cells[2..4], [quoted(key.env), quoted(key.flag.as_slice())], "{}", key.name);
        let value = defaults.get(key.name).expect("every setting").value.replace(home, "~");
        // These depend on the machine.
        if !cfg!(windows) && !["time_zone", "watch.readers"].contains(&key.name) {
            let shown = if value.is_empty() { "none".to_owned() } else { format!("`{value}`") };
            assert_eq!(cells[1], shown, "{}", key.name);
        }
    }
}

#[test]
fn every_live_message_is_documented_with_an_example() {
    let document = document("websocket.md");
    let (said, heard) = document.split_once("## What a client may say").expect("both directions");
    let kind = |message: &Value| message["type"].as_str().expect("a type").to_owned();
    let listed = |part: &str| -> BTreeSet<String> {
        let rows = table(part, "| `type` | ");
        rows.iter().filter_map(|row| row.split('`').nth(1)).map(str::to_owned).collect()
    };
    let mut shown = BTreeSet::new();
    for example in examples(said) {
        // Nothing in it is unknown, and nothing is missing.
        let message: ServerMessage = serde_json::from_value(example.clone()).expect("a message of ours");
        assert_eq!(serde_json::to_value(&message).expect("a map"), example);
        shown.insert(kind(&example));
    }
    assert_eq!(shown, listed(said));
    assert_eq!(shown.len(), 7, "as many as there are");
    let mut shown = BTreeSet::new();
    for example in examples(heard) {
        ClientMessage::parse(&example.to_string()).expect("understood");
        shown.insert(kind(&example));
    }
    assert_eq!(shown, listed(heard));
    let refused = ["?", "{}", r#"{"type":"x"}"#].map(|text| ClientMessage::parse(text).expect_err(text).code);
    let codes = table(heard, "| `code` | ");
    assert!(refused.iter().all(|code| codes.iter().any(|row| row.contains(&format!("`{code}`")))));
}

/// The JSON in a document, one message a line.
fn examples(document: &str) -> Vec<Value> {
    let blocks = document.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Everything that can be switched on.
const ALL_METRICS: &str = "\
[sinks.prometheus]
profile = \"both\"
sessions = \"active\"
session_hours = 168
budgets = {daily = 1.0, weekly = 1.0, monthly = 1.0}

[sinks.lines]
type = \"jsonl\"
path = \"usage.jsonl\"
start_from = \"beginning\"
";

#[test]
fn every_family_of_metrics_is_documented_and_every_documented_one_is_there() {
    let house = TestHouse::new().with_config(ALL_METRICS);
    synthetic::write(&synthetic::demo_plan(Clock::system().now()), house.claude()).expect("a disk");
    let served = house.serve();
    // A request that has been answered is in a later scrape, and so is a sink's first success.
    let text = eventually("everything to have happened once", PATIENCE, || {
        let text = served.text("/metrics");
        let all = ["http_requests_total{", "sink_last_success_timestamp_seconds{"];
        all.iter().all(|name| text.contains(&format!("\nclaude_token_monitor_{name}"))).then_some(text)
    });

    let (mut help, mut order, mut labels) = (BTreeMap::new(), Vec::new(), BTreeMap::<&str, Vec<&str>>::new());
    for line in text.lines() {
        if let Some((name, words)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.insert(name, words);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            order.push((name, kind));
        } else if let Some((name, _)) = order.last() {
            assert!(line.starts_with(name), "{line} does not belong to {name}");
            let names = line.split_once('{').into_iter().flat_map(|(_, rest)| rest.split("=\"")).filter_map(|part| {
                let name = part.rsplit([',', '"']).next()?;
                let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                (is_name && name != "le").then_some(name)
            });
            labels.insert(name, names.collect());
        }
    }
    let rows = order.into_iter().map(|(name, kind)| {
        let labels = labels[name].iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let labels = if labels.is_empty() { "–".to_owned() } else { labels };
        row(&[format!("`{name}`"), kind.to_owned(), labels, help[name].to_owned()])
    });
    check(&document("metrics.md"), "| Family | Type", &rows.collect::<Vec<_>>());
}

#[test]
fn every_endpoint_is_in_the_table_of_the_api() {
    let served = crate::house::TestHouse::new().serve();
    let api = served.json("/api/v1/openapi.json");
    let mut rows = Vec::new();
    for (path, item) in api["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let parameters = parameters.filter(|parameter| parameter["in"] == "query");
            let names: Vec<String> =
                parameters.map(|one| format!("`{}`", one["name"].as_str().expect("a name"))).collect();
            let summary = operation["summary"].as_str().expect("a summary").to_owned();
            let names = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
            rows.push(row(&[method.to_uppercase(), format!("`{path}`"), summary, names]));
        }
    }
    check(&document("api.md"), "| Method | Path", &rows);
}

#[test]
fn every_sink_and_every_shared_key_is_documented() {
    let document = document("sinks.md");
    for factory in claude_token_monitor::sinks::SINKS {
        assert!(document.contains(&format!("| `{}` |", factory.kind)), "docs/sinks.md does not name {}", factory.kind);
    }
    for key in claude_token_monitor::deliver::SHARED_KEYS {
        assert!(document.contains(&format!("`{key}`")), "docs/sinks.md does not name {key}");
    }
}
