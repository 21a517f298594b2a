//! What somebody has done to a page stays as it is while numbers change around it.

use super::{Browser, Page};
use crate::house::{Served, TestHouse};
use crate::scribe::{MODEL, Scribe};

const OTHER: &str = "claude-opus-4-5-20251101";

fn house() -> (TestHouse, Scribe, Served) {
    let house = TestHouse::new();
    let mut scribe = Scribe::new(house.claude());
    scribe.append("one", 20);
    scribe.skip_days(1);
    scribe.append("one", 20);
    let served = house.serve();
    served.wait_ready();
    (house, scribe, served)
}

/// One more response, and every panel that shows it has been replaced.
fn renew(page: &mut Page, scribe: &mut Scribe) {
    page.eval("window.panel = document.querySelector('#kinds'); 0");
    scribe.append("one", 1);
    page.until("document.querySelector('#kinds') !== window.panel");
}

#[test]
fn details_focus_scrolling_and_marks_stay() {
    let (_house, mut scribe, served) = house();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?start=2025-11-01&end=2025-11-30", served.address()));
    page.resize(390, 700);
    page.until("document.querySelector('#status').className === 'live live'");
    page.click("#trend details summary");
    page.eval("document.querySelector('#models .scroll').scrollLeft = 90");
    page.eval("document.querySelector('#models a.name').focus()");
    page.eval("document.querySelector('#models').scrollIntoView()");
    let top = page.eval("document.querySelector('#models').getBoundingClientRect().top");
    for _ in 0..2 {
        renew(&mut page, &mut scribe);
        assert_eq!(page.eval("document.querySelector('#trend details').open"), true);
        assert_eq!(page.eval("document.querySelector('#models .scroll').scrollLeft"), 90);
        assert_eq!(page.eval("document.activeElement.textContent"), MODEL);
        assert_eq!(page.eval("document.activeElement.matches('#models a.name')"), true);
        assert_eq!(page.eval("document.querySelector('#models').getBoundingClientRect().top"), top);
    }
    page.eval("document.querySelector('#trend svg[tabindex]').focus()");
    page.press("Home");
    let tip = page.string("document.querySelector('.tip').textContent");
    renew(&mut page, &mut scribe);
    assert_eq!(page.string("document.querySelector('#trend .tip').textContent"), tip);
    assert_eq!(page.eval("document.activeElement.matches('#trend svg')"), true);
    page.press("ArrowRight");
    assert_ne!(page.string("document.querySelector('#trend .tip').textContent"), tip);
    assert_eq!(page.trouble(), Vec::<String>::new());
}

#[test]
fn a_form_that_somebody_fills_in_is_left_alone() {
    let (_house, mut scribe, served) = house();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?range=all", served.address()));
    page.until("document.querySelector('#status').className === 'live live'");
    let form = "const form = document.createElement('form');
        form.append(Object.assign(document.createElement('input'), { id: 'filled' }));
        document.querySelector('#models').append(form); 0";
    page.eval(form);
    page.click("#filled");
    page.write("unfinished");
    page.eval("document.activeElement.blur()");
    renew(&mut page, &mut scribe);
    assert_eq!(page.eval("document.querySelector('#filled').value"), "unfinished");
    // As the server has it again, once nothing in it is anybody's.
    page.eval("document.querySelector('#filled').value = ''");
    renew(&mut page, &mut scribe);
    page.until("document.querySelector('#filled') === null");
    // Nor is what somebody is about to copy.
    page.eval("getSelection().selectAllChildren(document.querySelector('#models-title')); window.held = document.querySelector('#models'); 0");
    renew(&mut page, &mut scribe);
    assert_eq!(
        page.eval("document.querySelector('#models') === window.held && getSelection().toString().length > 3"),
        true
    );
    assert_eq!(page.trouble(), Vec::<String>::new());
}

#[test]
fn what_is_around_the_panels_comes_and_goes() {
    let (_house, mut scribe, served) = house();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?range=all", served.address()));
    page.until("document.querySelector('#status').className === 'live live'");
    page.click("#trend details summary");
    page.eval("window.mark = 1");
    // A notice above the panels, for a model that nobody has a price of.
    let line = scribe.response("one").replace(MODEL, "zeta-9");
    scribe.append_raw("one", line.as_bytes());
    page.until("document.querySelector('.notice.warn')?.textContent.includes('zeta-9') ?? false");
    assert_eq!(page.eval("document.querySelector('#trend details').open"), true);
    // And rows that were not there.
    let line = scribe.response("one").replace(MODEL, OTHER);
    scribe.append_raw("one", line.as_bytes());
    page.until(&format!("document.querySelector('#models').textContent.includes('{OTHER}')"));
    assert_eq!(page.eval("window.mark"), 1);
    assert_eq!(page.trouble(), Vec::<String>::new());
}

#[test]
fn an_address_is_copied_with_a_button() {
    let (_house, _scribe, served) = house();
    let own = format!("http://{}", served.address());
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("{own}/models?range=all"));
    let pasted = copied(&mut page, "[data-copy] + .copy");
    assert!(pasted.starts_with(&format!("{own}/api/v1/")), "{pasted}");
    page.until("document.querySelector('.copy').textContent === 'Copy'");
    // A command is copied as it stands.
    page.go(&format!("{own}/export?range=all"));
    let pasted = copied(&mut page, "pre[data-copy] + .copy");
    assert_eq!(pasted, page.string("document.querySelector('pre code').textContent"));
    assert!(pasted.starts_with("curl ") && pasted.contains(&own), "{pasted}");
    assert_eq!(page.trouble(), Vec::<String>::new());
}

/// What a button copies, by pasting it.
fn copied(page: &mut Page, button: &str) -> String {
    page.click(button);
    page.until(&format!("document.querySelector('{button}').textContent === 'Copied'"));
    page.eval("document.body.append(Object.assign(document.createElement('textarea'), { id: 'paste' })); document.querySelector('#paste').focus()");
    page.paste();
    page.string("document.querySelector('#paste').value")
}

#[test]
fn the_newest_responses_hold_still_while_somebody_reads_them() {
    let (_house, mut scribe, served) = house();
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&format!("http://{}/?range=all", served.address()));
    page.until("document.querySelector('#status').className === 'live live'");
    page.eval("window.rows = () => document.querySelector('#tail tbody').textContent; window.held = rows(); 0");
    page.click("#pause");
    renew(&mut page, &mut scribe);
    assert_eq!(page.eval("document.querySelector('#pause').ariaPressed"), "true");
    assert_eq!(page.eval("rows() === held"), true);
    page.click("#pause");
    page.until("rows() !== held");
    assert_eq!(page.eval("document.querySelector('#pause').hidden"), false);
    assert_eq!(page.trouble(), Vec::<String>::new());
}
