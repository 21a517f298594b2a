//! How much of the history a question touches, counted in steps of SQLite's virtual machine: unlike seconds they are the
//! same every time. That the answers are right is shown in `store/tests`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::cut::{between, cut};
use super::filter::Resolved;
use super::walk::{Ends, walk};
use super::*;
use crate::pricing::PriceTable;
use crate::store::rollups::SIZES;
use crate::store::tests::{Bench, claim};

const RESPONSES: i64 = 20_000;
/// One every five minutes.
const PACE: i64 = 300_000;

/// Runs a question and gives the steps it took, in hundreds.
fn steps<T>(path: &Path, question: impl FnOnce(&Connection, &mut Dictionary) -> Result<T, StoreError>) -> u64 {
    let mut db = Connection::open(path).unwrap();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    db.progress_handler(
        100,
        Some(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            false
        }),
    )
    .unwrap();
    question(&db, &mut Dictionary::default()).unwrap();
    count.load(Ordering::Relaxed)
}

#[test]
fn no_question_looks_at_every_response() {
    let bench = Bench::new();
    let mut store = bench.open();
    let claims = |from: i64| {
        (from..from + 2_000).map(|n| {
            let mut record = claim(&format!("msg_{n}"), Some(&format!("req_{n}")), n * PACE, 5);
            record.owner.session = format!("session-{}", n / 40).into();
            record.owner.project = format!("/work/{}", n / 40 % 7).into();
            record
        })
    };
    (0..RESPONSES / 2_000).for_each(|step| drop(bench.commit(&mut store, claims(step * 2_000).collect())));
    let db = store.path();
    let reading = Connection::open(db).unwrap();
    let scan = steps(db, |db, _| counted(db, "SELECT count(*) FROM response WHERE searches IS NULL", []));
    let all = Resolved::default();
    let of = |filter: Filter| Resolved::of(&reading, &filter).unwrap().unwrap();
    let session = of(Filter { sessions: vec!["session-300".into()], ..Filter::default() });
    let project = of(Filter { projects: vec!["/work/3".into()], ..Filter::default() });
    let page = |filter: &Resolved, order, skip| {
        steps(db, |db, words| walk(db, words, (Span::ALL, filter), order, (None, skip), 100))
    };
    let start = UnixMillis(crate::store::tests::NOON);
    let day = Span { from: UnixMillis(start.0 + 12_345), to: UnixMillis(start.0 + UnixMillis::DAY + 98_765) };
    let last = RESPONSES.unsigned_abs() - 100;
    for (what, taken, share) in [
        ("the first page", page(&all, Order::Newest, 0), 20),
        ("the last page", page(&all, Order::Newest, last), 10),
        ("a page in the middle", page(&all, Order::Oldest, last / 2), 5),
        ("a session's page", page(&session, Order::Oldest, 0), 20),
        ("a project's last page", page(&project, Order::Newest, last / 7), 10),
        ("a project's first page", page(&project, Order::Newest, 0), 10),
        ("the sums of a day", steps(db, |db, words| between(db, words, day.bounds(), &all, &[dim::CARD])), 50),
        ("all sums", steps(db, |db, words| between(db, words, Span::ALL.bounds(), &all, &[dim::CARD])), 50),
        (
            "days in a zone",
            steps(db, |db, words| {
                let bounds: Vec<i64> = (0..30).map(|n| start.0 + n * UnixMillis::DAY + 5 * 3_600_000).collect();
                cut(db, words, &bounds, &all, &[dim::MODEL, dim::CARD])
            }),
            10,
        ),
        (
            "the sums of a session",
            steps(db, |db, words| between(db, words, Span::ALL.bounds(), &session, &[dim::MODEL])),
            50,
        ),
        (
            "the ends of a session",
            steps(db, |db, _| {
                let ends = Ends::of(db, &session, Span::ALL)?;
                Ok((ends.first()?, ends.last()?))
            }),
            20,
        ),
        (
            "a session's agents",
            steps(db, |db, words| super::agents::counted(db, words, 1, " AND agent IS NOT NULL")),
            50,
        ),
    ] {
        assert!(taken * share < scan, "{what} took {taken} of {scan}");
    }
}

#[test]
fn the_sizes_of_prompts_are_the_thresholds_of_the_price_table() {
    for row in PriceTable::builtin().rows() {
        if let Some(long) = &row.long_context {
            assert!(SIZES.contains(&long.threshold), "{} has a threshold of {}", row.model, long.threshold);
        }
    }
}
