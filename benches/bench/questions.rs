//! What the store answers without HTTP and without anything kept from the last time: every question of the API at a
//! million responses.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use claude_token_monitor::event::UnixMillis;
use claude_token_monitor::pricing::PriceTable;
use claude_token_monitor::store::{
    BlockOptions, Dimension, Filter, GroupOrder, Order, Place, Readers, SessionOrder, Span,
};
use jiff::tz::TimeZone;

use crate::report::{Report, bytes, median, milliseconds, quantile};

const DAY: i64 = UnixMillis::DAY;
const HOUR: i64 = DAY / 24;

pub(crate) fn measure(database: &Path, report: &mut Report) {
    let opened = Instant::now();
    let readers = Readers::new(database);
    let facts = readers.facts().unwrap();
    report.note("opening the database to read, and its facts", milliseconds(opened.elapsed().as_secs_f64()));
    let end = facts.last_at_ms.unwrap() + 1;
    let everything = readers.sums(Span::ALL, &Filter::default()).unwrap();
    let last = |days: i64| Span { from: UnixMillis(end - days * DAY), to: UnixMillis(end) };
    let (month, open) = (last(30), Filter::default());
    let (project, session) = (busiest(&readers, Dimension::Project), busiest(&readers, Dimension::Session));
    let by_project = Filter { projects: vec![project.as_str().into()], ..Filter::default() };
    let by_model = Filter { models: vec![busiest(&readers, Dimension::Model).as_str().into()], ..Filter::default() };
    let hourly: Vec<UnixMillis> = (0..=720).map(|n| UnixMillis((end / HOUR - 720 + n) * HOUR)).collect();
    let daily = |zone: i64, days: i64| -> Vec<UnixMillis> {
        (0..=days).map(|n| UnixMillis((end / DAY - days + n) * DAY + zone * HOUR)).collect()
    };
    let (days_utc, days_new_york, years) = (daily(0, 30), daily(5, 30), daily(5, 3_650));
    let new_york = TimeZone::get("America/New_York").unwrap();
    let kathmandu = TimeZone::get("Asia/Kathmandu").unwrap();
    let prices = PriceTable::builtin();
    let page = |place| {
        move |readers: &Readers, span, filter: &Filter| readers.history(span, filter, Order::Newest, place, 100)
    };
    let deep = Place::Offset(everything.sums.tally.requests - 1_000);

    let mut time = |what: &str, ask: &dyn Fn()| {
        let times: Vec<Duration> = (0..60)
            .map(|_| {
                let since = Instant::now();
                ask();
                since.elapsed()
            })
            .collect();
        let what = format!("store: {what} at {} responses, 99th percentile", facts.responses);
        report.below(&what, quantile(&times, 0.99), 0.005, milliseconds);
        report.note("its median", milliseconds(median(&times)));
    };
    time("sums of 30 days", &|| {
        black_box(readers.sums(month, &open).unwrap());
    });
    time("sums of everything", &|| {
        black_box(readers.sums(Span::ALL, &open).unwrap());
    });
    time("sums of everything in a project", &|| {
        black_box(readers.sums(Span::ALL, &by_project).unwrap());
    });
    time("models of 30 days", &|| {
        black_box(readers.grouped(month, &open, Dimension::Model, GroupOrder::Cost, (0, 50)).unwrap());
    });
    time("projects of 30 days", &|| {
        black_box(readers.project_rows(month, &open, GroupOrder::Cost, (0, 50)).unwrap());
    });
    time("projects of everything", &|| {
        black_box(readers.project_rows(Span::ALL, &open, GroupOrder::Cost, (0, 50)).unwrap());
    });
    time("trend of 30 days by day, UTC", &|| {
        black_box(readers.trend(&days_utc, &open, None).unwrap());
    });
    time("trend of 30 days by day, New York", &|| {
        black_box(readers.trend(&days_new_york, &open, None).unwrap());
    });
    time("trend of 30 days by day and project, New York", &|| {
        black_box(readers.trend(&days_new_york, &open, Some(Dimension::Project)).unwrap());
    });
    time("trend of 30 days by hour", &|| {
        black_box(readers.trend(&hourly, &open, None).unwrap());
    });
    time("trend of 30 days by hour and model", &|| {
        black_box(readers.trend(&hourly, &open, Some(Dimension::Model)).unwrap());
    });
    time("trend of 30 days by hour and project", &|| {
        black_box(readers.trend(&hourly, &open, Some(Dimension::Project)).unwrap());
    });
    time("trend of ten years by day", &|| {
        black_box(readers.trend(&years, &open, None).unwrap());
    });
    time("hours of the week, 30 days, New York", &|| {
        black_box(readers.week(month, &open, &new_york).unwrap());
    });
    time("hours of the week, 30 days, Kathmandu", &|| {
        black_box(readers.week(month, &open, &kathmandu).unwrap());
    });
    time("first page of the history", &|| {
        black_box(page(Place::Offset(0))(&readers, Span::ALL, &open).unwrap());
    });
    time("last page of the history", &|| {
        black_box(page(deep)(&readers, Span::ALL, &open).unwrap());
    });
    time("first page of the history of a project", &|| {
        black_box(page(Place::Offset(0))(&readers, Span::ALL, &by_project).unwrap());
    });
    time("page 100 of the history of a model", &|| {
        black_box(page(Place::Offset(10_000))(&readers, Span::ALL, &by_model).unwrap());
    });
    time("sessions of 30 days by activity", &|| {
        black_box(readers.sessions(month, &open, SessionOrder::LastActivity, (0, 50)).unwrap());
    });
    time("sessions of everything by cost", &|| {
        black_box(readers.sessions(Span::ALL, &open, SessionOrder::Cost, (0, 50)).unwrap());
    });
    time("the largest session", &|| {
        black_box(readers.session(&session).unwrap());
    });
    time("windows of 30 days", &|| {
        black_box(readers.blocks(month, UnixMillis(end), BlockOptions::default()).unwrap());
    });
    time("estimate of 30 days", &|| {
        black_box(readers.estimate(month, &open).unwrap());
    });
    time("what if, everything", &|| {
        black_box(readers.what_if(Span::ALL, &open, "claude-haiku-5-5", &prices).unwrap());
    });
    export(&readers, report);
    let rows = readers.facts().unwrap().responses;
    let db = rusqlite::Connection::open(database).unwrap();
    let mut tables = db
        .prepare("SELECT name, count(*) FROM sqlite_schema s WHERE type = 'table' AND sql IS NOT NULL GROUP BY name")
        .unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for name in names.iter().filter(|name| name.starts_with("rollup") || name.starts_with("model_")) {
        let held: i64 = db.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).unwrap();
        report.note(&format!("rows of {name} for {rows} responses"), held.to_string());
    }
}

/// The name with the most tokens.
fn busiest(readers: &Readers, by: Dimension) -> String {
    let (groups, _) = readers.grouped(Span::ALL, &Filter::default(), by, GroupOrder::Tokens, (0, 1)).unwrap();
    groups[0].name.as_deref().unwrap().to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn export(readers: &Readers, report: &mut Report) {
    let since = Instant::now();
    let rows = readers.raw_rows(Span::ALL, &Filter::default()).map(Result::unwrap).count();
    let rate = rows as f64 / since.elapsed().as_secs_f64();
    report.note("store: responses exported in a second", bytes(rate).replace(" bytes", ""));
}
