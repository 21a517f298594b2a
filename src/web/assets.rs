//! The stylesheet, the script and the icon, compiled in. Their content's hash is part of their path, so a browser may
//! keep them for ever.

use std::borrow::Cow;
use std::sync::LazyLock;

use warp::http::{HeaderValue, header};

use crate::plugin::Routes;
use crate::route::{Access, Class, Response, Route};

/// One file.
struct Asset {
    path: String,
    media_type: &'static str,
    content: Cow<'static, [u8]>,
}

impl Asset {
    fn new(name: &str, media_type: &'static str, content: impl Into<Cow<'static, [u8]>>) -> Self {
        let content = content.into();
        let hash = xxhash_rust::xxh3::xxh3_64(&content);
        Self { path: format!("/assets/{hash:016x}/{name}"), media_type, content }
    }

    fn response(&'static self) -> Response {
        let mut response = Response::new(self.content.as_ref().into());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
        response
    }
}

/// One file for all pages, made of several.
const STYLES: &str = concat!(
    include_str!("../../templates/static/base.css"),
    include_str!("../../templates/static/frame.css"),
    include_str!("../../templates/static/panels.css"),
    include_str!("../../templates/static/chart.css"),
    include_str!("../../templates/static/sessions.css"),
    include_str!("../../templates/static/ask.css"),
    include_str!("../../templates/static/module.css"),
    include_str!("../../templates/static/print.css"),
);

/// The module, likewise.
const MODULE: &str = concat!(
    include_str!("../../templates/static/module/words.js"),
    include_str!("../../templates/static/module/panels.js"),
    include_str!("../../templates/static/module/connection.js"),
    include_str!("../../templates/static/module/charts.js"),
    include_str!("../../templates/static/module/tools.js"),
);

static STYLESHEET: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("app.css", "text/css; charset=utf-8", STYLES.as_bytes()));

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    // Browsers read neither comments nor indentation; nothing in the module stands on either.
    let lines = MODULE.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    Asset::new("app.js", "text/javascript; charset=utf-8", text.into_bytes())
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("icon.svg", "image/svg+xml", include_bytes!("../../templates/static/icon.svg").as_slice())
});

/// Where pages find them.
pub struct Links {
    pub stylesheet: &'static str,
    pub script: &'static str,
    pub icon: &'static str,
}

pub fn links() -> Links {
    Links { stylesheet: &STYLESHEET.path, script: &SCRIPT.path, icon: &ICON.path }
}

pub fn routes() -> Routes {
    let serve = |asset: &'static LazyLock<Asset>| {
        Route::get(&asset.path, |_| asset.response()).access(Access::Open).class(Class::Asset)
    };
    vec![serve(&STYLESHEET), serve(&SCRIPT), serve(&ICON)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_small_and_writes_text_only() {
        let text = std::str::from_utf8(&SCRIPT.content).unwrap();
        assert!(text.len() < 15 * 1024, "{} bytes", text.len());
        assert!(!text.lines().any(|line| line.starts_with("//") || line.starts_with(' ')), "{text}");
        for way in ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute(\"style\"", "http://"] {
            assert!(!text.contains(way), "{way}");
        }
    }
}
