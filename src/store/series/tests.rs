use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::Connection;

use super::super::tests::{Bench, NOON, any_claim, claim};
use crate::event::{Tally, TokenCounts, UnixMillis, UsageRecord};
use crate::hub::{SIZES, Snapshot, Wishes, size_class};
use crate::store::Store;

/// A response of a project that has used so many tokens of output.
fn of(project: &str, id: u64, output: u64) -> UsageRecord {
    let mut record = claim(&format!("msg_{project}_{id}"), Some(&format!("req_{id}")), 0, output);
    record.owner.project = project.into();
    record.owner.session = format!("session-{project}").into();
    record
}

fn wishes(projects: usize) -> Wishes {
    Wishes { projects, sessions: true }
}

/// What a series of each project shows, in the order of places, and what the rest shows.
fn outputs(store: &Store) -> (Vec<(String, u64)>, u64) {
    let snapshot = store.snapshot().unwrap();
    let placed = snapshot.projects.placed.iter();
    (
        placed.map(|(name, tally)| (name.to_string(), tally.tokens.output)).collect(),
        snapshot.projects.rest.tokens.output,
    )
}

fn placed(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(name, output)| ((*name).to_owned(), *output)).collect()
}

#[test]
fn places_go_to_the_largest_and_are_kept() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![of("/a", 1, 1), of("/b", 1, 20), of("/c", 1, 300), of("/d", 1, 4)]);
    let now = UnixMillis(NOON);
    store.settle(wishes(2), now).unwrap();
    assert_eq!(outputs(&store), (placed(&[("/c", 300), ("/b", 20)]), 5));

    bench.commit(&mut store, vec![of("/a", 2, 50_000), of("/e", 1, 7), of("/b", 2, 1)]);
    let after = (placed(&[("/c", 300), ("/b", 21)]), 50_012);
    assert_eq!(outputs(&store), after, "/a is the largest by now and stays where it was counted first");
    assert_eq!(store.snapshot().unwrap().projects.others, 3);

    drop(store);
    let mut store = bench.open();
    store.settle(wishes(2), now).unwrap();
    assert_eq!(outputs(&store), after);
}

#[test]
fn more_places_start_at_nothing_and_fewer_move_nothing() {
    let bench = Bench::new();
    let mut store = bench.open();
    let now = UnixMillis(NOON);
    bench.commit(&mut store, vec![of("/a", 1, 1), of("/b", 1, 20), of("/c", 1, 300)]);
    store.settle(wishes(1), now).unwrap();
    assert_eq!(outputs(&store), (placed(&[("/c", 300)]), 21));

    store.settle(wishes(3), now).unwrap();
    bench.commit(&mut store, vec![of("/b", 2, 5)]);
    assert_eq!(outputs(&store), (placed(&[("/c", 300), ("/b", 5), ("/a", 0)]), 21), "what was shown as the rest stays");

    store.settle(wishes(1), now).unwrap();
    bench.commit(&mut store, vec![of("/b", 3, 7), of("/c", 2, 1)]);
    assert_eq!(outputs(&store), (placed(&[("/c", 301)]), 28), "the rest grows by what is new alone");
}

#[test]
fn a_newcomer_takes_a_free_place_with_all_it_has() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![of("/a", 1, 1)]);
    store.settle(wishes(5), UnixMillis(NOON)).unwrap();
    bench.commit(&mut store, vec![of("/b", 1, 20), of("/c", 1, 300), of("/b", 2, 1)]);
    assert_eq!(outputs(&store), (placed(&[("/a", 1), ("/b", 21), ("/c", 300)]), 0), "the one with more tokens first");
}

#[test]
fn projects_that_nobody_shows_are_shown_whole_when_somebody_does() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![of("/a", 1, 1), of("/b", 1, 20)]);
    store.settle(wishes(0), UnixMillis(NOON)).unwrap();
    bench.commit(&mut store, vec![of("/c", 1, 300)]);
    assert_eq!(outputs(&store), (Vec::new(), 0));
    store.settle(wishes(2), UnixMillis(NOON)).unwrap();
    assert_eq!(outputs(&store), (placed(&[("/c", 300), ("/b", 20)]), 1));
}

#[test]
fn a_correction_lowers_no_bucket() {
    let bench = Bench::new();
    let mut store = bench.open();
    store.settle(wishes(1), UnixMillis(NOON)).unwrap();
    let up_to = |store: &Store| store.snapshot().unwrap().request_sizes[1].up_to;
    bench.commit(&mut store, vec![of("/a", 1, 90)]);
    assert_eq!(up_to(&store), [1; SIZES]);
    bench.commit(&mut store, vec![of("/a", 1, 700), of("/a", 2, 80)]);
    let mut expected = [2; SIZES];
    expected[..3].copy_from_slice(&[1, 1, 1]);
    assert_eq!(up_to(&store), expected, "one is larger than it seemed, another is small: at its highest it was one");
    let exemplars = &store.snapshot().unwrap().request_sizes[1].exemplars;
    assert_eq!(exemplars[3].as_ref().map(|exemplar| exemplar.tokens), Some(700));
}

#[test]
fn only_so_many_models_have_a_place_and_for_good() {
    let bench = Bench::new();
    let mut store = bench.open();
    let models = |range: std::ops::Range<u64>, output: u64| {
        range
            .map(|n| {
                let mut record = of("/a", n, output + n);
                record.usage.model = format!("model-{n}").into();
                record
            })
            .collect::<Vec<_>>()
    };
    bench.commit(&mut store, models(0..102, 0));
    store.settle(wishes(1), UnixMillis(NOON)).unwrap();
    let first = store.snapshot().unwrap().model_places;
    assert!(first.len() == 100 && !first.contains("model-0") && !first.contains("model-1"), "{first:?}");
    bench.commit(&mut store, models(200..203, 1_000_000));
    drop(store);
    let mut store = bench.open();
    store.settle(wishes(1), UnixMillis(NOON)).unwrap();
    assert_eq!(store.snapshot().unwrap().model_places, first);
}

#[test]
fn a_history_of_the_former_format_has_the_same_sums() {
    let bench = Bench::new();
    let mut store = bench.open();
    let projects = ["/a", "/b", "/c"].into_iter().cycle();
    bench.commit(&mut store, projects.zip(0..40).map(|(project, n)| of(project, n, n * n * 97)).collect());
    let fresh = shown(&mut store);
    drop(store);
    // The former format, and what the migration makes of it.
    let db = Connection::open(&bench.options.path).unwrap();
    db.execute_batch(
        "DROP TABLE project_series; DROP TABLE model_place; DROP TABLE request_size;
         DELETE FROM meta WHERE key = 'unfinished'",
    )
    .unwrap();
    db.execute_batch(include_str!("../migrations/0005_series.sql")).unwrap();
    drop(db);
    assert_eq!(shown(&mut bench.open()), fresh);
}

/// Everything that a settled store shows of what this module keeps, in words.
fn shown(store: &mut Store) -> String {
    store.settle(wishes(2), UnixMillis(NOON)).unwrap();
    let Snapshot { projects, model_places, request_sizes, spend, active_sessions, unfinished, .. } =
        store.snapshot().unwrap();
    let sizes = request_sizes.each_ref().map(|sizes| (sizes.up_to, sizes.tokens));
    format!("{projects:?}\n{model_places:?}\n{sizes:?}\n{spend:?}\n{active_sessions:?}\n{unfinished}")
}

/// Sums of the responses themselves.
struct Recount {
    tokens: u64,
    sessions: BTreeMap<String, Tally>,
    sizes: [[u64; SIZES]; 2],
    unfinished: u64,
}

fn recounted(store: &Store) -> Recount {
    let mut statement = store
        .db
        .prepare(
            "SELECT s.text, input, output, r.cache_write_5m, r.cache_write_1h, cache_read, flags >> 18 & 1
             FROM response r JOIN word s ON s.id = session",
        )
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut recount = Recount { tokens: 0, sessions: BTreeMap::new(), sizes: [[0; SIZES]; 2], unfinished: 0 };
    while let Some(row) = rows.next().unwrap() {
        let number = |place: usize| row.get::<_, i64>(place).unwrap().unsigned_abs();
        let tokens = TokenCounts {
            input: number(1),
            output: number(2),
            cache_write_5m: number(3),
            cache_write_1h: number(4),
            cache_read: number(5),
        };
        let tally = Tally { tokens, requests: 1, ..Tally::default() };
        recount.tokens += tokens.total();
        recount.sessions.entry(row.get(0).unwrap()).or_default().add(&tally);
        recount.sizes[0][size_class(tokens.prompt())] += 1;
        recount.sizes[1][size_class(tokens.output)] += 1;
        recount.unfinished += 1 - number(6);
    }
    recount
}

/// No number of `later` is below that of `earlier`.
fn nothing_fell(earlier: &Snapshot, later: &Snapshot) {
    let parts = |tally: &Tally| {
        let TokenCounts { input, output, cache_write_5m, cache_write_1h, cache_read } = tally.tokens;
        [
            i128::from(input),
            output.into(),
            cache_write_5m.into(),
            cache_write_1h.into(),
            cache_read.into(),
            tally.requests.into(),
            tally.cost.0,
            tally.unpriced_tokens.into(),
        ]
    };
    let all = |snapshot: &Snapshot| {
        let placed = snapshot.projects.placed.iter().map(|(name, tally)| (name.to_string(), parts(tally)));
        placed.chain([("the rest".to_owned(), parts(&snapshot.projects.rest))]).collect::<BTreeMap<_, _>>()
    };
    let later_parts = all(later);
    for (name, before) in all(earlier) {
        let after = later_parts[&name];
        assert!(before.iter().zip(after).all(|(before, after)| *before <= after), "{name}: {before:?} {after:?}");
    }
    for (before, after) in earlier.request_sizes.iter().zip(later.request_sizes.iter()) {
        assert!(before.tokens <= after.tokens && before.up_to.iter().zip(after.up_to).all(|(b, a)| *b <= a));
        assert!(after.up_to.is_sorted(), "{:?}", after.up_to);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever comes in whatever order, with restarts: no series falls, all that is exact is what a recount gives, and
    /// as long as nothing is moved by a correction the series add up to the whole.
    #[test]
    fn s3_series_never_fall_and_are_exact_underneath(
        claims in proptest::collection::vec(any_claim(), 1..20),
        first in 0..20_usize,
        places in 1..3_usize,
        restart in any::<bool>(),
    ) {
        let bench = Bench::new();
        let mut store = bench.open();
        let (before, live) = claims.split_at(first.min(claims.len()));
        bench.commit(&mut store, before.to_vec());
        store.settle(wishes(places), UnixMillis(NOON)).unwrap();
        let mut last = store.snapshot().unwrap();
        for record in live {
            bench.commit(&mut store, vec![record.clone()]);
            if restart {
                drop(store);
                store = bench.open();
                store.settle(wishes(places), UnixMillis(NOON)).unwrap();
            }
            let now = store.snapshot().unwrap();
            nothing_fell(&last, &now);
            last = now;
        }
        let Recount { tokens, sessions, sizes, unfinished } = recounted(&store);
        let exact: i64 = store.db.query_row(
            "SELECT sum(input + output + cache_write_5m + cache_write_1h + cache_read) FROM project_series
             WHERE project = 0 OR place IS NOT NULL", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(exact.unsigned_abs(), tokens);
        let classes: Vec<(i64, i64)> = store.db
            .prepare("SELECT direction, responses FROM request_size WHERE responses != 0 ORDER BY direction, up_to")
            .unwrap().query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
        let expected: Vec<(i64, i64)> = sizes.iter().zip(0..).flat_map(|(counts, direction)| {
            counts.iter().filter(|count| **count > 0).map(move |count| (direction, count.cast_signed()))
        }).collect();
        prop_assert_eq!(classes, expected);
        prop_assert_eq!(last.unfinished, unfinished);
        let followed: BTreeMap<String, TokenCounts> = last.active_sessions.iter().map(|session| {
            let mut sum = Tally::default();
            session.parts.iter().for_each(|part| sum.add(&part.tally));
            (session.session.to_string(), sum.tokens)
        }).filter(|(_, tokens)| tokens.total() > 0).collect();
        // Those that were active within the time that sessions are held for.
        for (name, tokens) in followed {
            prop_assert_eq!(tokens, sessions[&name].tokens, "{}", name);
        }
        // What claims to be of the day after tomorrow is left out.
        let spent: i64 = store.db.query_row(
            "SELECT coalesce(sum(cost), 0) FROM rollup WHERE quarter * 900000 <= ?1",
            [NOON + 3_600_000 + UnixMillis::DAY], |row| row.get(0)).unwrap();
        prop_assert_eq!(last.spend.since(UnixMillis(0)).0, i128::from(spent));
    }
}
