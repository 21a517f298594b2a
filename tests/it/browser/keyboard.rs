//! Everything by the keyboard alone.

use super::basics::{house, serve};
use super::{Browser, Page};

/// What has the focus: the first of these that it is in.
const FOCUSED: &str = "(() => { const at = document.activeElement;
    const names = { skip: '.skip', nav: 'nav.pages', preferences: '.preferences', filters: '#filters',
        chart: 'figure svg', panels: '[data-panel]', footer: 'footer' };
    return Object.keys(names).find((name) => at.closest(names[name])) ?? at.tagName; })()";

/// What has the focus can be seen to have it, and is itself in view.
const IS_VISIBLE: &str = "(() => { const at = document.activeElement, style = getComputedStyle(at);
    const { top, bottom, left, right, width } = at.getBoundingClientRect();
    return at.matches(':focus-visible') && (style.outlineStyle !== 'none' || style.boxShadow !== 'none')
        && width > 0 && bottom > 0 && top < innerHeight && right > 0 && left < innerWidth; })()";

const TIP: &str = "document.querySelector('.tip')?.textContent ?? ''";

#[test]
fn the_page_is_walked_through_with_one_key() {
    let (house, _) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("{own}/?range=all"));
    page.resize(1440, 900);
    let mut walk = Vec::new();
    for step in 0..200 {
        page.press("Tab");
        let place = page.string(FOCUSED);
        if place == "BODY" {
            break;
        }
        let what = page.string("document.activeElement.outerHTML.slice(0, 160)");
        assert_eq!(page.eval(IS_VISIBLE), true, "step {step}, {what}");
        if walk.last() != Some(&place) {
            walk.push(place);
        }
    }
    let found =
        |name: &str| walk.iter().position(|place| place == name).unwrap_or_else(|| panic!("no {name}: {walk:?}"));
    let order = ["skip", "preferences", "nav", "filters", "chart", "footer"].map(found);
    assert!(order.is_sorted(), "{walk:?}");
    assert_eq!(walk[0], "skip");

    page.go(&format!("{own}/?range=all"));
    page.press("Tab");
    page.press("Enter");
    assert_eq!(page.eval("document.activeElement.id"), "main");
}

fn focus(page: &mut Page, selector: &str) {
    page.eval(&format!("document.querySelector({selector:?}).focus()"));
}

#[test]
fn charts_are_read_with_the_arrow_keys() {
    let (house, _) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("{own}/?range=all"));
    for (figure, steps) in [
        ("#trend figure", ["ArrowRight", "ArrowRight", "ArrowLeft"]),
        ("#year-panel figure", ["ArrowLeft", "ArrowUp", "ArrowRight"]),
    ] {
        let titles = page
            .eval(&format!("[...document.querySelectorAll('{figure} [data-marks] title')].map(t => t.textContent)"));
        let titles: Vec<&str> = titles.as_array().unwrap().iter().map(|title| title.as_str().unwrap()).collect();
        focus(&mut page, &format!("{figure} svg[tabindex]"));
        page.press("Home");
        assert_eq!(page.string(TIP), titles[0]);
        page.press("End");
        assert_eq!(page.string(TIP), *titles.last().unwrap());
        let mut seen = page.string(TIP);
        if figure.starts_with("#trend") {
            page.press("Home");
            seen = page.string(TIP);
        }
        for key in steps {
            page.press(key);
            let now = page.string(TIP);
            assert_ne!(now, seen, "{key} in {figure}");
            assert!(titles.contains(&now.as_str()), "{now}");
            seen = now;
        }
        assert_eq!(page.string("[...document.querySelectorAll('[aria-live]')].at(-1).textContent"), seen, "is said");
        let marked = format!(
            "[document.querySelectorAll('{figure} .on').length, document.querySelectorAll('{figure} .on title').length]"
        );
        assert_eq!(page.eval(&marked), serde_json::json!([1, 0]), "one mark, without a title of its own");
        page.press("Escape");
        assert_eq!(page.string(TIP), "");
        assert_eq!(
            page.eval(&format!("document.querySelectorAll('{figure} [data-marks] title').length")),
            titles.len()
        );
    }
    // Calendars have weeks: down is a day, right is seven.
    focus(&mut page, "#year-panel svg[tabindex]");
    let day = |page: &mut Page| {
        let script = format!("new Date(({TIP}).match(/\\d{{4}}-\\d\\d-\\d\\d/)[0]).getTime() / 86400000");
        page.eval(&script).as_i64().unwrap()
    };
    page.press("End");
    let last = day(&mut page);
    for (key, days) in [("ArrowLeft", -7), ("ArrowUp", -8), ("ArrowDown", -7), ("ArrowRight", 0)] {
        page.press(key);
        assert_eq!(day(&mut page) - last, days, "{key}");
    }

    // By the pointer as well, and without the browser's own hint.
    page.press("Escape");
    page.point("#trend [data-marks] rect:nth-child(3)");
    page.until("document.querySelector('.tip')?.textContent.length > 10");
    page.point("h2");
    page.until("document.querySelector('.tip') === null");
    assert_eq!(page.trouble(), Vec::<String>::new());
}

#[test]
fn keys_lead_to_pages_and_are_explained() {
    let (house, _) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("{own}/?range=90d"));
    page.press("?");
    let help = page.string("document.querySelector('dialog[open]').innerText");
    assert!(help.contains("g m\nModels") && help.contains("read a chart"), "{help}");
    page.press("m");
    page.press("Escape");
    page.until("document.querySelector('dialog') === null");
    page.press("g");
    page.leave_by(|page| page.press("m"));
    assert_eq!(page.string("location.pathname + location.search"), "/models?range=90d");
    page.leave_by(|page| page.press("t"));
    assert_eq!(page.eval("document.documentElement.dataset.theme"), "light");

    // Letters that are written are no keys.
    page.press("/");
    assert_eq!(page.eval("document.activeElement.closest('#filters') !== null"), true);
    focus(&mut page, "#filters input[name=tz]");
    for letter in ["g", "p", "t", "?"] {
        page.press(letter);
    }
    assert_eq!(page.string("location.pathname"), "/models");
    assert!(page.string("document.activeElement.value").contains("gpt?"));
    assert_eq!(page.trouble(), Vec::<String>::new());
}
