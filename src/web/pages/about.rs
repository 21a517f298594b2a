//! `/about`: where each number comes from, how it is computed, what the history covers, and which program this is.

use askama::Template;
use jiff::civil::Date;

use super::data;
use super::figures::Fact;
use super::format;
use super::frame::Frame;
use super::visit::{Answering, Page, Visit};
use crate::event::UnixMillis;
use crate::route::Response;
use crate::status::SkipReason;
use crate::store::Span;
use crate::version;
use crate::web::api::scope::{Scope, day};
use crate::web::error::ApiError;

pub static PAGE: Page = Page {
    path: "/about",
    nav: Some(|words| words.about.title),
    parameters: &[],
    handler: |visit| -> Answering { Box::pin(page(visit)) },
};

/// The longest history whose days are looked at one by one: ten years.
const MOST_DAYS: i32 = 3660;

#[derive(Template)]
#[template(path = "about.html")]
struct About {
    frame: Frame,
    /// Where transcripts are looked for, and what became of each place.
    roots: Vec<(String, String)>,
    reading: Vec<Fact>,
    skipped: Vec<Fact>,
    formulas: Vec<Fact>,
    coverage: Vec<Fact>,
    settings: Vec<Fact>,
    program: Vec<Fact>,
    kept: String,
}

/// The days of the history, by what is known of them.
#[derive(Clone, Copy, Debug, Default)]
struct Coverage {
    ends: Option<(UnixMillis, UnixMillis)>,
    /// Days with a response.
    used: u64,
    /// Days without one, between the first response and today.
    empty: u64,
    /// Of the used ones, those of which transcripts are gone.
    partly: u64,
    /// Days on which Claude Code's own statistics have more.
    estimated: u64,
}

async fn page(visit: Visit) -> Result<Response, ApiError> {
    let coverage = coverage(&visit).await?;
    let (t, health) = (&visit.words().about, visit.state.health());
    let days = visit.state.settings.cleanup_days;
    let page = About {
        frame: visit.frame(t.title.to_string()).without_welcome(),
        roots: health.roots().map(|root| (root.path.clone(), root.state.clone())).collect(),
        reading: reading(&visit),
        skipped: skipped(&visit),
        formulas: formulas(&visit),
        coverage: covered(&visit, &coverage),
        settings: settings(&visit),
        program: program(&visit),
        kept: t.kept.with("days", days).into(),
    };
    Ok(visit.show(&page))
}

async fn coverage(visit: &Visit) -> Result<Coverage, ApiError> {
    let Scope { zone, today, .. } = visit.scope_of(Span::ALL);
    let question = format!("coverage {zone:?} {today}");
    let found = data::remembered(&visit.state, &question, move |readers| {
        let all = readers.sums(Span::ALL, &crate::store::Filter::default())?;
        let Some(ends) = all.first_at.zip(all.last_at) else { return Ok(Coverage::default()) };
        let earliest = today.checked_sub(jiff::Span::new().days(MOST_DAYS)).unwrap_or(Date::MIN);
        let first = day(ends.0, &zone).max(earliest);
        let days = readers.days(first.min(today), today, &zone)?;
        let used = days.iter().filter(|day| day.tally.requests > 0);
        Ok(Coverage {
            ends: Some(ends),
            used: used.clone().count() as u64,
            empty: days.iter().filter(|day| day.tally.requests == 0).count() as u64,
            // Of today nothing can be complete.
            partly: used.filter(|day| day.partial && day.date != today).count() as u64,
            estimated: days.iter().filter(|day| day.estimate.is_some()).count() as u64,
        })
    })
    .await?;
    Ok(*found)
}

/// What was read, and what became of it.
fn reading(visit: &Visit) -> Vec<Fact> {
    let (t, format) = (&visit.words().about, &visit.format);
    let (mut lines, mut claims, mut new, mut duplicates, mut corrections, mut errors) = (0, 0, 0, 0, 0, 0);
    for source in visit.snapshot.ingest.by_source.values() {
        lines += source.tally.lines;
        claims += source.tally.claims;
        errors += source.tally.api_errors;
        new += source.new_responses;
        duplicates += source.duplicates;
        corrections += source.corrections;
    }
    vec![
        Fact::of(t.lines, format.grouped(lines)),
        Fact::of(t.claims, format.grouped(claims)),
        Fact::of(t.responses, format.grouped(new)),
        Fact::of(t.duplicates, format.grouped(duplicates)),
        Fact::of(t.corrections, format.grouped(corrections)),
        Fact::of(t.api_errors, format.grouped(errors)),
    ]
}

/// Lines that could not be used, by reason; those reasons that occurred.
fn skipped(visit: &Visit) -> Vec<Fact> {
    let sources = visit.snapshot.ingest.by_source.values();
    let count = |reason: SkipReason| sources.clone().map(|source| source.tally.skipped[reason as usize]).sum::<u64>();
    let reasons = SkipReason::ALL.into_iter().map(|reason| (reason, count(reason))).filter(|(_, count)| *count > 0);
    let t = &visit.words().about;
    let name = |reason: SkipReason| match reason {
        SkipReason::Malformed => t.malformed,
        SkipReason::NotAnObject => t.not_an_object,
        SkipReason::Oversized => t.oversized,
        SkipReason::NulRun => t.nul_run,
        SkipReason::Implausible => t.implausible,
        SkipReason::Encoding => t.encoding,
        SkipReason::Spliced => t.spliced,
    };
    let shown = |(reason, count): (SkipReason, u64)| Fact::of(name(reason), visit.format.grouped(count));
    reasons.map(shown).collect()
}

fn formulas(visit: &Visit) -> Vec<Fact> {
    let (t, common, overview) = (&visit.words().about, &visit.words().common, &visit.words().overview);
    let mut formulas = vec![
        Fact::of(overview.total_tokens, t.total_formula.as_str()),
        Fact::of(common.hit_rate, t.hit_formula.as_str()),
        Fact::of(common.share, t.share_formula.as_str()),
        Fact::of(t.change, t.change_formula.as_str()),
        Fact::of(common.sessions, t.sessions_formula.as_str()),
        Fact::of(visit.words().blocks.title, t.blocks_formula.as_str()),
        Fact::of(t.projection, t.projection_formula.as_str()),
    ];
    if visit.costs() {
        formulas.insert(1, Fact::of(overview.cost, t.cost_formula.as_str()));
    }
    formulas
}

fn covered(visit: &Visit, coverage: &Coverage) -> Vec<Fact> {
    let (t, format) = (&visit.words().about, &visit.format);
    let end = |at: Option<UnixMillis>| at.map_or_else(|| "–".to_owned(), |at| format.instant(at));
    vec![
        Fact::of(t.first, end(coverage.ends.map(|ends| ends.0))),
        Fact::of(t.last, end(coverage.ends.map(|ends| ends.1))),
        Fact::of(t.used_days, format.grouped(coverage.used)),
        Fact::of(t.empty_days, format.grouped(coverage.empty)),
        Fact::of(t.partly_days, format.grouped(coverage.partly)),
        Fact::of(t.estimated_days, format.grouped(coverage.estimated)),
        Fact::of(t.unfinished, format.grouped(visit.snapshot.unfinished)),
    ]
}

fn settings(visit: &Visit) -> Vec<Fact> {
    let (t, store) = (&visit.words().about, &visit.snapshot.store);
    let mut settings = vec![
        Fact::of(t.language, visit.taste.language.name()),
        Fact::of(t.zone, visit.format.zone_name()),
        Fact::of(t.database, format::bytes(store.size_bytes)),
        Fact::of(t.kept_days, t.days.count(visit.state.settings.cleanup_days.into(), &visit.format)),
    ];
    if !visit.costs() {
        settings.push(Fact::of(t.costs, t.off.as_str()));
        return settings;
    }
    let currency = [Some(visit.format.currency.code.clone()), visit.format.rate()];
    let money = currency.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    settings.push(Fact::of(t.prices, store.price_table.clone()));
    settings.push(Fact::of(t.currency, money));
    settings
}

fn program(visit: &Visit) -> Vec<Fact> {
    let t = &visit.words().about;
    vec![
        Fact::of(t.version, version::VERSION),
        Fact::of(t.build, version::build()),
        Fact::of(t.licence, "MIT"),
        Fact::of(t.libraries, t.libraries_text.as_str()),
        Fact::of(t.assets, t.assets_text.as_str()),
    ]
}
