//! `/cost`: its sums are the API's, its answers those of plain arithmetic.

use super::{encoded, house, serve};

/// The rows of the table in a section, each the texts of its cells.
fn table(page: &str, section: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(&format!("id=\"{section}\"")).unwrap_or_else(|| panic!("no {section} in {page}"));
    let body = rest.split("<tbody>").nth(1).unwrap().split("</table>").next().unwrap();
    let cells = |row: &str| -> Vec<String> {
        let cells = row.split("</th>").flat_map(|part| part.split("</td>"));
        cells.map(text).filter(|cell| !cell.is_empty()).collect()
    };
    body.split("</tr>").map(cells).filter(|row| !row.is_empty()).collect()
}

/// What is between the tags.
fn text(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => inside = false,
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// `$1,234.56`
fn money(usd: f64) -> String {
    let text = format!("{usd:.2}");
    if text == "0.00" && usd > 0.0 {
        return "<$0.01".to_owned();
    }
    let (whole, cents) = text.split_once('.').unwrap();
    format!("${}.{cents}", super::grouped(whole.parse().unwrap()))
}

/// The same with the `<` of an amount too small to show as HTML has it.
fn shown(usd: f64) -> String {
    money(usd).replace('<', "&#60;")
}

#[test]
fn sums_and_what_ifs_are_those_of_the_api() {
    let (house, _) = house();
    let served = serve(&house);
    let page = served.text("/cost?range=all");
    let api = served.json("/api/v1/cost/estimate?end_date=2199-12-31");
    let rows = table(&page, "costs");
    let models = api["breakdown"]["by_model"].as_array().unwrap();
    assert_eq!(rows.len(), models.len() + 1, "every model, and their sum");
    for row in models {
        let found = rows.iter().find(|cells| cells[0] == row["model"].as_str().unwrap());
        let found = found.unwrap_or_else(|| panic!("{row} in {rows:?}"));
        if row["unpriced_tokens"].as_u64() == row["total_tokens"].as_u64() {
            assert_eq!(found.last().unwrap(), "no price");
            continue;
        }
        let costs = &row["costs"];
        let kinds = ["output", "input", "cache_creation_5m", "cache_creation_1h", "cache_read", "web_search"];
        let parts = kinds.map(|kind| shown(costs[kind].as_f64().unwrap()));
        assert_eq!(found[1..7], parts, "{row}");
        assert_eq!(found.last().unwrap(), &shown(row["total_cost"].as_f64().unwrap()), "{row}");
    }
    let all = rows.last().unwrap().last().unwrap().trim_start_matches("≥ ").to_owned();
    assert_eq!(all, shown(api["total_cost"].as_f64().unwrap()));

    let rows = table(&page, "what-if");
    assert!(rows.len() > 10, "{rows:?}");
    for row in &rows {
        let query = format!("/api/v1/cost/estimate?end_date=2199-12-31&as_model={}", encoded(&row[0]));
        let what_if = &served.json(&query)["what_if"];
        assert_eq!(row[1], shown(what_if["total_cost"].as_f64().unwrap()), "{row:?}");
        let difference = what_if["difference"].as_f64().unwrap();
        let sign = if difference < 0.0 { "−" } else { "+" };
        assert_eq!(row[2], format!("{sign}{}", shown(difference.abs())), "{row:?}");
    }
}

#[test]
fn prices_are_those_of_the_api() {
    let (house, _) = house();
    let served = serve(&house);
    let rows = table(&served.text("/cost"), "prices");
    let api = served.json("/api/v1/cost/pricing");
    for (model, prices) in api["models"].as_object().unwrap() {
        for price in prices["prices"].as_array().unwrap() {
            let from = price["effective_date"].as_str().unwrap();
            let row = rows.iter().find(|cells| cells[0].starts_with(model.as_str()) && cells[1] == from);
            let row = row.unwrap_or_else(|| panic!("{model} from {from} in {rows:?}"));
            let names = ["input", "output", "cache_creation", "cache_creation_1h", "cache_read"];
            let expected = names.map(|name| price[format!("{name}_price")].as_f64().unwrap().to_string());
            assert_eq!(row[3..8], expected, "{model}");
        }
    }
}

#[test]
fn an_estimate_is_the_sum_of_its_lines() {
    let (house, _) = house();
    let served = serve(&house);
    let million = "input=1,000,000&output=1000000&write_5m=1000000&write_1h=1000000&read=1000000&searches=1000";
    let check = |query: &str, total: &str, there: &[&str]| {
        let page = served.text(&format!("/cost?{query}"));
        assert!(page.contains(&format!("<span class=\"short\">{total}</span>")), "{total} of {query}: {page}");
        let answer = page.split_once("id=\"answer\"").unwrap().1;
        for text in there {
            assert!(answer.contains(text), "{text} in {answer}");
        }
    };
    let haiku = "of=claude-haiku-4-5-20251001&on=2026-11-23";
    let facts = ["claude-haiku-4-5 on 2026-11-23", "2025-10-15", "official", "$1.25 per million", "$10.00 per 1,000"];
    check(&format!("{haiku}&{million}"), "$19.35", &facts);
    check(&format!("{haiku}&{million}&batch=yes"), "$14.675", &["batch: prices × 0.5"]);
    check(&format!("{haiku}&output=1&fast=yes"), "$0.000005", &["fast: this model has no such price"]);
    // A price of its day, and the longer prompt of a single response.
    let sonnet = "of=claude-sonnet-4-6&on=2026-03-12&input=400000";
    check(sonnet, "$2.40", &["longer than 200,000 tokens"]);
    check(&format!("{sonnet}&responses=2"), "$1.20", &["$3.00 per million"]);
    check("of=claude-sonnet-4-6&on=2026-03-13&input=400000", "$1.20", &["2026-03-13"]);
}

#[test]
fn what_cannot_be_estimated_is_said_beside_its_field() {
    let (house, _) = house();
    let served = serve(&house);
    for (query, field, why) in [
        ("of=gpt-5&input=1", "of", "There is no price for gpt-5."),
        ("input=1", "of", "Name a model."),
        ("of=claude-opus-5&input=-1", "input", "A whole number"),
        ("of=claude-opus-5&input=1&read=many", "read", "A whole number"),
        ("of=claude-opus-5&input=1&on=2026-02-30", "on", "A day such as"),
        ("of=claude-opus-5&input=1&responses=0", "responses", "A whole number"),
        ("of=claude-opus-5", "input", "Say how many"),
        ("of=%3Cscript%3E&input=1", "of", "no price for &#60;script&#62;."),
    ] {
        let (status, page) = served.ask(&format!("/cost?{query}")).unwrap();
        assert_eq!(status, 200, "{query}");
        let message = format!("id=\"ask-{field}-error\">");
        let said = page.split_once(&message).unwrap_or_else(|| panic!("{query}: {page}")).1.split("</p>").next();
        assert!(said.unwrap().contains(why), "{query}: {said:?}");
        assert!(page.contains("aria-invalid") && !page.contains("id=\"answer\""), "{query}");
    }
}
