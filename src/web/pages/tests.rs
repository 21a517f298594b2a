//! Pages in every state and language, with an empty history on disk. What they show of a real one is shown in `tests/it`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use jiff::tz::TimeZone;
use warp::http::{HeaderMap, HeaderValue, Method};

use super::*;
use crate::clock::Clock;
use crate::event::{PicoUsd, Tally, TokenCounts, UnixMillis};
use crate::hub::{Hub, Snapshot, Statuses};
use crate::pricing::PriceTable;
use crate::route::{Request, testing};
use crate::status::{RootStatus, SourceStatus};
use crate::store::{OpenOptions, Readers, Store};
use crate::web::WebSettings;

/// A house to be put into a certain state.
struct Scene {
    snapshot: Snapshot,
    status: SourceStatus,
    settings: WebSettings,
    costs: bool,
}

const NOW: UnixMillis = UnixMillis(1_795_438_800_000);

fn tally(output: u64, cost: Option<i128>) -> Tally {
    Tally::of(TokenCounts { output, cache_read: output * 3, ..TokenCounts::default() }, 0, cost.map(PicoUsd))
}

impl Scene {
    /// Nothing was ever used; Claude Code's directory is there.
    fn empty() -> Self {
        let status = SourceStatus::default();
        let root = RootStatus { path: "/home/ada/.claude".into(), state: "ok".to_owned(), files: 0 };
        status.update(|words| words.roots = vec![root]);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let settings = WebSettings { zone, ..WebSettings::default() };
        Self { snapshot: Snapshot { ready: true, ..Snapshot::default() }, status, settings, costs: true }
    }

    fn used() -> Self {
        let mut scene = Self::empty();
        let whole = tally(1_234_567, Some(4_000_000_000_000));
        scene.snapshot.models.insert("claude-opus-4-8".into(), whole);
        scene.snapshot.totals = whole;
        scene.snapshot.sessions = 2;
        scene.snapshot.last_event_at = Some(UnixMillis(1_795_438_740_000));
        scene
    }

    /// The answer of a page, its status first.
    fn ask(self, path: &str, headers: &[(&'static str, &'static str)]) -> (u16, String) {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("monitor.db");
        let backups = directory.path().join("backups");
        let options = OpenOptions { path: database.clone(), backups, clock: Clock::fixed(NOW) };
        drop(Store::open(&options, Arc::new(PriceTable::builtin())).unwrap());
        let statuses: Statuses = Arc::new([("claude", Arc::new(self.status))].into_iter().collect());
        let hub = Hub::new(self.snapshot, statuses);
        let hub = if self.costs { hub } else { hub.without_costs() };
        let prices = Arc::new(PriceTable::builtin());
        let readers = Readers::new(&database);
        let state = WebState::new(hub, readers, Clock::fixed(NOW), prices, Arc::new(self.settings), None);

        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let router = crate::route::Router::new(routes(&state));
        let found = router.find(path).unwrap_or_else(|| panic!("nothing at {path}"));
        let mut known = HeaderMap::new();
        for (name, value) in headers {
            known.insert(*name, HeaderValue::from_static(value));
        }
        let request = Arc::new(Request {
            method: Method::GET,
            query: query.to_owned(),
            headers: known,
            body: warp::hyper::body::Bytes::new(),
            client: std::net::Ipv4Addr::LOCALHOST.into(),
            secure: false,
            variables: found.variables.clone(),
            upgrade: None,
        });
        let page = PAGES.iter().find(|page| page.path == found.template).unwrap();
        let taste = Taste::of(&request.headers, query, None);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut response = runtime.block_on(page.answer(&state, request));
        if let Some(error) = response.extensions_mut().remove::<ApiError>() {
            response = error_page(&error, taste);
        }
        let status = response.status().as_u16();
        (status, String::from_utf8(testing::body(response).to_vec()).unwrap())
    }

    fn render(self) -> String {
        self.ask("/", &[]).1
    }
}

fn check(scene: Scene, there: &[&str], absent: &[&str]) {
    let page = scene.render();
    for text in there {
        assert!(page.contains(text), "`{text}` is missing in {page}");
    }
    for text in absent {
        assert!(!page.contains(text), "`{text}` should not be in {page}");
    }
}

/// A path of every page.
const PATHS: [&str; 11] =
    ["/", "/live", "/models", "/projects", "/sessions", "/blocks", "/cost", "/export", "/sinks", "/docs", "/about"];

#[test]
fn every_page_is_there_in_both_languages() {
    for path in PATHS {
        for (language, word) in [("en", "Skip to the content"), ("zh-CN", "跳到正文")] {
            let (status, page) = Scene::used().ask(&format!("{path}?lang={language}"), &[]);
            assert_eq!(status, 200, "{path}");
            assert!(page.contains(&format!("<html lang=\"{language}\" data-theme=\"auto\">")), "{page}");
            assert!(page.contains(word) && page.contains("aria-current=\"page\""), "{path} {language}: {page}");
            assert!(!page.contains("style=") && !page.contains("<script>"), "{path}");
            assert_eq!(page.matches("<h1").count(), 1, "{path}");
        }
    }
}

#[test]
fn the_theme_is_in_the_first_byte() {
    let (_, page) = Scene::used().ask("/", &[("cookie", "ctm_theme=dark; ctm_language=zh-CN")]);
    assert!(page.contains("<html lang=\"zh-CN\" data-theme=\"dark\">"), "{page}");
    assert!(page.contains("<meta name=\"color-scheme\" content=\"dark\">"), "{page}");
}

#[test]
fn links_keep_the_view() {
    let (_, page) = Scene::used().ask("/?range=7d&model=claude-opus-4-8&tz=Asia/Tokyo", &[]);
    let query = "tz=Asia%2FTokyo&#38;model=claude-opus-4-8";
    for url in [
        format!("/models?range=7d&#38;{query}"),
        format!("/?range=90d&#38;{query}"),
        format!("/?{query}"),
        "/?range=7d&#38;tz=Asia%2FTokyo".to_owned(),
    ] {
        assert!(page.contains(&format!("href=\"{url}\"")), "{url} in {page}");
    }
    assert!(page.contains("Asia/Tokyo"), "{page}");
}

#[test]
fn what_cannot_be_is_said_on_a_page() {
    for query in ["range=8d", "tz=Mars", "start=2026-01-01", "colour=red", "lang=xx"] {
        let (status, page) = Scene::used().ask(&format!("/models?{query}"), &[]);
        assert_eq!(status, 400, "{query}");
        assert!(page.contains("This cannot be shown") && page.contains("href=\"/\""), "{page}");
    }
    let (status, page) = Scene::used().ask("/?range=custom&start=2026-02-01&end=2026-01-01", &[]);
    assert_eq!(status, 422, "{page}");
    let (status, page) = Scene::used().ask("/projects/%2Fnowhere?lang=zh-CN", &[]);
    assert_eq!(status, 404);
    assert!(page.contains("这里什么都没有"), "{page}");
}

#[test]
fn what_nobody_has_is_not_found_and_says_so() {
    let (status, page) = Scene::used().ask("/sessions/5f0c1a52?lang=zh-CN", &[]);
    assert_eq!(status, 404);
    assert!(page.contains("这里什么都没有"), "{page}");
    let (_, page) = Scene::used().ask("/sessions?q=%3Cb%3E&sort=started", &[]);
    for text in ["begins with “&#60;b&#62;”", "value=\"&#60;b&#62;\"", "href=\"/sessions?sort=started\""] {
        assert!(page.contains(text), "{text} in {page}");
    }
    let (_, page) = Scene::used().ask("/sessions", &[]);
    assert!(page.contains("Nothing in this range. The newest response is from 2026-11-23 13:59"), "{page}");
    let (_, page) = Scene::used().ask("/blocks?model=a", &[]);
    for text in ["No window is going on. The next response begins one.", "the filters are left out here"] {
        assert!(page.contains(text), "{text} in {page}");
    }
}

#[test]
fn no_directory() {
    let scene = Scene::empty();
    scene.status.update(|words| words.roots[0].state = "missing".to_owned());
    let there = [
        "Where is Claude Code?",
        "/home/ada/.claude",
        "missing",
        "CLAUDE_DATA_DIR=",
        "--demo",
        "Waiting for Claude Code",
    ];
    check(scene, &there, &["data-testid=\"total-tokens\"", "class=\"notice", "class=\"filters"]);
}

#[test]
fn pages_that_are_not_about_usage_say_what_they_have_to_say_before_there_is_any() {
    for (path, text) in
        [("/about", "How they are computed"), ("/sinks", "Sources and sinks"), ("/docs", "/api/v1/stats")]
    {
        let (_, page) = Scene::empty().ask(path, &[]);
        assert!(page.contains(text) && !page.contains("No usage yet"), "{path}: {page}");
    }
    assert!(Scene::empty().ask("/cost", &[]).1.contains("No usage yet"));
}

#[test]
fn no_transcripts() {
    check(
        Scene::empty(),
        &["No usage yet", "without a transcript in it", "http-equiv=\"refresh\""],
        &["Where is Claude"],
    );
    let scene = Scene::empty();
    scene.status.update(|words| words.roots[0].files = 4);
    check(scene, &["without a response in them so far"], &[]);
}

#[test]
fn scanning() {
    let mut scene = Scene::used();
    scene.snapshot.ready = false;
    scene.status.catchup_bytes.store(4 << 20, Relaxed);
    scene.status.catchup_done_bytes.store(1 << 20, Relaxed);
    let there = ["Scanning 25%", "1.0 MiB of 4.0 MiB read", "value=\"25\"", "are partial", "http-equiv=\"refresh\""];
    check(scene, &there, &["Where is Claude"]);

    let mut start = Scene::empty();
    start.snapshot.ready = false;
    start.status.update(|words| words.roots.clear());
    check(start, &["Looking for transcripts", "Scanning 0%"], &["Where is Claude", "No usage yet"]);
}

#[test]
fn nothing_in_the_range() {
    let there = [
        "Nothing in this range. The newest response is from 2026-11-23 13:59",
        "data-testid=\"trend-chart\"",
        "href=\"/?range=all\"",
    ];
    check(Scene::used(), &there, &["<figure", "class=\"notice", "<progress", "http-equiv"]);
}

#[test]
fn models_without_a_price() {
    let mut scene = Scene::used();
    let unpriced = tally(250, None);
    for model in ["a", "b", "c", "d"] {
        scene.snapshot.models.insert(model.into(), unpriced);
        scene.snapshot.totals.add(&unpriced);
    }
    check(scene, &["Models without a price.", "4.00K tokens of a, b, c and 1 more"], &[]);
}

#[test]
fn without_costs() {
    let scene = Scene { costs: false, ..Scene::used() };
    check(scene, &["claude-opus-4-8"], &["$", "total-cost", "list prices", ">Cost<"]);
}

#[test]
fn another_currency_is_shown_with_its_rate_and_day() {
    let mut scene = Scene::used();
    scene.settings.currency =
        format::Currency { code: "CNY".to_owned(), rate_micros: 7_123_400, date: "2026-11-01".parse().ok() };
    check(scene, &["1 USD = 7.1234 CNY on 2026-11-01", "CN¥0.00"], &["$"]);
}

#[test]
fn costs_are_explained_or_switched_off() {
    let (status, page) = Scene { costs: false, ..Scene::used() }.ask("/cost?of=claude-opus-5&input=1", &[]);
    assert_eq!(status, 200);
    assert!(page.contains("Costs are switched off") && page.contains("ENABLE_COST_ESTIMATION=true"), "{page}");
    assert!(!page.contains('$') && !page.contains("cost-estimator"), "{page}");
    let (_, page) = Scene { costs: false, ..Scene::used() }.ask("/export", &[]);
    assert!(page.contains("export-panel") && !page.contains("_cost<"), "{page}");

    let (_, page) = Scene::used().ask("/cost?range=7d&model=claude-opus-4-8&lang=zh-CN", &[]);
    for text in
        ["data-testid=\"cost-estimator\"", "此范围内没有数据", "href=\"/cost?range=all&#38;lang=zh-CN\"", "官方"]
    {
        assert!(page.contains(text), "{text} in {page}");
    }
    assert!(page.contains("name=\"model\" value=\"claude-opus-4-8\""), "the estimate keeps the view: {page}");
}

#[test]
fn an_estimate_is_shown_in_the_currency_of_display_too() {
    let mut scene = Scene::used();
    scene.settings.currency =
        format::Currency { code: "CNY".to_owned(), rate_micros: 7_123_400, date: "2026-11-01".parse().ok() };
    let (_, page) = scene.ask("/cost?of=claude-opus-5&input=1000000&us=yes", &[]);
    for text in ["$5.50</span>", "CN¥39.18 at the configured rate", "US only: prices × 1.1", "7.1234 CNY on 2026-11-01"]
    {
        assert!(page.contains(text), "{text} in {page}");
    }
}

#[test]
fn models_without_a_price_come_with_a_row_to_copy() {
    let mut scene = Scene::used();
    scene.snapshot.models.insert("my \"model\" <b>".into(), tally(250, None));
    let (_, page) = scene.ask("/cost", &[]);
    assert!(page.contains("model = &#39;my &#34;model&#34; &#60;b&#62;&#39;") && !page.contains("<b>"), "{page}");
    assert!(page.contains("1.00K tokens in the whole history"), "{page}");
}

#[test]
fn polling() {
    let scene = Scene::used();
    scene.status.polling.store(true, Relaxed);
    scene.status.update(|words| words.poll_reason = Some("a network file system".to_owned()));
    check(scene, &["every few seconds (a network file system)", ">Polling<"], &[]);
}

#[test]
fn trouble() {
    let mut scene = Scene::used();
    scene.snapshot.troubles.insert("database", "was restored from a backup".to_owned());
    check(scene, &["notice bad", "database: was restored from a backup", ">Needs attention<"], &[]);
    let lost = Scene::used();
    lost.status.update(|words| words.roots[0].state = "missing".to_owned());
    check(lost, &["Transcripts are gone", "claude-opus-4-8"], &["Where is Claude"]);
}

#[test]
fn demo() {
    let mut scene = Scene::used();
    scene.settings.demo = true;
    check(scene, &["made up"], &[]);
}
