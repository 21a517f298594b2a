//! What the dashboard shows, to a person with a browser: with scripts and without.

use claude_token_monitor::synthetic::{self, Plan, Truth};

use super::Browser;
use crate::house::{Served, TestHouse};

/// A house with a made-up history that is long over, so that ranges have to be asked for.
pub(super) fn house() -> (TestHouse, Truth) {
    let house = TestHouse::new();
    let plan = Plan { seed: 5, bytes: 600_000, days: 20, typical_file_bytes: 20_000, ..Plan::default() };
    let truth = synthetic::write(&plan, house.claude()).unwrap();
    (house, truth)
}

pub(super) fn serve(house: &TestHouse) -> (Served, String) {
    let served = house.serve();
    served.wait_ready();
    let own = format!("http://{}", served.address());
    (served, own)
}

/// The number that a hook's text begins with, as a script would read it.
const TOTAL: &str = "parseInt(document.querySelector('[data-testid=\"total-tokens\"]').textContent, 10)";

#[test]
fn the_numbers_of_the_page_are_the_truth() {
    let (house, truth) = house();
    let (served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("{own}/?range=all"));
    assert_eq!(page.eval(TOTAL), truth.totals.tokens.total());
    page.until("document.querySelector('[data-testid=\"live-status\"]').textContent === 'Live'");
    assert!(page.hook("trend-chart").contains("Cache reads"));
    let current = served.json("/api/v1/stats/current");
    let exact = "[...document.querySelectorAll('[data-testid=\"model-stats\"] data')].map(one => Number(one.value))";
    let exact = page.eval(exact);
    let table = page.hook("model-stats");
    let mut seen = 0;
    for (model, row) in current["models"].as_object().unwrap() {
        if table.contains(model.as_str()) {
            seen += 1;
            assert!(exact.as_array().unwrap().contains(&row["total_tokens"]), "{model} in {table}");
        }
    }
    assert!(seen > 2, "{table}");
    assert_eq!(page.trouble(), Vec::<String>::new());
}

#[test]
fn the_estimator_and_the_export_are_where_tests_look_for_them() {
    let (house, _) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    for (path, hook) in [("cost", "cost-estimator"), ("export", "export-panel")] {
        let mut page = browser.open(&format!("{own}/{path}"));
        assert!(!page.hook(hook).is_empty(), "{hook}: {}", page.text());
        assert_eq!(page.trouble(), Vec::<String>::new());
    }
}

#[test]
fn without_a_script_everything_is_there() {
    let (house, truth) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open("about:blank");
    page.scripts(false);
    page.go(&format!("{own}/?range=all"));
    assert_eq!(page.eval("document.querySelectorAll('.added, .copy').length"), 0, "the module has run");
    assert_eq!(page.eval(TOTAL), truth.totals.tokens.total());
    assert!(!page.hook("model-stats").is_empty());
    for drawn in ["figure[data-chart=columns] path", "figure[data-chart=calendar] rect", "#models tbody tr"] {
        assert!(page.eval(&format!("document.querySelectorAll('{drawn}').length")).as_u64() > Some(2), "{drawn}");
    }
    // The numbers of a chart, and another language: by what browsers can do themselves.
    page.click("#trend details summary");
    assert!(
        page.eval("document.querySelector('#trend details table').getBoundingClientRect().height").as_f64()
            > Some(50.0)
    );
    page.leave_by(|page| page.click("button[name=language][value=zh-CN]"));
    assert_eq!(page.eval("document.documentElement.lang"), "zh-CN");
    page.leave_by(|page| page.click(".ranges a"));
    assert!(page.string("location.search").contains("range=24h"));
    assert_eq!(page.trouble(), Vec::<String>::new());
}

#[test]
fn language_and_colours_are_chosen_and_kept() {
    let (house, _) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("{own}/models?range=all"));
    page.resize(1440, 900);
    let ground = "getComputedStyle(document.body).backgroundColor";
    page.leave_by(|page| page.click("button[name=theme][value=light]"));
    let light = page.eval(ground);
    page.leave_by(|page| page.click("button[name=theme][value=dark]"));
    assert_ne!(page.eval(ground), light);
    assert_eq!(page.eval("document.documentElement.dataset.theme"), "dark");
    page.leave_by(|page| page.click("button[name=language][value=zh-CN]"));
    assert!(page.text().contains("模型"));
    page.leave_by(|page| page.click(".top > .pages a[href^='/projects']"));
    assert_eq!(
        page.eval("[document.documentElement.lang, document.documentElement.dataset.theme].join()"),
        "zh-CN,dark"
    );
    assert!(page.string("location.href").starts_with(&format!("{own}/projects")));
    assert_eq!(page.trouble(), Vec::<String>::new());
}
