//! Every question, answered by the tables and by a plain recount.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::truth::{Fact, World, ZONES};
use super::*;
use crate::event::{PicoUsd, QuerySource, Tally};

/// Runs a check over many small histories.
fn everywhere(check: impl Fn(&mut World)) {
    for seed in 1..=24 {
        let mut world = World::new(seed);
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&mut world)));
        assert!(said.is_ok(), "with seed {seed}");
    }
}

fn at(facts: &[&Fact]) -> (Option<UnixMillis>, Option<UnixMillis>) {
    (facts.first().map(|fact| UnixMillis(fact.at)), facts.last().map(|fact| UnixMillis(fact.at)))
}

fn sessions<'a>(facts: impl IntoIterator<Item = &'a &'a Fact>) -> u64 {
    facts.into_iter().map(|fact| &fact.event.session).collect::<BTreeSet<_>>().len() as u64
}

#[test]
fn a_span_as_a_whole() {
    everywhere(|world| {
        world.readers.check_everything().unwrap();
        for _ in 0..12 {
            let (span, filter) = (world.span(), world.filter());
            let facts = world.matching(span, &filter);
            let overview = world.readers.sums(span, &filter).unwrap();
            let brief = world.readers.brief(span, &filter).unwrap();
            assert_eq!((brief.tally, brief.sessions), (overview.sums.tally, overview.sessions), "{span:?} {filter:?}");
            assert_eq!(overview.sums, world.sum(facts.iter().copied()), "{span:?} {filter:?}");
            assert_eq!(overview.sums.costs.total(), overview.sums.tally.cost);
            assert_eq!(overview.sessions, sessions(&facts));
            assert_eq!((overview.first_at, overview.last_at), at(&facts), "{span:?} {filter:?}");
        }
    });
}

#[test]
fn groups_of_a_span() {
    type Name = fn(&crate::event::Event) -> Option<Arc<str>>;
    let dimensions: [(Dimension, Name); 6] = [
        (Dimension::Model, |event| Some(Arc::clone(&event.model))),
        (Dimension::Project, |event| Some(Arc::clone(&event.project))),
        (Dimension::Session, |event| Some(Arc::clone(&event.session))),
        (Dimension::Branch, |event| event.branch.clone()),
        (Dimension::Source, |_| Some("claude".into())),
        (Dimension::QuerySource, |event| Some(event.query_source.name().into())),
    ];
    everywhere(|world| {
        for (dimension, name) in dimensions {
            let (span, filter) = (world.span(), world.filter());
            let expected = world.by(&world.matching(span, &filter), name);
            let ask = |order, page| world.readers.grouped(span, &filter, dimension, order, page).unwrap();
            let (rows, total) = ask(GroupOrder::Tokens, (0, 100));
            assert_eq!(total, expected.len() as u64);
            assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(row.sums.tally.tokens.total())));
            assert!(ask(GroupOrder::Cost, (0, 100)).0.is_sorted_by_key(|row| std::cmp::Reverse(row.sums.tally.cost)));
            let paged: Vec<_> = (0..rows.len()).flat_map(|place| ask(GroupOrder::Tokens, (place, 1)).0).collect();
            assert_eq!(paged, rows);
            let got: BTreeMap<_, _> = rows.into_iter().map(|row| (row.name, row.sums)).collect();
            assert_eq!(got, expected, "{dimension:?} {span:?} {filter:?}");
        }
        let (span, filter) = (world.span(), world.filter());
        let facts = world.matching(span, &filter);
        let (rows, total) = world.readers.project_rows(span, &filter, GroupOrder::Requests, (0, 100)).unwrap();
        assert_eq!(total, rows.len() as u64);
        assert_eq!(total, world.by(&facts, |event| Arc::clone(&event.project)).len() as u64);
        for row in rows {
            let facts: Vec<_> = facts.iter().filter(|fact| fact.event.project == row.project).copied().collect();
            assert_eq!((row.sums, row.sessions), (world.sum(facts.iter().copied()), sessions(&facts)));
            assert_eq!((row.first_at, row.last_at), at(&facts), "{span:?} {filter:?}");
        }
    });
}

fn tallies(groups: BTreeMap<Arc<str>, Sums>) -> BTreeMap<Arc<str>, Tally> {
    groups.into_iter().map(|(name, sums)| (name, sums.tally)).collect()
}

/// Local midnights or full hours around the middle of a world.
fn bounds(world: &World, zone: &TimeZone, hours: Option<i64>) -> Vec<UnixMillis> {
    let instant = |at: i64| jiff::Timestamp::from_millisecond(at).unwrap().to_zoned(zone.clone());
    match hours {
        Some(hours) => (0..60).map(|n| UnixMillis(world.middle + (n * hours - 60) * 3_600_000)).collect(),
        None => (-6..=6)
            .map(|day| {
                let date = instant(world.middle).date().saturating_add(jiff::Span::new().days(day));
                UnixMillis(date.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond())
            })
            .collect(),
    }
}

#[test]
fn trends_in_any_zone() {
    everywhere(|world| {
        for name in ZONES {
            let zone = TimeZone::get(name).unwrap();
            for hours in [None, Some(1), Some(3), Some(24)] {
                let (bounds, filter) = (bounds(world, &zone, hours), world.filter());
                let buckets = world.readers.trend(&bounds, &filter, Split::By(Dimension::Project)).unwrap();
                assert_eq!(buckets.len(), bounds.len() - 1);
                for bucket in buckets {
                    let facts = world.matching(Span { from: bucket.from, to: bucket.to }, &filter);
                    assert_eq!(bucket.tally, world.sum(facts.iter().copied()).tally, "{name} {hours:?} {bucket:?}");
                    assert_eq!(bucket.groups, tallies(world.by(&facts, |event| Arc::clone(&event.project))), "{name}");
                }
                let by_model = world.readers.trend(&bounds, &Filter::default(), Split::By(Dimension::Model)).unwrap();
                for bucket in by_model {
                    let facts = world.matching(Span { from: bucket.from, to: bucket.to }, &Filter::default());
                    assert_eq!(
                        bucket.groups,
                        tallies(world.by(&facts, |event| Arc::clone(&event.model))),
                        "{name} {hours:?}"
                    );
                }
                let ask = |filter: &Filter, split| world.readers.trend(&bounds, filter, split).unwrap();
                for filter in [&Filter::default(), &filter] {
                    for (whole, by_kind) in ask(filter, Split::Nothing).into_iter().zip(ask(filter, Split::Costs)) {
                        let facts = world.matching(Span { from: whole.from, to: whole.to }, filter);
                        let sums = world.sum(facts.iter().copied());
                        assert_eq!((whole.tally, whole.costs), (sums.tally, None), "{name} {hours:?} {filter:?}");
                        assert_eq!((by_kind.tally, by_kind.costs), (sums.tally, Some(sums.costs)), "{name} {hours:?}");
                    }
                }
            }
        }
    });
}

#[test]
fn the_hours_of_a_week() {
    everywhere(|world| {
        let (span, filter) = (world.span(), world.filter());
        for name in ZONES {
            let zone = TimeZone::get(name).unwrap();
            let mut expected: BTreeMap<(i8, i8), Tally> = BTreeMap::new();
            for fact in world.matching(span, &filter) {
                let local = zone.to_datetime(jiff::Timestamp::from_millisecond(fact.at).unwrap());
                let place = (local.weekday().to_monday_one_offset(), local.hour());
                expected.entry(place).or_default().add(&world.sums_of(&fact.event).tally);
            }
            let week = world.readers.week(span, &filter, &zone).unwrap();
            assert_eq!(week.len(), 168);
            for row in week {
                let place = (row.weekday, row.hour);
                assert_eq!(row.tally, expected.get(&place).copied().unwrap_or_default(), "{name} {place:?} {span:?}");
            }
        }
    });
}

#[test]
fn every_page_of_the_history() {
    everywhere(|world| {
        for _ in 0..6 {
            let (span, filter) = (world.span(), world.filter());
            // Rows have their own time, whatever the sums know of the rest.
            let facts = world.matching(span, &filter);
            let mut expected: Vec<u64> = facts.iter().filter(|fact| !fact.pruned).map(|fact| fact.revision).collect();
            let pruned = facts.iter().filter(|fact| fact.pruned).count() as u64;
            for order in [Order::Oldest, Order::Newest] {
                let ask = |place, limit| world.readers.history(span, &filter, order, place, limit).unwrap();
                let limit = 7;
                let mut pages = Vec::new();
                for page in 0..=expected.len() / limit {
                    let page = ask(Place::Offset((page * limit) as u64), limit);
                    assert_eq!((page.total, page.pruned), (expected.len() as u64, pruned), "{span:?} {filter:?}");
                    pages.extend(page.rows.iter().map(|row| row.revision));
                }
                assert_eq!(pages, expected, "{order:?} {span:?} {filter:?}");
                let (mut rows, mut place) = (Vec::new(), Place::Offset(0));
                loop {
                    let page = ask(place, limit);
                    rows.extend(page.rows.iter().map(|row| row.revision));
                    let Some(next) = page.next else { break };
                    place = Place::After(next);
                }
                assert_eq!(rows, expected, "by cursor {order:?} {span:?} {filter:?}");
                expected.reverse();
            }
            let exported: Vec<_> = world.readers.raw_rows(span, &filter).collect::<Result<_, _>>().unwrap();
            let revisions: Vec<u64> = exported.iter().map(|row| row.revision).collect();
            assert_eq!(revisions, expected);
            for row in exported {
                let fact = facts.iter().find(|fact| fact.revision == row.revision).unwrap();
                assert_eq!(row.event, fact.event);
                assert_eq!(row.costs.unwrap_or_default(), world.sums_of(&fact.event).costs);
            }
        }
    });
}

#[test]
fn sessions_in_every_order() {
    everywhere(|world| {
        for _ in 0..4 {
            let (span, filter) = (world.span(), world.filter());
            let facts = world.matching(span, &filter);
            let mut expected: BTreeMap<Arc<str>, Vec<&Fact>> = BTreeMap::new();
            for fact in &facts {
                expected.entry(Arc::clone(&fact.event.session)).or_default().push(fact);
            }
            for order in [SessionOrder::LastActivity, SessionOrder::Started, SessionOrder::Cost, SessionOrder::Tokens] {
                let mut rows = Vec::new();
                for page in 0..4 {
                    let page = world.readers.sessions(span, &filter, order, (page * 2, 2)).unwrap();
                    assert_eq!(page.total, expected.len() as u64);
                    rows.extend(page.rows);
                }
                assert_eq!(rows.len(), expected.len());
                assert!(rows.is_sorted_by_key(|row| std::cmp::Reverse(match order {
                    SessionOrder::LastActivity => i128::from(row.last_at.0),
                    SessionOrder::Started => i128::from(row.first_at.0),
                    SessionOrder::Cost => row.sums.tally.cost.0,
                    SessionOrder::Tokens => i128::from(row.sums.tally.tokens.total()),
                })));
                for row in rows {
                    let facts = &expected[&row.session];
                    assert_eq!(row.sums, world.sum(facts.iter().copied()));
                    assert_eq!((Some(row.first_at), Some(row.last_at)), at(facts), "{order:?} {span:?} {filter:?}");
                    let names = |name: fn(&crate::event::Event) -> Option<Arc<str>>| -> Vec<Arc<str>> {
                        facts.iter().filter_map(|fact| name(&fact.event)).collect::<BTreeSet<_>>().into_iter().collect()
                    };
                    assert_eq!(row.projects, names(|event| Some(Arc::clone(&event.project))));
                    assert_eq!(row.branches, names(|event| event.branch.clone()));
                    assert_eq!(row.models, names(|event| Some(Arc::clone(&event.model))));
                    let aside = facts.iter().filter(|fact| fact.event.query_source == QuerySource::Subagent);
                    assert_eq!(row.subagents, world.sum(aside.copied()).tally);
                    let quarter = |fact: &Fact| fact.at.div_euclid(900_000);
                    let ends = [quarter(facts[0]), quarter(facts[facts.len() - 1])];
                    assert_eq!(row.is_exact, !facts.iter().any(|fact| fact.pruned && ends.contains(&quarter(fact))));
                }
            }
        }
        for limit in 1..=8 {
            let (span, filter) = (world.span(), world.filter());
            let page = world.readers.sessions(span, &filter, SessionOrder::LastActivity, (0, limit)).unwrap();
            let newest = world.readers.newest_sessions(span, &filter, limit).unwrap();
            assert_eq!(newest, page.rows, "{limit} of {span:?} {filter:?}");
        }
        let facts = world.matching(Span::ALL, &Filter::default());
        let session = &facts[0].event.session;
        let facts: Vec<_> = facts.iter().filter(|fact| fact.event.session == *session).copied().collect();
        let detail = world.readers.session(session).unwrap().unwrap();
        assert_eq!(detail.row.sums, world.sum(facts.iter().copied()));
        let models: BTreeMap<_, _> = detail.models.into_iter().map(|group| (group.name, group.sums)).collect();
        assert_eq!(models, world.by(&facts, |event| Some(Arc::clone(&event.model))));
        let kept: Vec<_> = facts.into_iter().filter(|fact| !fact.pruned).collect();
        let agents: BTreeMap<_, _> = detail.agents.into_iter().map(|row| (row.agent, row.tally)).collect();
        let expected = world.by(&kept, |event| event.agent.clone());
        assert_eq!(agents, expected.into_iter().map(|(agent, sums)| (agent, sums.tally)).collect());
        assert_eq!(world.readers.session("nobody").unwrap().map(|detail| detail.row), None);
    });
}

#[test]
fn estimates_and_what_ifs() {
    everywhere(|world| {
        for model in ["claude-haiku-5-5", "claude-opus-4-6", "claude-sonnet-4-5", "glm-5-air"] {
            let (span, filter) = (world.span(), world.filter());
            let facts = world.matching(span, &filter);
            let estimated = world.readers.estimate(span, &filter).unwrap();
            assert_eq!(estimated.total, world.sum(facts.iter().copied()));
            let models: BTreeMap<_, _> = estimated.models.into_iter().map(|group| (group.name, group.sums)).collect();
            assert_eq!(models, world.by(&facts, |event| Some(Arc::clone(&event.model))));
            let answer = world.readers.what_if(span, &filter, model, &world.prices).unwrap();
            let Some(other) = world.prices.find(model) else {
                assert!(answer.is_none());
                continue;
            };
            let answer = answer.unwrap();
            let mut expected = 0;
            for Fact { event, .. } in &facts {
                let priced = world.prices.find(&event.model).map(|prices| {
                    let said = (event.speed.as_deref(), event.tier.as_deref(), event.geo.as_deref());
                    prices.card(event.at.utc_day(), event.tokens.prompt(), said.0, said.1, said.2)
                });
                let word = |on: bool, word: &'static str| on.then_some(word);
                let card = other.card(
                    event.at.utc_day(),
                    event.tokens.prompt(),
                    word(priced.as_ref().is_some_and(|card| card.fast), "fast"),
                    word(priced.as_ref().is_some_and(|card| card.batch), "batch"),
                    word(priced.as_ref().is_some_and(|card| card.us), "us"),
                );
                expected += card.cost(event.tokens, event.web.searches).0;
            }
            assert_eq!(answer.after.total(), PicoUsd(expected), "{model} {span:?} {filter:?}");
            assert_eq!(answer.before, world.sum(facts.iter().copied()));
            let parts: i128 = answer.models.iter().map(|(_, costs)| costs.total().0).sum();
            assert_eq!(parts, expected);
        }
    });
}

#[test]
fn exported_buckets() {
    everywhere(|world| {
        let zone = TimeZone::get("America/New_York").unwrap();
        for hours in [None, Some(1)] {
            let (bounds, filter) = (bounds(world, &zone, hours), world.filter());
            let mut expected: BTreeMap<_, Sums> = BTreeMap::new();
            for pair in bounds.windows(2) {
                for fact in world.matching(Span { from: pair[0], to: pair[1] }, &filter) {
                    let event = &fact.event;
                    let place = (pair[0], Arc::clone(&event.model), Arc::clone(&event.project), event.query_source);
                    expected.entry(place).or_default().add(&world.sums_of(event));
                }
            }
            let rows: Vec<_> = world.readers.bucket_rows(bounds, &filter).collect::<Result<_, _>>().unwrap();
            let rows: Vec<_> =
                rows.into_iter().map(|row| ((row.from, row.model, row.project, row.query_source), row.sums)).collect();
            assert_eq!(rows, expected.into_iter().collect::<Vec<_>>());
        }
        assert_eq!(world.readers.bucket_rows(Vec::new(), &Filter::default()).count(), 0);
    });
}

/// Windows by the rule as it is written, over all responses.
fn plain_blocks(times: &[i64], floor_to_hour: bool, length: i64) -> Vec<(i64, i64, i64, i64)> {
    let mut blocks: Vec<(i64, i64, i64, i64)> = Vec::new();
    for at in times {
        match blocks.last_mut() {
            Some(block) if *at < block.1 => block.3 = *at,
            last => {
                let hour = if floor_to_hour { at.div_euclid(3_600_000) * 3_600_000 } else { *at };
                let start = hour.max(last.map_or(i64::MIN, |block| block.1));
                blocks.push((start, start + length, *at, *at));
            }
        }
    }
    blocks
}

#[test]
fn windows_of_five_hours() {
    everywhere(|world| {
        let times: Vec<i64> = world.facts.iter().map(|fact| fact.at).collect();
        for floor_to_hour in [true, false] {
            let options = BlockOptions { floor_to_hour, ..BlockOptions::default() };
            let (span, now) = (world.span(), UnixMillis(world.middle + 1_234_567));
            let expected: Vec<_> = plain_blocks(&times, floor_to_hour, options.length_ms)
                .into_iter()
                .filter(|(start, end, ..)| *start < span.to.0 && span.from.0 < *end)
                .collect();
            let answer = world.readers.blocks(span, now, options).unwrap();
            let totals = world.readers.block_totals(span, now, options).unwrap();
            let brief = |blocks: &Blocks| -> Vec<_> {
                let sums = |window: &Window| match window {
                    Window::Block(block) => Some((block.start, block.end, block.is_active, block.sums.tally)),
                    Window::Gap(_) => None,
                };
                blocks.windows.iter().map(sums).collect()
            };
            assert_eq!(brief(&totals), brief(&answer), "{span:?}");
            let hour = world.matching(Span { from: UnixMillis(now.0 - 3_600_000), to: now }, &Filter::default());
            assert_eq!(answer.last_hour, world.sum(hour));
            let mut before: Option<i64> = None;
            let mut blocks = Vec::new();
            for window in answer.windows {
                match window {
                    Window::Block(block) => {
                        let facts = world.matching(Span { from: block.start, to: block.end }, &Filter::default());
                        assert_eq!(block.sums, world.sum(facts.iter().copied()));
                        assert_eq!(block.by_model, world.by(&facts, |event| Arc::clone(&event.model)));
                        assert_eq!(block.is_active, block.start <= now && now < block.end);
                        before = Some(block.last_at.0);
                        blocks.push((block.start.0, block.end.0, block.first_at.0, block.last_at.0));
                    }
                    Window::Gap(gap) => {
                        assert!(before.is_none_or(|last| last + options.length_ms == gap.from.0));
                        assert!(gap.from < gap.to && times.contains(&gap.to.0));
                    }
                }
            }
            assert_eq!(blocks, expected, "{floor_to_hour} {span:?}");
        }
    });
}

#[test]
fn a_stated_end_of_a_limit_is_the_end_of_a_window() {
    let bench = Bench::new();
    let mut store = bench.open();
    let hours = |hours: i64| hours * 3_600_000;
    let records = [-2, 1, 4, 7].map(|at| claim(&format!("msg_{at}"), None, hours(at) + 600_000, 5)).to_vec();
    let stated = UnixMillis(NOON + hours(5) + 1_800_000);
    let batch = SourceBatch { records, limit_reset_at: Some(stated), ..SourceBatch::default() };
    store.commit(&[("claude", SourceMessage::Batch(Box::new(batch)))], UnixMillis(NOON)).unwrap();
    let answer =
        Readers::new(store.path()).blocks(Span::ALL, UnixMillis(NOON + hours(8)), BlockOptions::default()).unwrap();
    let blocks: Vec<_> = answer
        .windows
        .iter()
        .map(|window| match window {
            Window::Block(block) => (block.start.0 - NOON, block.end.0 - NOON, block.is_stated, block.is_active),
            Window::Gap(gap) => panic!("{gap:?}"),
        })
        .collect();
    let half = 1_800_000;
    let expected = [
        (hours(-2), hours(0) + half, false, false),
        (hours(0) + half, hours(5) + half, true, false),
        (hours(7), hours(12), false, true),
    ];
    assert_eq!(blocks, expected);
    assert_eq!(answer.limit_reset_at, Some(stated));
}
