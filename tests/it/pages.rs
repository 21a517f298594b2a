//! The pages of the real program over a made-up history: what they show is what the API says.

mod about;
mod cost;
mod export;
mod live;
mod sessions;
mod sinks;

use std::time::Duration;

use claude_token_monitor::synthetic::{self, Plan};
use serde_json::Value;

use crate::house::{Served, TestHouse};
use crate::scribe::Scribe;

/// A history whose newest response is far in the past of whoever runs this, so that ranges have to be asked for.
fn house() -> (TestHouse, synthetic::Truth) {
    let house = TestHouse::new().with_env("TZ", "UTC");
    let plan = Plan { seed: 77, bytes: 600_000, days: 20, typical_file_bytes: 20_000, ..Plan::default() };
    let truth = synthetic::write(&plan, house.claude()).unwrap();
    (house, truth)
}

fn serve(house: &TestHouse) -> Served {
    let served = house.serve();
    served.wait_ready();
    served
}

/// The digits at the beginning of the text of an element with a hook.
fn number(page: &str, hook: &str) -> u64 {
    let (_, rest) = page.split_once(&format!("data-testid=\"{hook}\"")).unwrap_or_else(|| panic!("no {hook}: {page}"));
    let (_, rest) = rest.split_once('>').unwrap();
    let mut text = String::new();
    let mut inside = false;
    for letter in rest.split("</p>").next().unwrap().chars() {
        match letter {
            '<' => inside = true,
            '>' => inside = false,
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or_else(|_| panic!("{text}"))
}

fn first(list: &Value, key: &str) -> String {
    list["data"][0][key].as_str().unwrap().to_owned()
}

#[test]
fn totals_on_the_page_are_the_truth_whatever_is_asked_for() {
    let (house, truth) = house();
    let served = serve(&house);
    let everything = served.text("/?range=all");
    assert_eq!(number(&everything, "total-tokens"), truth.totals.tokens.total());
    for hook in ["total-cost", "model-stats", "trend-chart", "live-status"] {
        assert!(everything.contains(&format!("data-testid=\"{hook}\"")), "{hook}");
    }
    // Beside the total of a part, that of the whole; beside another choice it would only confuse.
    let in_all = "in the whole history";
    let month = served.text("/?range=30d");
    let ever = format!("title=\"{}\">", grouped(truth.totals.tokens.total()));
    let (before, _) = month.split_once(in_all).unwrap();
    assert!(before.rsplit_once("<span ").unwrap().1.starts_with(&ever), "{before}");
    let current = served.json("/api/v1/stats/current");
    let named = current["models"].as_object().unwrap().keys().next().unwrap();
    for none in [&everything, &served.text(&format!("/?model={}", encoded(named)))] {
        assert!(!none.contains(in_all), "{none}");
    }
    for (model, row) in current["models"].as_object().unwrap() {
        let query: String = encoded(model);
        let page = served.text(&format!("/?range=all&model={query}"));
        assert_eq!(number(&page, "total-tokens"), row["total_tokens"].as_u64().unwrap(), "{model}");
    }
    let days = served.json("/api/v1/stats/projects?start_date=1970-01-01");
    let project = first(&days, "project");
    let page = served.text(&format!("/?range=all&project={}", encoded(&project)));
    assert_eq!(number(&page, "total-tokens"), days["data"][0]["total_tokens"].as_u64().unwrap());
    let one = served.text(&format!("/projects/{}?range=all&tz=Asia/Tokyo", encoded(&project)));
    assert!(one.contains(&project) && one.contains("Asia/Tokyo"), "{one}");
}

#[test]
fn a_range_is_days_of_the_zone_that_is_asked_for() {
    let (house, truth) = house();
    let served = serve(&house);
    let day = truth.by_day.keys().nth(5).unwrap();
    for zone in ["UTC", "Asia/Tokyo", "America/New_York"] {
        let page = served.text(&format!("/?start={day}&end={day}&tz={zone}"));
        let api = served.json(&format!("/api/v1/stats/trends?start_date={day}&end_date={day}&tz={zone}"));
        assert_eq!(number(&page, "total-tokens"), api["data"][0]["total_tokens"].as_u64().unwrap(), "{day} {zone}");
    }
}

/// `1,234,567`
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let groups: Vec<String> =
        digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8(group.to_vec()).unwrap()).collect();
    groups.join(",")
}

#[test]
fn charts_show_what_the_api_says() {
    let (house, truth) = house();
    let served = serve(&house);
    let (first, last) = (truth.by_day.keys().next().unwrap(), truth.by_day.keys().last().unwrap());
    let range = format!("start={first}&end={last}");
    let days = served.json(&format!("/api/v1/stats/trends?start_date={first}&end_date={last}&group_by=model"));
    let days = days["data"].as_array().unwrap();
    for by in ["kind", "model"] {
        let page = served.text(&format!("/?{range}&by={by}"));
        for day in days {
            let total = grouped(day["total_tokens"].as_u64().unwrap());
            assert!(page.contains(&format!("{total}</td>")), "{by}: {total} of {} in {page}", day["date"]);
        }
    }
    let page = served.text(&format!("/?{range}&by=model"));
    for (model, row) in days.iter().flat_map(|day| day["groups"].as_object().unwrap()).take(5) {
        let part = grouped(row["total_tokens"].as_u64().unwrap());
        assert!(page.contains(model.as_str()) && page.contains(&part), "{part} of {model} in {page}");
    }
    let page = served.text(&format!("/?{range}&by=cost"));
    assert!(page.contains("Cost by day") && page.contains("href=\"/?"), "{page}");

    let heat = served.json(&format!("/api/v1/stats/heatmap?start_date={first}&end_date={last}"));
    let used = heat["hours"].as_array().unwrap().iter().filter_map(|hour| hour["total_tokens"].as_u64());
    for tokens in used.filter(|tokens| *tokens > 0) {
        assert!(page.contains(&format!(": {}</title>", grouped(tokens))), "{tokens} in {page}");
    }
}

#[test]
fn a_trend_has_hours_weeks_or_months_where_days_would_be_too_few_or_too_many() {
    let (house, truth) = house();
    let served = serve(&house);
    let last = truth.by_day.keys().last().unwrap();
    // Of one model nothing is estimated, so that the table has the sums of the API and nothing else.
    let (model, _) = truth.by_model.iter().max_by_key(|(_, row)| row.tokens.total()).unwrap();
    let view = format!("tz=Europe/Berlin&model={}", encoded(model));
    let check = |range: &str, api: &str, title: &str| {
        let page = served.text(&format!("/?{range}&{view}"));
        assert!(page.contains(&format!(">{title}</h2>")), "{title}: {page}");
        let rows = served.json(&format!("/api/v1/stats/trends?{api}&{view}"));
        let (_, table) = page.split_once("id=\"trend-chart-table\"").unwrap();
        let table = table.split("</table>").next().unwrap();
        let rows = rows["data"].as_array().unwrap();
        for row in rows {
            let total = grouped(row["total_tokens"].as_u64().unwrap());
            assert!(table.contains(&format!("<td>{total}</td>")), "{total} of {} in {table}", row["date"]);
        }
        assert!(rows.iter().any(|row| row["total_tokens"] != 0), "{rows:?}");
        assert_eq!(table.matches("<tr>").count(), rows.len() + 1, "{title}");
    };
    let (day, _) = truth.by_day.iter().max_by_key(|(_, row)| row.tokens.total()).unwrap();
    let one_day = format!("start_date={day}&end_date={day}&period=hourly");
    check(&format!("start={day}&end={day}"), &one_day, "Tokens by hour");
    let some_months = |from: &str| format!("start_date={from}&end_date={last}");
    let (year, date) = last.split_at(4);
    let before = |years: i32| format!("{}{date}", year.parse::<i32>().unwrap() - years);
    let weeks = format!("{}&period=weekly", some_months(&before(1)));
    check(&format!("start={}&end={last}", before(1)), &weeks, "Tokens by week");
    let months = format!("{}&period=monthly", some_months(&before(3)));
    check(&format!("start={}&end={last}", before(3)), &months, "Tokens by month");
}

#[test]
fn models_and_projects_are_listed_in_both_languages() {
    let (house, truth) = house();
    let served = serve(&house);
    let page = served.text("/models?range=all&sort=cost&lang=zh-CN");
    assert!(page.contains("<html lang=\"zh-CN\"") && page.contains("命中率"), "{page}");
    for model in truth.by_model.keys().filter(|model| !model.contains('<')) {
        assert!(page.contains(model.as_str()), "{model}");
    }
    let page = served.text("/projects?range=all");
    assert!(page.matches("href=\"/projects/").count() >= truth.by_project.len().min(50), "{page}");
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[test]
fn transcripts_that_claude_code_is_about_to_delete_are_named_without_touching_its_settings() {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    let settings = house.claude().join("settings.json");
    std::fs::write(&settings, "{}").unwrap();
    scribe.append("5f0c1a52-0000-4000-8000-00000000000a", 2);
    scribe.append("5f0c1a52-0000-4000-8000-00000000000b", 2);
    let written = |session: &str, days: u64| {
        let at = scribe.file(session).metadata().unwrap().modified().unwrap() - Duration::from_secs(days * 24 * 3600);
        std::fs::File::options().append(true).open(scribe.file(session)).unwrap().set_modified(at).unwrap();
    };
    written("5f0c1a52-0000-4000-8000-00000000000a", 28);
    written("5f0c1a52-0000-4000-8000-00000000000b", 26);
    let statistics = std::fs::File::create(house.claude().join("stats-cache.json")).unwrap();
    statistics.set_modified(std::time::UNIX_EPOCH).unwrap();
    let served = serve(&house);
    let page = served.text("/?range=all");
    assert!(page.contains("Claude Code deletes 1 transcript within 3 days"), "{page}");
    assert!(page.contains("for 30 days") && page.contains("cleanupPeriodDays"), "{page}");
    assert!(!page.contains("not read to its end"), "{page}");
    assert_eq!(std::fs::read_to_string(settings).unwrap(), "{}");
    drop(served);

    std::fs::remove_file(scribe.file("5f0c1a52-0000-4000-8000-00000000000a")).unwrap();
    assert!(!serve(&house).text("/?range=all").contains("Claude Code deletes"));
}

#[test]
fn the_api_answers_every_call_that_a_page_names() {
    let (house, truth) = house();
    let served = serve(&house);
    let (model, _) = truth.by_model.iter().max_by_key(|(_, row)| row.tokens.total()).unwrap();
    let project = truth.by_project.keys().find(|project| !project.is_empty()).unwrap();
    let one = format!("/projects/{}", encoded(project));
    let mut named = 0;
    for path in ["/", "/live", "/models", "/projects", &one, "/sessions", "/blocks", "/cost", "/export", "/sinks"] {
        for view in
            ["range=all".to_owned(), "range=90d".to_owned(), format!("range=all&by=cost&model={}", encoded(model))]
        {
            let page = served.text(&format!("{path}?{view}"));
            for call in page.split("data-copy=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
                let call = call.replace("&#38;", "&");
                if let Some((status, answer)) = call.starts_with('/').then(|| served.ask(&call).unwrap()) {
                    assert_eq!(status, 200, "{path}?{view}: {call}: {answer}");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 40, "{named} calls");
}

#[test]
fn the_call_behind_the_models_says_what_the_table_says() {
    let (house, truth) = house();
    let served = serve(&house);
    let page = served.text("/models?range=all");
    let call = page.split("data-copy=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#38;", "&");
    let rows = served.json(&call);
    let sum = |row: &Value| row["total_tokens"].as_u64().unwrap();
    let total: u64 = rows["data"].as_array().unwrap().iter().map(sum).sum();
    assert_eq!(total, truth.totals.tokens.total(), "{call}");
}
