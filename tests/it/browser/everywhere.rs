//! Every page in both languages, in both themes, on a desk, a tablet and a telephone: nothing on the console, nothing from
//! anywhere else, nothing that sticks out, and nothing that axe-core has to say. axe-core is asked on a desk and a
//! telephone, in four of those eight ways, in which any two of language, theme and size occur together; in all of them by
//! `make soak`.

use super::axe::{axe, violations};
use super::basics::{house, serve};
use super::{Browser, Page};
use crate::house::TestHouse;
use crate::parts;

/// The navigation.
const LINKS: &str = "[...document.querySelectorAll('.top > .pages a')].map(link => link.href)";

const SIZES: [(u32, u32); 3] = [(1440, 900), (768, 1024), (390, 844)];

/// All pages that can be reached: those of the navigation, and the first project and session.
fn pages(page: &mut Page, own: &str) -> Vec<String> {
    page.go(&format!("{own}/?range=all"));
    let links = page.eval(LINKS);
    let mut all: Vec<String> = links.as_array().unwrap().iter().map(|link| link.as_str().unwrap().to_owned()).collect();
    assert!(all.len() >= 4, "{all:?}");
    for list in ["projects", "sessions"] {
        let Some(url) = all.iter().find(|url| url.starts_with(&format!("{own}/{list}"))).cloned() else { continue };
        page.go(&url);
        let first = page.string(&format!("document.querySelector('main a[href^=\"/{list}/\"]').href"));
        all.push(first);
    }
    all
}

/// What is wrong with a page at every size; axe-core is asked at some.
fn faults(page: &mut Page, url: &str, own: &str, axe: Option<&str>, asked: &[u32]) -> Vec<String> {
    let mut faults = Vec::new();
    page.go(url);
    for (width, height) in SIZES {
        page.resize(width, height);
        let over = page.eval("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth");
        if over.as_i64() > Some(0) {
            let what = "[...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll, .pan, .sheet, .unseen') \
                && one.getBoundingClientRect().right > innerWidth).slice(0, 3).map(one => one.outerHTML.slice(0, 120))";
            let what = page.eval(what);
            faults.push(format!("{over} pixels too wide at {width}: {what}"));
        }
        if let Some(axe) = axe.filter(|_| asked.contains(&width)) {
            faults.extend(violations(page, axe).into_iter().map(|found| format!("at {width}: {found}")));
        }
    }
    faults.extend(page.trouble());
    // The browser's own controls have pictures in them.
    let fine = [own, &own.replace("http", "ws"), "data:"].map(str::to_owned);
    let elsewhere = |url: &String| !fine.iter().any(|start| url.starts_with(start));
    faults.extend(page.requests().into_iter().filter(elsewhere).map(|url| format!("asks {url}")));
    faults
}

/// The same in every language and theme.
fn all_faults(page: &mut Page, urls: &[String], own: &str) -> Vec<String> {
    let axe = axe();
    let mut all = Vec::new();
    for theme in ["light", "dark"] {
        page.cookie(own, "ctm_theme", theme);
        for language in ["en", "zh-CN"] {
            page.cookie(own, "ctm_language", language);
            let asked: &[u32] = match (theme, language) {
                _ if parts::soak() => &[1440, 390],
                ("light", "en") | ("dark", "zh-CN") => &[1440],
                _ => &[390],
            };
            for url in urls {
                let found = faults(page, url, own, axe.as_deref(), asked);
                all.extend(found.into_iter().map(|fault| format!("{url} {theme} {language}: {fault}")));
            }
        }
    }
    all
}

#[test]
fn every_page_is_sound_in_every_language_theme_and_size() {
    let (house, _) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open("about:blank");
    let urls = pages(&mut page, &own);
    let found = all_faults(&mut page, &urls, &own);
    assert!(found.is_empty(), "{} faults of {urls:?}:\n{}", found.len(), found.join("\n"));
}

#[test]
fn pages_without_anything_to_show_are_as_sound() {
    let house = TestHouse::new();
    let served = house.serve();
    let own = format!("http://{}", served.address());
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open("about:blank");
    page.go(&own);
    let links = page.eval(LINKS);
    let mut urls: Vec<String> =
        links.as_array().unwrap().iter().map(|link| link.as_str().unwrap().to_owned()).collect();
    urls.extend(["nowhere", "?range=bad"].map(|path| format!("{own}/{path}")));
    let mut found = all_faults(&mut page, &urls, &own);
    // A browser notes by itself that an answer was an error.
    found.retain(|fault| !fault.contains("Failed to load resource"));
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}
