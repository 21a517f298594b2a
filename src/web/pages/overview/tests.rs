use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use jiff::civil::date;

use super::*;
use crate::event::{PicoUsd, Tally, TokenCounts, UnixMillis};
use crate::hub::{Hub, Statuses};
use crate::status::{RootStatus, SourceStatus};
use crate::store::DayRow;

/// A house and its history, to be put into a certain state.
struct Scene {
    snapshot: Snapshot,
    status: SourceStatus,
    history: History,
    unreadable: bool,
    costs: bool,
    demo: bool,
}

const TODAY: Date = date(2026, 11, 23);

fn tally(output: u64, cost: Option<i128>) -> Tally {
    Tally::of(TokenCounts { output, cache_read: output * 3, ..TokenCounts::default() }, 0, cost.map(PicoUsd))
}

fn day(date: Date, output: u64) -> DayRow {
    let tally = if output == 0 { Tally::default() } else { tally(output, Some(2_000_000_000_000)) };
    DayRow { date, tally, by_model: BTreeMap::new(), estimate: None, partial: false }
}

impl Scene {
    /// Nothing was ever used; Claude Code's directory is there.
    fn empty() -> Self {
        let status = SourceStatus::default();
        let root = RootStatus { path: "/home/ada/.claude".into(), state: "ok".to_owned(), files: 0 };
        status.update(|words| words.roots = vec![root]);
        let snapshot = Snapshot { ready: true, ..Snapshot::default() };
        let days = (1..=30).rev().map(|ago| day(TODAY.saturating_sub(jiff::Span::new().days(ago - 1)), 0)).collect();
        let history = History { days, projects: Vec::new() };
        Self { snapshot, status, history, unreadable: false, costs: true, demo: false }
    }

    /// Used today and yesterday.
    fn used() -> Self {
        let mut scene = Self::empty();
        let whole = tally(1_234_567, Some(4_000_000_000_000));
        scene.snapshot.models.insert("claude-opus-4-8".into(), whole);
        scene.snapshot.totals = whole;
        scene.snapshot.sessions = 2;
        scene.snapshot.last_event_at = Some(UnixMillis(1_795_438_740_000));
        scene.history.days[28] = day(TODAY.saturating_sub(jiff::Span::new().days(1)), 1_000_000);
        scene.history.days[29] = day(TODAY, 234_567);
        scene
    }

    fn render(self) -> String {
        let Self { snapshot, status, history, unreadable, costs, demo } = self;
        let statuses: Statuses = Arc::new([("claude", Arc::new(status))].into_iter().collect());
        let health = Health::of(&Hub::new(snapshot.clone(), statuses), &snapshot, 1);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let (snapshot, health, history, zone) = (&snapshot, &health, &history, &zone);
        let facts = Facts { snapshot, health, history, unreadable, zone, today: TODAY, costs, demo, logout: None };
        Overview::of(&facts).render().unwrap()
    }
}

/// The text of the element with a hook, without its tags.
fn text_of(page: &str, hook: &str) -> String {
    let (_, rest) = page.split_once(&format!("data-testid=\"{hook}\"")).unwrap_or_else(|| panic!("no {hook}"));
    let (_, rest) = rest.split_once('>').unwrap();
    let mut inside = false;
    let (inner, _) = rest.split_once("</p>").unwrap();
    let visible = inner.chars().filter(|c| {
        let shown = !inside && *c != '<';
        inside = *c == '<' || (inside && *c != '>');
        shown
    });
    visible.collect()
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

#[test]
fn the_figures() {
    let page = Scene::used().render();
    let total = text_of(&page, "total-tokens");
    assert!(total.starts_with("4938268 tokens "), "{total}");
    assert_eq!(text_of(&page, "total-cost"), "$4.00");
    assert_eq!(text_of(&page, "live-status"), "Live");
    let there = ["Newest response 2026-11-23 13:59", "in Europe/Berlin", "claude-opus-4-8", "100.0%", "so far"];
    check(Scene::used(), &there, &["class=\"notice", "<progress", "http-equiv", "class=\"estimate\"", "Estimated"]);
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
    check(scene, &there, &["data-testid=\"total-tokens\"", "class=\"notice"]);
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
fn nothing_lately() {
    let mut scene = Scene::used();
    scene.history = Scene::empty().history;
    let there =
        ["Nothing in the last 30 days. The newest response is from 2026-11-23 13:59", "data-testid=\"trend-chart\""];
    check(scene, &there, &["<figure", "Show as a table"]);
}

#[test]
fn models_without_a_price() {
    let mut scene = Scene::used();
    let unpriced = tally(250, None);
    for model in ["a", "b", "c", "d"] {
        scene.snapshot.models.insert(model.into(), unpriced);
        scene.snapshot.totals.add(&unpriced);
    }
    let there = ["Models without a price.", "4.00K tokens of a, b, c and 1 more", ">≥ $4.00<", "no price"];
    check(scene, &there, &["strong\">$0.00"]);

    let mut wholly = Scene::empty();
    wholly.snapshot.models.insert("a".into(), unpriced);
    wholly.snapshot.totals = unpriced;
    assert_eq!(text_of(&wholly.render(), "total-cost"), "unknown");
}

#[test]
fn without_costs() {
    let scene = Scene { costs: false, ..Scene::used() };
    check(scene, &["claude-opus-4-8"], &["$", "total-cost", "list prices", ">Cost<"]);
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
    check(Scene { unreadable: true, ..Scene::used() }, &["The history cannot be read"], &[]);
    let lost = Scene::used();
    lost.status.update(|words| words.roots[0].state = "missing".to_owned());
    check(lost, &["Transcripts are gone", "claude-opus-4-8"], &["Where is Claude"]);
}

#[test]
fn demo() {
    check(Scene { demo: true, ..Scene::used() }, &["made up"], &[]);
}

#[test]
fn gaps_are_shown_as_gaps() {
    let mut scene = Scene::used();
    scene.history.days[0].estimate = Some(9_000_000);
    scene.history.days[1] = DayRow { partial: true, ..day(scene.history.days[1].date, 5) };
    scene.history.days[2].partial = true;
    scene.history.days[29].partial = true;
    let page = scene.render();
    assert!(page.contains("class=\"estimate\" d=\"M12 ") && page.contains("about 9,000,000"), "{page}");
    let pale = page.split_once("class=\"cache-read partial\" d=\"").unwrap().1.split('"').next().unwrap();
    assert_eq!(pale.matches('M').count(), 1, "not today, and not a day with nothing to draw: {pale}");
    assert_eq!(page.matches(">partly covered</span>").count(), 1);
    assert!(page.contains("they are part of no total") && page.contains("some transcripts are gone"), "{page}");
}

#[test]
fn projects_are_named_by_as_little_of_their_path_as_tells_them_apart() {
    fn check(paths: &[&str], expected: &[&str]) {
        let projects: Vec<_> = paths.iter().map(|path| ((*path).into(), tally(1, None))).collect();
        let names: Vec<String> = figures::projects(&projects).into_iter().map(|project| project.name).collect();
        assert_eq!(names, expected);
    }
    check(&["/home/ada/code/api", "/home/ada/web"], &["api", "web"]);
    check(&["/home/ada/work/api", "/home/ada/play/api/", "/x/web"], &["work/api", "play/api", "web"]);
    check(&["C:\\Users\\ada\\api", "/", ""], &["api", "(no project)", "(no project)"]);
}

#[test]
fn many_models() {
    let mut scene = Scene::used();
    for n in 0..60 {
        scene.snapshot.models.insert(format!("model-{n}").into(), tally(n, Some(0)));
    }
    check(scene, &["and 11 more; the API has all of them", "model-59"], &["model-0<"]);
}
