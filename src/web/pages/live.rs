//! `/live`: what happens now. The last hour by the minute, the sessions in it, the newest responses.

use askama::Template;

use super::chart::{Columns, ColumnsWords, Frame as ChartFrame};
use super::data;
use super::format::Number;
use super::frame::Frame;
use super::language::Text;
use super::sessions::{SessionItem, is_active};
use super::stack::{Step, columns};
use super::tail::Tail;
use super::visit::{Answering, Page, Visit};
use crate::event::{Tally, UnixMillis};
use crate::plugin::WatchMode;
use crate::route::Response;
use crate::store::{Bucket, Filter, SessionOrder, Span, Split};
use crate::web::api::scope::Scope;
use crate::web::error::ApiError;

pub static PAGE: Page = Page {
    path: "/live",
    nav: Some(|words| words.live.title),
    parameters: &[],
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

const MINUTE: i64 = 60_000;

/// How many minutes are shown, the present one included.
const MINUTES: i64 = 60;

/// How many responses are shown, and at most how many sessions.
const RESPONSES: usize = 20;
const SESSIONS: usize = 20;

#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    frame: Frame,
    /// What the page leaves out, if the address asks for less than everything.
    note: Option<Text>,
    speeds: [Speed; 2],
    reading: Reading,
    chart: Option<Columns>,
    /// What to say where nothing happened.
    quiet: String,
    sessions: Vec<SessionItem>,
    tail: Tail,
}

/// What was used in the last minutes.
struct Speed {
    title: Text,
    /// By the minute.
    tokens: Number,
    used: String,
    cost: Option<String>,
}

/// How transcripts are followed.
struct Reading {
    mode: Text,
    files: String,
    newest: Option<String>,
    /// How long ago that was.
    age: Option<String>,
}

async fn page(visit: Visit) -> Result<Response, ApiError> {
    let last_minute = visit.now.0.div_euclid(MINUTE);
    let bounds: Vec<UnixMillis> =
        (last_minute - MINUTES + 1..=last_minute + 1).map(|minute| UnixMillis(minute * MINUTE)).collect();
    let hour = Span { from: bounds[0], to: bounds[bounds.len() - 1] };
    let scope = Scope { filter: Filter::default(), ..visit.scope_of(hour) };
    let question = format!("minutes {last_minute}");
    let minutes = data::remembered(&visit.state, &question, move |readers| {
        Ok(readers.trend(&bounds, &Filter::default(), Split::Nothing)?)
    });
    let (minutes, sessions, tail) = tokio::try_join!(
        minutes,
        data::sessions(&visit.state, &scope, SessionOrder::LastActivity, (0, SESSIONS)),
        Tail::read(&visit, Filter::default(), RESPONSES),
    )?;
    let (t, common) = (&visit.words().live, &visit.words().common);
    let rows: Vec<_> = sessions.rows.iter().filter(|row| is_active(row.last_at, visit.now)).cloned().collect();
    let page = LivePage {
        frame: visit.frame(t.title.to_string()),
        note: visit.view.is_filtered().then_some(t.everything),
        speeds: [Speed::of(t.five_minutes, &minutes, 5, &visit), Speed::of(t.an_hour, &minutes, 60, &visit)],
        reading: Reading::of(&visit),
        chart: chart(&visit, &minutes),
        quiet: match visit.snapshot.last_event_at {
            Some(newest) => t.quiet.with("newest", visit.format.instant(newest)).into(),
            None => common.nothing_here.to_string(),
        },
        sessions: SessionItem::all(&rows, &visit),
        tail,
    };
    Ok(visit.show(&page))
}

impl Speed {
    /// Of the last minutes, the present one included.
    fn of(title: Text, minutes: &[Bucket], count: u64, visit: &Visit) -> Self {
        let mut sum = Tally::default();
        for minute in minutes.iter().rev().take(usize::try_from(count).unwrap_or(usize::MAX)) {
            sum.add(&minute.tally);
        }
        let t = &visit.words().live;
        let tokens = visit.format.grouped(sum.tokens.total());
        let responses = t.responses.count(sum.requests, &visit.format);
        Self {
            title,
            tokens: visit.format.count(sum.tokens.total() / count.max(1)),
            used: t.used.with("tokens", tokens).with("responses", responses).into(),
            cost: visit.format.cost(&sum),
        }
    }
}

impl Reading {
    fn of(visit: &Visit) -> Self {
        let (t, health) = (&visit.words().live, visit.state.health());
        let newest = visit.snapshot.last_event_at;
        Self {
            mode: match (health.ready, health.watch.mode) {
                (false, _) => t.scanning,
                (true, WatchMode::Native) => t.native,
                (true, WatchMode::Poll) => t.poll,
            },
            files: t.files.count(health.roots().map(|root| root.files).sum(), &visit.format).into(),
            newest: newest.map(|at| visit.format.instant(at)),
            age: newest
                .filter(|at| *at <= visit.now)
                .map(|at| t.ago.with("time", visit.format.duration(visit.now.0 - at.0)).into()),
        }
    }
}

/// The last hour; none where nothing happened in it.
fn chart(visit: &Visit, minutes: &[Bucket]) -> Option<Columns> {
    if minutes.iter().all(|minute| minute.tally.requests == 0) {
        return None;
    }
    let (t, format) = (&visit.words().live, &visit.format);
    let step = |minute: &Bucket| {
        let clock = format.time(minute.from);
        Step {
            landmark: clock.ends_with(":00") || clock.ends_with(":30"),
            name: clock.clone(),
            label: clock,
            tally: minute.tally,
            note: (visit.now < minute.to).then(|| visit.words().trend.so_far.to_string()),
        }
    };
    let words = ColumnsWords {
        frame: ChartFrame {
            id: "minutes".to_owned(),
            label: t.chart_label.to_string(),
            caption: t.chart_caption.with("zone", format.zone_name()).into(),
            table: visit.words().common.table.to_string(),
        },
        columns: t.minute.to_string(),
        ..ColumnsWords::default()
    };
    Some(columns(visit, minutes.iter().map(step).collect(), 15, words))
}
