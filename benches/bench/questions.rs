//! What the store answers without HTTP and without anything kept from the last time: every question of the API at a
//! million responses.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use claude_token_monitor::event::UnixMillis;
use claude_token_monitor::pricing::PriceTable;
use claude_token_monitor::store::{
    BlockOptions, Dimension, Filter, GroupOrder, Order, Place, Readers, SessionOrder, Span, Split,
};
use jiff::tz::TimeZone;

use crate::report::{Report, median, milliseconds, quantile};

const DAY: i64 = UnixMillis::DAY;
const HOUR: i64 = DAY / 24;

/// A question, and how it is asked.
type Question<'a> = (&'static str, Box<dyn Fn(&Readers) + 'a>);

fn question<'a, T>(what: &'static str, ask: impl Fn(&Readers) -> T + 'a) -> Question<'a> {
    (what, Box::new(move |readers| drop(black_box(ask(readers)))))
}

/// What questions are about.
struct About {
    month: Span,
    end: i64,
    all: Filter,
    by_project: Filter,
    by_model: Filter,
    session: String,
    prices: PriceTable,
    /// How many responses to pass over for a page near the end.
    deep: u64,
}

pub(crate) fn measure(database: &Path, report: &mut Report) {
    let opened = Instant::now();
    let readers = Readers::new(database);
    let facts = readers.facts().unwrap();
    report.note("opening the database to read, and its facts", milliseconds(opened.elapsed().as_secs_f64()));
    let end = facts.last_at_ms.unwrap() + 1;
    let only = |by| -> std::sync::Arc<str> { busiest(&readers, by).as_str().into() };
    let about = About {
        month: Span { from: UnixMillis(end - 30 * DAY), to: UnixMillis(end) },
        end,
        all: Filter::default(),
        by_project: Filter { projects: vec![only(Dimension::Project)], ..Filter::default() },
        by_model: Filter { models: vec![only(Dimension::Model)], ..Filter::default() },
        session: busiest(&readers, Dimension::Session),
        prices: PriceTable::builtin(),
        deep: facts.responses - 1_000,
    };
    for (what, ask) in sums(&about).into_iter().chain(trends(&about)).chain(lists(&about)) {
        let times: Vec<Duration> = (0..60)
            .map(|_| {
                let since = Instant::now();
                ask(&readers);
                since.elapsed()
            })
            .collect();
        report.note(&format!("store, nothing remembered: {what}, median"), milliseconds(median(&times)));
        report.note("the same, 99th percentile", milliseconds(quantile(&times, 0.99)));
    }
}

fn sums(about: &About) -> Vec<Question<'_>> {
    let About { month, all, by_project, prices, .. } = about;
    let models = (Dimension::Model, GroupOrder::Cost);
    vec![
        question("sums of 30 days", |readers| readers.sums(*month, all).unwrap()),
        question("sums of everything", |readers| readers.sums(Span::ALL, all).unwrap()),
        question("sums of a project", |readers| readers.sums(Span::ALL, by_project).unwrap()),
        question("models of 30 days", move |readers| {
            readers.grouped(*month, all, models.0, models.1, (0, 50)).unwrap()
        }),
        question("estimate of 30 days", |readers| readers.estimate(*month, all).unwrap()),
        question("what if, everything", |readers| readers.what_if(Span::ALL, all, "claude-haiku-5-5", prices).unwrap()),
    ]
}

fn trends(about: &About) -> Vec<Question<'_>> {
    let About { month, end, all, .. } = about;
    let cut = |unit: i64, count: i64, shift: i64| -> Vec<UnixMillis> {
        (0..=count).map(|n| UnixMillis((end / unit - count + n) * unit + shift)).collect()
    };
    let trend =
        |what, bounds: Vec<UnixMillis>, by| question(what, move |readers| readers.trend(&bounds, all, by).unwrap());
    let week = |what, zone| {
        let zone = TimeZone::get(zone).unwrap();
        question(what, move |readers| readers.week(*month, all, &zone).unwrap())
    };
    let (model, project) = (Split::By(Dimension::Model), Split::By(Dimension::Project));
    vec![
        trend("30 days by day, UTC", cut(DAY, 30, 0), Split::Nothing),
        trend("30 days by day, New York", cut(DAY, 30, 5 * HOUR), Split::Nothing),
        trend("30 days by day and project, New York", cut(DAY, 30, 5 * HOUR), project),
        trend("30 days by hour", cut(HOUR, 720, 0), Split::Nothing),
        trend("30 days by hour and model", cut(HOUR, 720, 0), model),
        trend("30 days by hour and project", cut(HOUR, 720, 0), project),
        trend("ten years by day, New York", cut(DAY, 3_650, 5 * HOUR), Split::Nothing),
        week("hours of the week of 30 days, New York", "America/New_York"),
        week("hours of the week of 30 days, Kathmandu", "Asia/Kathmandu"),
        question("windows of 30 days", |readers| {
            readers.blocks(*month, UnixMillis(*end), BlockOptions::default()).unwrap()
        }),
    ]
}

fn lists(about: &About) -> Vec<Question<'_>> {
    let About { month, all, by_project, by_model, session, deep, .. } = about;
    let projects =
        |what, span| question(what, move |readers| readers.project_rows(span, all, GroupOrder::Cost, (0, 50)).unwrap());
    let page = |what, filter, skip| {
        question(what, move |readers| {
            readers.history(Span::ALL, filter, Order::Newest, Place::Offset(skip), 100).unwrap()
        })
    };
    let sessions =
        |what, span, order| question(what, move |readers| readers.sessions(span, all, order, (0, 50)).unwrap());
    vec![
        projects("projects of 30 days", *month),
        projects("projects of everything", Span::ALL),
        page("first page of the history", all, 0),
        page("last page of the history", all, *deep),
        page("first page of a project", by_project, 0),
        page("page 100 of a model", by_model, 10_000),
        sessions("sessions of 30 days by activity", *month, SessionOrder::LastActivity),
        sessions("sessions of everything by cost", Span::ALL, SessionOrder::Cost),
        question("the largest session", |readers| readers.session(session).unwrap()),
    ]
}

/// The name with the most tokens.
fn busiest(readers: &Readers, by: Dimension) -> String {
    let (groups, _) = readers.grouped(Span::ALL, &Filter::default(), by, GroupOrder::Tokens, (0, 1)).unwrap();
    groups[0].name.as_deref().unwrap().to_owned()
}
