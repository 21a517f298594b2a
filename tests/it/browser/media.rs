//! On paper, and for people who want nothing to move.

use serde_json::json;

use super::Browser;
use super::basics::{house, serve};

/// Relative luminance of a colour as the browser computes it, near enough to tell ink from paper.
const LIGHTNESS: &str = "(name, of) => { const parts = getComputedStyle(document.querySelector(of))[name].match(/[\\d.]+/g).map(Number); \
     return parts[3] === 0 ? 1 : (parts[0] + parts[1] + parts[2]) / 765 }";

#[test]
fn paper_is_light_whatever_the_theme_and_has_nothing_to_press() {
    let (house, _) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open("about:blank");
    for theme in ["light", "dark"] {
        page.cookie(&own, "ctm_theme", theme);
        page.go(&format!("{own}/?range=all"));
        let shown = "[...document.querySelectorAll('.pages, .tools, .filters, .live, main button')].filter(one => one.checkVisibility()).length";
        assert_ne!(page.eval(shown), json!(0), "{theme}: on the screen there is something to press");
        page.medium("print", &[]);
        assert_eq!(page.eval(shown), json!(0), "{theme}");
        let mut lightness =
            |name: &str, of: &str| page.eval(&format!("({LIGHTNESS})('{name}', '{of}')")).as_f64().unwrap();
        for (ink, paper) in [("h2", ".panel"), (".card .figure", ".card"), (".bottom p", "body")] {
            let (ink, paper) = (lightness("color", ink), lightness("backgroundColor", paper));
            assert!(ink < 0.5 && paper > 0.9, "{theme}: {ink} on {paper}");
        }
        // As wide as a sheet between its margins, and nothing can be scrolled there.
        page.resize(720, 1000);
        for path in ["", "live", "models", "projects", "sessions", "blocks", "cost"] {
            page.go(&format!("{own}/{path}?range=all"));
            let cut = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText.slice(0, 80))";
            assert_eq!(page.eval(cut), json!([]), "{theme} /{path}");
        }
        page.resize(1440, 900);
        page.medium("", &[]);
    }
}

#[test]
fn nothing_moves_for_those_who_want_it_so() {
    let (house, _) = house();
    let (_served, own) = serve(&house);
    let Some(mut browser) = Browser::start() else { return };
    let mut page = browser.open(&own);
    // As while it is connecting.
    let animated = "document.querySelector('.live').classList.add('busy'); \
                    getComputedStyle(document.querySelector('.live .dot')).animationName";
    assert_ne!(page.eval(animated), json!("none"), "otherwise it moves");
    page.medium("", &[("prefers-reduced-motion", "reduce")]);
    assert_eq!(page.eval(animated), json!("none"));
    let moving = "[...document.querySelectorAll('*')].filter(one => { const style = getComputedStyle(one); \
                  return style.transitionDuration !== '0s' || style.animationName !== 'none' }).length";
    assert_eq!(page.eval(moving), json!(0));
}
