//! `/api/v1/cost/…`: what it costs, what it would have cost, and by which prices.

use claude_token_monitor::pricing::PriceTable;
use serde_json::{Value, json};

use super::client::get;
use super::encoded;
use super::recount::{ALL, Row, Scene, Sum, by, near, usd};
use crate::house::TestHouse;

fn check(answer: &Value, rows: &[&Row], what: &str) {
    let sum = Sum::of(rows.iter().copied());
    near(&answer["total_cost"], sum.cost(), what);
    assert_eq!(answer["unpriced_tokens"].as_i64().map(i128::from), Some(sum.unpriced), "{what}");
    sum.check_costs(&answer["breakdown"]["by_kind"], what);
    let models = by(rows, |row| row.model.clone());
    let got = answer["breakdown"]["by_model"].as_array().unwrap();
    assert_eq!(got.len(), models.len(), "{what}");
    for row in got {
        let sum = Sum::of(models[row["model"].as_str().unwrap()].iter().copied());
        sum.check(row, what);
        sum.check_costs(&row["costs"], what);
    }
    assert!(got.is_sorted_by(|a, b| a["total_cost"].as_f64() >= b["total_cost"].as_f64()), "the dearest first");
    // The parts are the whole.
    let parts = &answer["breakdown"]["by_kind"];
    let names = ["input", "output", "cache_creation", "cache_read", "web_search", "unexplained"];
    near(&answer["total_cost"], names.iter().map(|name| parts[name].as_f64().unwrap()).sum(), "the sum of the parts");
    near(
        &parts["cache_creation"],
        parts["cache_creation_5m"].as_f64().unwrap() + parts["cache_creation_1h"].as_f64().unwrap(),
        "both writes",
    );
    near(&answer["total_cost"], got.iter().map(|row| row["total_cost"].as_f64().unwrap()).sum(), "the sum over models");
    assert_eq!((&answer["currency"], &answer["is_estimate"]), (&"USD".into(), &true.into()));
    assert_eq!(answer["price_table"], PriceTable::builtin().version());
}

#[test]
fn an_estimate_is_the_cost_of_every_response() {
    let scene = Scene::small(71);
    let ask = |query: &str| scene.served.json(&format!("/api/v1/cost/estimate?{query}"));
    let whole = ask("");
    check(&whole, &scene.only(|row| row.at < jiff::Timestamp::now()), "all time");
    assert!(whole["range"]["start"].is_null() && whole.get("what_if").is_none());
    assert!(whole["unpriced_tokens"].as_i64() > Some(0), "the scene has a model without a price");
    near(&whole["total_cost"], scene.truth.totals.cost.usd(), "the generator's truth");
    let (from, to) = ("2026-10-20", "2026-11-10");
    for zone in ["UTC", "Asia/Kathmandu", "America/New_York"] {
        let local = |row: &Row| row.at.in_tz(zone).unwrap().date();
        let within = |row: &Row| local(row) >= from.parse().unwrap() && local(row) <= to.parse().unwrap();
        check(&ask(&format!("start_date={from}&end_date={to}&tz={zone}")), &scene.only(within), zone);
    }
    for model in scene.usual(|row| Some(row.model.clone())) {
        check(&ask(&format!("model={}", encoded(&model))), &scene.only(|row| row.model == model), &model);
    }
    let project = scene.usual(|row| Some(row.project.clone())).remove(1);
    let query = format!("project={}&query_source=subagent", encoded(&project));
    check(&ask(&query), &scene.only(|row| row.project == project && row.is_subagent), &query);
    check(&ask("session=nobody"), &[], "nobody");
}

/// A price in pico-dollars a token, which is dollars a million tokens times a million.
fn pico(price: &Value) -> i128 {
    let dollars = price.as_f64().unwrap();
    format!("{:.0}", dollars * 1e6).parse().unwrap()
}

/// What a response would have cost by a table of prices: that of its UTC day, or the first; for long prompts that of long
/// prompts; times what is asked for fast answers, for inference in the US and for batches, where anything is.
fn as_if(row: &Row, prices: &[Value]) -> i128 {
    let day = row.at.strftime("%Y-%m-%d").to_string();
    let dated = prices.iter().rev().find(|price| price["effective_date"].as_str().unwrap() <= day.as_str());
    let price = dated.unwrap_or(&prices[0]);
    let prompt = row.input + row.write_5m + row.write_1h + row.read;
    let long =
        Some(&price["long_context"]).filter(|long| long["threshold"].as_i64().is_some_and(|most| prompt > most.into()));
    let card = long.unwrap_or(price);
    let factors = ["fast_multiplier", "us_inference_multiplier", "batch_multiplier"];
    let times = |one: i128| {
        let on = factors.iter().zip(row.modes).filter(|(name, on)| *on && !price[**name].is_null());
        let (value, scale) = on.fold((one, 1), |(value, scale), (name, _)| {
            let thousandths: i128 = format!("{:.0}", price[*name].as_f64().unwrap() * 1e3).parse().unwrap();
            (value * thousandths, scale * 1000)
        });
        (value + scale / 2) / scale
    };
    let parts = [
        ("input_price", row.input),
        ("output_price", row.output),
        ("cache_creation_price", row.write_5m),
        ("cache_creation_1h_price", row.write_1h),
        ("cache_read_price", row.read),
    ];
    let tokens: i128 = parts.iter().map(|(name, count)| times(pico(&card[*name])) * count).sum();
    // A cent a search.
    tokens + row.searches * 10_000_000_000
}

#[test]
fn a_what_if_is_the_same_tokens_at_another_models_prices() {
    let scene = Scene::small(72);
    let pricing = scene.served.json("/api/v1/cost/pricing");
    assert!(scene.rows.iter().any(|row| row.modes[0]) && scene.rows.iter().any(|row| row.modes[1]));
    for (asked, model) in [
        ("claude-haiku-4-5", "claude-haiku-4-5"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-opus-5-5", "claude-opus-5-5"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-haiku-5-5", "claude-haiku-5-5"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
    ] {
        let prices = pricing["models"][model]["prices"].as_array().unwrap();
        let answer = scene.served.json(&format!("/api/v1/cost/estimate?{ALL}&as_model={asked}"));
        check(&answer, &scene.all(), asked);
        let what_if = &answer["what_if"];
        assert_eq!(what_if["as_model"], model);
        let expected: i128 = scene.rows.iter().map(|row| as_if(row, prices)).sum();
        near(&what_if["total_cost"], usd(expected), asked);
        near(&what_if["difference"], usd(expected - Sum::of(&scene.rows).costs.iter().sum::<i128>()), asked);
        for row in what_if["by_model"].as_array().unwrap() {
            let used = scene.only(|other| row["model"] == other.model);
            near(&row["total_cost"], usd(used.into_iter().map(|row| as_if(row, prices)).sum()), asked);
        }
        let parts = &what_if["by_kind"];
        let names = ["input", "output", "cache_creation", "cache_read", "web_search"];
        near(&what_if["total_cost"], names.iter().map(|name| parts[name].as_f64().unwrap()).sum(), "its parts");
    }
    for unknown in ["gpt-5", "claude", "%00", "qwen3-coder-plus"] {
        let refused = get(&scene.served, &format!("/api/v1/cost/estimate?as_model={unknown}"));
        assert_eq!((refused.status, &refused.json()["parameter"]), (422, &"as_model".into()), "{unknown}");
    }
}

#[test]
fn prices_are_those_of_the_table() {
    let house = TestHouse::new();
    let served = house.serve();
    let answer = served.json("/api/v1/cost/pricing");
    let table = PriceTable::builtin();
    assert_eq!((&answer["version"], &answer["unit"]), (&table.version().into(), &"USD per million tokens".into()));
    near(&answer["web_search_per_thousand"], 10.0, "searches");
    let models = answer["models"].as_object().unwrap();
    let rows =
        models.iter().flat_map(|(model, row)| row["prices"].as_array().unwrap().iter().map(move |row| (model, row)));
    let mut expected: Vec<_> = table.rows().collect();
    // By name here, by age in the table.
    expected.sort_by_key(|row| (row.model.clone(), row.effective_date));
    let mut expected = expected.into_iter();
    let number = |shown: String| shown.parse::<f64>().unwrap();
    for (model, row) in rows {
        let price = expected.next().expect("no row too many");
        assert_eq!((&**model, &row["effective_date"]), (&*price.model, &price.effective_date.to_string().into()));
        for (name, price) in [
            ("input_price", price.input),
            ("output_price", price.output),
            ("cache_creation_price", price.cache_write_5m),
            ("cache_creation_1h_price", price.cache_write_1h),
            ("cache_read_price", price.cache_read),
        ] {
            near(&row[name], number(price.to_string()), format!("{model} {name}"));
        }
        for (name, factor) in [
            ("fast_multiplier", price.fast_multiplier),
            ("us_inference_multiplier", price.us_inference_multiplier),
            ("batch_multiplier", price.batch_multiplier),
        ] {
            assert_eq!(row[name].as_f64(), factor.map(|factor| number(factor.to_string())), "{model} {name}");
        }
        let long = price.long_context.as_ref();
        assert_eq!(row["long_context"]["threshold"].as_u64(), long.map(|long| long.threshold), "{model}");
        assert_eq!(row["long_context"]["output_price"].as_f64(), long.map(|long| number(long.output.to_string())));
        assert_eq!(row["retired_date"].as_str().map(str::to_owned), price.retired_date.map(|day| day.to_string()));
        assert_eq!(row["sources"], Value::from(price.sources.clone()));
        assert_eq!(row["confidence"], price.confidence.name());
    }
    assert!(expected.next().is_none(), "no row is missing");
    // One model, in any form of its id; a model without a price has none.
    let one = served.json("/api/v1/cost/pricing?model=us.anthropic.claude-opus-4-8-v1:0");
    assert_eq!(one["models"], json!({"claude-opus-4-8": models["claude-opus-4-8"]}));
    assert_eq!(served.json("/api/v1/cost/pricing?model=gpt-5")["models"], json!({}));
}

#[test]
fn prices_of_ones_own_show_up() {
    let override_ = "[[prices]]\nmodel = \"glm-4.6\"\neffective_date = \"2026-01-01\"\ninput = 0.6\noutput = 2.2\n\
                     cache_write_5m = 0\ncache_write_1h = 0\ncache_read = 0.11\n";
    let served = TestHouse::new().with_config(override_).serve();
    let prices = served.json("/api/v1/cost/pricing?model=glm-4.6");
    let row = &prices["models"]["glm-4.6"]["prices"][0];
    for (name, price) in [("input_price", 0.6), ("output_price", 2.2), ("cache_read_price", 0.11)] {
        near(&row[name], price, name);
    }
    assert_eq!((&row["confidence"], &row["effective_date"]), (&"user".into(), &"2026-01-01".into()));
    assert_eq!(served.json("/api/v1/cost/estimate?as_model=glm-4.6")["what_if"]["as_model"], "glm-4.6");
}

/// The names of all fields that are about costs.
fn costs(value: &Value, found: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        if name.contains("cost") {
            found.push(name.clone());
        }
        costs(value, found);
    }
    value.as_array().into_iter().flatten().for_each(|value| costs(value, found));
}

#[test]
fn without_cost_estimation_there_is_no_cost_anywhere() {
    let house = TestHouse::new().with_env("ENABLE_COST_ESTIMATION", "false");
    let instants =
        super::clockwork::every(jiff::SignedDuration::from_hours(1), "2025-11-01T00:00:00Z", "2025-11-02T00:00:00Z");
    let clock = super::clockwork::Clockwork::new(house, instants);
    for path in [
        "stats/current".to_owned(),
        format!("stats/history?{ALL}"),
        "stats/trends?days=30&end_date=2025-11-03&group_by=model".to_owned(),
        "stats/trends?days=30&end_date=2025-11-03&group_by=kind".to_owned(),
        format!("stats/projects?{ALL}&sort=cost"),
        format!("stats/sessions?{ALL}&sort=cost"),
        "stats/sessions/ticking".to_owned(),
        format!("stats/blocks?{ALL}"),
        "stats/heatmap?days=30&end_date=2025-11-03".to_owned(),
        format!("export/json?{ALL}"),
        format!("export/json?{ALL}&level=day"),
    ] {
        let (answer, mut found) = (clock.served.json(&format!("/api/v1/{path}")), Vec::new());
        costs(&answer, &mut found);
        assert!(found.is_empty(), "{path}: {found:?}");
        assert!(answer.to_string().contains("\"requests\":") || answer.to_string().contains("\"output_tokens\":"));
    }
    for level in ["raw", "hour", "day"] {
        let text = clock.served.text(&format!("/api/v1/export/csv?{ALL}&level={level}"));
        let head = text.lines().next().unwrap();
        assert!(!head.contains("cost") && head.contains("total_tokens"), "{head}");
        assert!(text.lines().all(|line| line.split("\",").count() > 1));
    }
    for path in ["cost/estimate", "cost/pricing"] {
        let refused = get(&clock.served, &format!("/api/v1/{path}"));
        assert_eq!((refused.status, &refused.json()["code"]), (403, &"costs_disabled".into()), "{path}");
    }
}
