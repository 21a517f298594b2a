//! The promises of the history, each by name.

mod answers;
mod truth;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::clock::Clock;
use crate::event::{
    GroupId, Owner, RecordKey, ResponseKind, TokenCounts, UnixMillis, Usage, UsageFlags, UsageRecord, Variant, WebUse,
};
use crate::plugin::{Checkpoint, SourceBatch, SourceMessage};
use crate::pricing::PriceTable;
use crate::status::{LineTally, SkipReason};

/// 2026-11-20T12:00:00Z
pub(super) const NOON: i64 = 1_795_176_000_000;

pub(super) struct Bench {
    pub(super) directory: tempfile::TempDir,
    pub(super) options: OpenOptions,
}

impl Bench {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            path: directory.path().join("monitor.db"),
            backups: directory.path().join("backups"),
            clock: Clock::fixed(UnixMillis(NOON + 3_600_000)),
        };
        Self { directory, options }
    }

    pub(super) fn open(&self) -> Store {
        self.try_open().unwrap().store
    }

    fn try_open(&self) -> Result<Opened, StoreError> {
        Store::open(&self.options, Arc::new(PriceTable::builtin()))
    }

    pub(super) fn commit(&self, store: &mut Store, records: Vec<UsageRecord>) -> Committed {
        let tally = LineTally { claims: records.len() as u64, ..LineTally::default() };
        let batch = SourceBatch { records, tally, ..SourceBatch::default() };
        store.commit(&[("claude", SourceMessage::Batch(Box::new(batch)))], self.options.clock.now()).unwrap()
    }
}

/// A claim about response `id`, made at `at` ms after noon.
pub(super) fn claim(id: &str, request: Option<&str>, at: i64, output: u64) -> UsageRecord {
    let group = GroupId::of(&[b"claude", b"m", id.as_bytes()]);
    let request: Option<Arc<str>> = request.map(Into::into);
    UsageRecord {
        key: RecordKey { group, variant: request.clone().map_or(Variant::Floating, Variant::Anchored) },
        usage: Usage {
            kind: ResponseKind::Message,
            at: UnixMillis(NOON + at),
            model: "claude-sonnet-4-5-20250929".into(),
            tokens: TokenCounts { input: 10, output, cache_write_5m: 100, cache_write_1h: 0, cache_read: 1_000 },
            has_split: true,
            finished: false,
            web: None,
            speed: None,
            tier: None,
            geo: None,
            request_id: request,
            flags: UsageFlags::default(),
        },
        first_at: UnixMillis(NOON + at),
        owner: Owner {
            sidechain: false,
            at: UnixMillis(NOON + at),
            away: false,
            session: "session-1".into(),
            project: "/work/shop".into(),
            branch: Some("main".into()),
            agent: None,
        },
        fills: Vec::new(),
    }
}

/// Everything that the history says, with names for numbers and without revisions, which tell the order of arrival.
fn contents(store: &Store) -> Vec<String> {
    const CARD: &str =
        "(SELECT c.model || c.effective_date || c.long_context || c.fast || c.us || c.input || ' ' || c.output
                         FROM card c WHERE c.id = t.card)";
    let dump = |sql: &str| -> Vec<String> {
        let mut statement = store.db.prepare(sql).unwrap();
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..width).map(|column| row.get::<_, rusqlite::types::Value>(column)).collect::<Result<Vec<_>, _>>()
        });
        rows.unwrap().map(|row| format!("{:?}", row.unwrap())).collect()
    };
    let mut all = dump(
        "SELECT hex(r.id), r.at, m.text, s.text, p.text, b.text, a.text, input, output, cache_write_5m, cache_write_1h,
             cache_read, searches, fetches, sp.text, t.text, g.text, request_id,
             (SELECT model || effective_date || input || ' ' || output FROM card WHERE card.id = r.card),
             flags & 0x7fffff, usage_after, owner_after, fills
         FROM response r JOIN word m ON m.id = r.model JOIN word s ON s.id = r.session JOIN word p ON p.id = r.project
         LEFT JOIN word b ON b.id = r.branch LEFT JOIN word a ON a.id = r.agent LEFT JOIN word sp ON sp.id = r.speed
         LEFT JOIN word t ON t.id = r.tier LEFT JOIN word g ON g.id = r.geo ORDER BY r.id",
    );
    for (table, unit, full) in [
        ("rollup", "quarter", true),
        ("rollup_day", "day", true),
        ("model_hour", "hour", false),
        ("model_day", "day", false),
    ] {
        let names = "(SELECT text FROM word WHERE id = session), (SELECT text FROM word WHERE id = project),
                     (SELECT text FROM word WHERE id = branch), ";
        let mut rows = dump(&format!(
            "SELECT '{table}', {unit}, {} (SELECT text FROM word WHERE id = t.model), sidechain,
                 (SELECT text FROM word WHERE id = source), {CARD}, size, requests, t.input, t.output,
                 t.cache_write_5m, t.cache_write_1h, t.cache_read, searches, cost, unpriced_tokens
             FROM {table} t",
            if full { names } else { "" }
        ));
        rows.sort();
        all.extend(rows);
    }
    for table in ["sum_quarter", "sum_hour", "sum_day"] {
        all.extend(dump(&format!("SELECT '{table}', * FROM {table} ORDER BY 2")));
    }
    all.extend(dump(
        "SELECT m.text, sidechain, requests, input, output, cache_write_5m, cache_write_1h, cache_read, searches, cost,
             unpriced_tokens FROM series JOIN word m ON m.id = model WHERE requests > 0 ORDER BY 1, 2",
    ));
    all.extend(dump("SELECT s.text, day, requests FROM session_day JOIN word s ON s.id = session ORDER BY 1, 2"));
    all.extend(dump("SELECT hex(message), name, record FROM variant ORDER BY 1, 2"));
    all
}

/// Rollups and series are what summing the responses gives.
fn sums_agree(store: &Store) {
    let sums = "sum(input), sum(output), sum(cache_write_5m), sum(cache_write_1h), sum(cache_read)";
    for (table, count) in [("rollup", "sum(requests)"), ("series", "sum(requests)"), ("response", "count(*)")] {
        let line: String = store
            .db
            .query_row(
                &format!("SELECT format('%s', json_array({count}, {sums})) FROM {table}").replace("NULL", "0"),
                [],
                |row| row.get(0),
            )
            .unwrap();
        let whole: String = store
            .db
            .query_row(&format!("SELECT json_array(count(*), {sums}) FROM response"), [], |row| row.get(0))
            .unwrap();
        if whole != "[0,null,null,null,null,null]" {
            assert_eq!(line, whole, "{table}");
        }
    }
    let by_rows: f64 =
        store.db.query_row("SELECT coalesce(total(total_cost), 0) FROM token_usage", [], |r| r.get(0)).unwrap();
    let by_sums: f64 = store.db.query_row("SELECT total(cost) / 1e12 FROM rollup", [], |row| row.get(0)).unwrap();
    assert!((by_rows - by_sums).abs() < 1e-9, "{by_rows} {by_sums}");
}

#[test]
fn growing_lines_are_one_response_at_its_first_time() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 1)]);
    let committed = bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 5_000, 412)]);
    let snapshot = store.snapshot().unwrap();
    assert_eq!((snapshot.totals.requests, snapshot.totals.tokens.output, snapshot.revision), (1, 412, 2));
    let changes = committed.changes.unwrap();
    let [change] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(change.before.as_ref().unwrap().tokens.output, 1);
    assert_eq!(change.after.as_ref().unwrap().tokens.output, 412);
    assert_eq!(change.after.as_ref().unwrap().at, UnixMillis(NOON));
    sums_agree(&store);
}

#[test]
fn a_repeated_claim_changes_nothing() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 7)]);
    let before = store.snapshot().unwrap();
    let committed = bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 7)]);
    assert_eq!(committed.changes.unwrap(), []);
    assert_eq!(store.snapshot().unwrap().revision, before.revision);
    assert_eq!(store.snapshot().unwrap().ingest.by_source["claude"].duplicates, 1);
}

#[test]
fn positions_and_rows_are_one_transaction() {
    let bench = Bench::new();
    let mut store = bench.open();
    let checkpoint =
        Checkpoint { path: b"/x/\xff.jsonl".to_vec(), offset: 10, size: 12, inode: u64::MAX, ..Checkpoint::default() };
    let batch = SourceBatch {
        records: vec![claim("msg_1", Some("req_1"), 0, 7)],
        checkpoint: Some(checkpoint.clone()),
        ..SourceBatch::default()
    };
    let message = SourceMessage::Batch(Box::new(batch.clone()));
    store.commit(&[("claude", message)], UnixMillis(NOON)).unwrap();
    assert_eq!(store.checkpoints("claude").unwrap(), std::slice::from_ref(&checkpoint));

    // A number that the file cannot hold fails the whole batch, rows and position.
    let mut beyond = claim("msg_2", Some("req_2"), 0, 7);
    beyond.usage.tokens.input = u64::MAX;
    let moved = Checkpoint { offset: 11, ..checkpoint.clone() };
    let batch =
        SourceBatch { records: vec![claim("msg_3", Some("req_3"), 0, 7), beyond], checkpoint: Some(moved), ..batch };
    store.commit(&[("claude", SourceMessage::Batch(Box::new(batch)))], UnixMillis(NOON)).unwrap_err();
    assert_eq!(store.checkpoints("claude").unwrap(), [checkpoint]);
    assert_eq!(store.snapshot().unwrap().totals.requests, 1);
    // And what was remembered meanwhile is forgotten with it.
    bench.commit(&mut store, vec![claim("msg_3", Some("req_3"), 0, 7)]);
    sums_agree(&store);
}

#[test]
fn a_counter_never_falls_when_a_correction_lowers_a_sum() {
    let bench = Bench::new();
    let mut store = bench.open();
    let mut bare = claim("msg_1", Some("req_1"), 0, 5);
    bare.usage.tokens = TokenCounts { input: 10_000, output: 5, ..TokenCounts::default() };
    bench.commit(&mut store, vec![bare]);
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 10, 50)]);
    let key = ("claude-sonnet-4-5-20250929".into(), crate::event::QuerySource::Main);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.totals.tokens.input, 10, "the history is exact");
    assert_eq!(snapshot.series[&key].tokens.input, 10_000, "the counter stays");
    drop(store);
    let snapshot = bench.open().snapshot().unwrap();
    assert_eq!(snapshot.series[&key].tokens.input, 10_000, "over a restart, too");
}

#[test]
fn a_gateway_with_a_constant_id_is_told_apart_in_any_order() {
    let bench = Bench::new();
    let mut store = bench.open();
    let mut second = claim("const", Some("req_2"), -1_000, 9);
    second.usage.tokens.input = 999;
    bench.commit(&mut store, vec![claim("const", Some("req_1"), 0, 7)]);
    bench.commit(&mut store, vec![second]);
    assert_eq!(store.snapshot().unwrap().totals.requests, 2);
    // A replay of the first under a third request is no new response.
    bench.commit(&mut store, vec![claim("const", Some("req_3"), 50, 7)]);
    assert_eq!(store.snapshot().unwrap().totals.requests, 2);
    sums_agree(&store);
}

#[test]
fn the_log_gives_what_a_reader_saw_before() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 1), claim("msg_2", Some("req_2"), 0, 2)]);
    let seen = store.snapshot().unwrap().revision;
    store.move_cursor("webhook", seen).unwrap();
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 10, 20)]);
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 20, 300)]);
    bench.commit(&mut store, vec![claim("msg_3", Some("req_3"), 30, 4)]);
    let outputs = |changes: &[crate::event::Change]| -> Vec<(Option<u64>, Option<u64>)> {
        let output = |event: &Option<crate::event::Event>| event.as_ref().map(|event| event.tokens.output);
        changes.iter().map(|change| (output(&change.before), output(&change.after))).collect()
    };
    let readers = Readers::new(store.path());
    let late = readers.changes_after(seen, 10).unwrap();
    assert_eq!(outputs(&late), [(Some(1), Some(300)), (None, Some(4))]);
    let fresh = readers.changes_after(0, 10).unwrap();
    assert_eq!(outputs(&fresh), [(None, Some(2)), (None, Some(300)), (None, Some(4))]);
    assert!(late.is_sorted_by_key(|change| change.revision));
}

#[test]
fn days_are_cut_in_the_zone_asked_for() {
    let bench = Bench::new();
    let mut store = bench.open();
    // 2026-11-20T18:20Z is the 21st in Kathmandu (+05:45).
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 6 * 3_600_000 + 20 * 60_000, 5)]);
    let readers = Readers::new(store.path());
    let (from, to) = (jiff::civil::date(2026, 11, 20), jiff::civil::date(2026, 11, 21));
    let outputs = |zone: &str| -> Vec<u64> {
        let zone = jiff::tz::TimeZone::get(zone).unwrap();
        readers.days(from, to, &zone).unwrap().iter().map(|day| day.tally.tokens.output).collect()
    };
    assert_eq!(outputs("UTC"), [5, 0]);
    assert_eq!(outputs("Asia/Kathmandu"), [0, 5]);
    let vienna = jiff::tz::TimeZone::get("Europe/Vienna").unwrap();
    let dst = jiff::civil::date(2026, 10, 25);
    assert_eq!(readers.days(dst, dst, &vienna).unwrap().len(), 1);
}

#[test]
fn estimates_fill_only_days_that_nothing_covers() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 5)]);
    let day = |day: &str, tokens| (day.to_owned(), "claude-opus-4-1".to_owned(), tokens);
    let estimate = crate::plugin::Estimate {
        origin: "/home/ana/.claude/stats-cache.json".to_owned(),
        content_hash: 1,
        last_day: Some("2026-11-21".to_owned()),
        includes_cache: false,
        days: vec![day("2026-10-01", 70), day("2026-11-20", 14), day("2026-11-21", 700)],
        lifetime: vec![("claude-opus-4-1".to_owned(), TokenCounts { input: 9, ..TokenCounts::default() })],
    };
    let covered = SourceMessage::Covered { from: UnixMillis(NOON - UnixMillis::DAY), to: UnixMillis(NOON) };
    let twin = crate::plugin::Estimate { origin: "/elsewhere/stats-cache.json".to_owned(), ..estimate.clone() };
    let messages =
        [("s", SourceMessage::Estimate(estimate)), ("s", SourceMessage::Estimate(twin)), ("claude", covered)];
    store.commit(&messages, UnixMillis(NOON)).unwrap();
    let readers = Readers::new(store.path());
    let of = |day: jiff::civil::Date| readers.days(day, day, &jiff::tz::TimeZone::UTC).unwrap().remove(0);
    assert_eq!(of(jiff::civil::date(2026, 10, 1)).estimate, Some(70));
    let partial = of(jiff::civil::date(2026, 11, 20));
    assert_eq!((partial.partial, partial.estimate), (true, None), "ours is more than theirs");
    // Of this day of theirs ours is all in the next day of somebody else.
    let east = jiff::tz::TimeZone::get("Pacific/Kiritimati").unwrap();
    let day = jiff::civil::date(2026, 11, 20);
    let elsewhere = readers.days(day, day, &east).unwrap().remove(0);
    assert_eq!((elsewhere.tally.requests, elsewhere.estimate), (0, None), "the same whoever asks");
    assert_eq!(of(jiff::civil::date(2026, 11, 21)).estimate, Some(700));
    let covered = of(jiff::civil::date(2026, 11, 19));
    assert!(!covered.partial || covered.estimate.is_none());
    assert_eq!(store.snapshot().unwrap().totals.requests, 1, "never added to what is counted");
    assert_eq!(store.snapshot().unwrap().estimates["claude-opus-4-1"].input, 9, "the same file twice counts once");
}

#[test]
fn d18_retention_removes_detail_for_good_and_no_sum() {
    let bench = Bench::new();
    let mut store = bench.open();
    let old = claim("msg_old", Some("req_1"), -400 * UnixMillis::DAY, 5);
    bench.commit(&mut store, vec![old.clone(), claim("msg_new", Some("req_2"), 0, 7)]);
    let before = store.snapshot().unwrap();
    let now = bench.options.clock.now();
    let foretold = Readers::new(store.path()).foretell_prune(365, now).unwrap();
    assert_eq!(Readers::new(store.path()).facts().unwrap().responses, 2, "and does nothing");
    assert_eq!(store.prune(365, now).unwrap(), foretold);
    assert_eq!(foretold.responses, 1);
    // The transcript is read again.
    bench.commit(&mut store, vec![old.clone()]);
    let after = store.snapshot().unwrap();
    assert_eq!(after.totals, before.totals);
    assert_eq!(after.series, before.series);
    assert_eq!(after.ingest.by_source["claude"].below_retention, 1);
    assert_eq!(Readers::new(store.path()).facts().unwrap().responses, 1);
    drop(store);
    let mut store = bench.open();
    bench.commit(&mut store, vec![old]);
    assert_eq!(store.snapshot().unwrap().totals, before.totals, "over a restart, too");
}

#[test]
fn d17_retention_does_not_trust_a_clock_that_runs_ahead() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 5)]);
    let report = store.prune(365, UnixMillis(NOON + 4_000 * UnixMillis::DAY)).unwrap();
    assert_eq!(report.responses, 0);
}

#[test]
fn retention_keeps_what_a_delivery_has_not_sent() {
    let bench = Bench::new();
    let mut store = bench.open();
    let old = |id: &str| claim(id, Some("req"), -400 * UnixMillis::DAY, 5);
    bench.commit(&mut store, vec![old("msg_1"), old("msg_2"), claim("msg_3", None, 0, 5)]);
    store.move_cursor("otlp", 1).unwrap();
    let report = store.prune(365, bench.options.clock.now()).unwrap();
    assert_eq!((report.responses, report.held), (1, 1));
}

#[test]
fn repricing_corrects_the_history_and_lowers_no_counter() {
    let bench = Bench::new();
    let mut store = bench.open();
    let mut unknown = claim("msg_2", Some("req_2"), 0, 10);
    unknown.usage.model = "glm-5-air".into();
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 1_000), unknown]);
    let before = store.snapshot().unwrap();
    assert_eq!(before.totals.unpriced_tokens, 1_120);
    drop(store);
    let rows: Vec<crate::pricing::PriceRow> = toml::from_str::<std::collections::BTreeMap<String, _>>(
        r#"prices = [
            { model = "claude-sonnet-4-5", input = 1, output = 1, cache_write_5m = 1, cache_write_1h = 1, cache_read = 1 },
            { model = "glm-5-air", input = 1, output = 1, cache_write_5m = 1, cache_write_1h = 1, cache_read = 1 },
        ]"#,
    )
    .unwrap()
    .remove("prices")
    .unwrap();
    let cheaper = Arc::new(PriceTable::builtin().with_overrides(&rows).unwrap());
    let mut store = Store::open(&bench.options, cheaper).unwrap().store;
    assert_eq!(store.snapshot().unwrap().totals.cost, before.totals.cost, "never behind anybody's back");
    let dry = store.reprice(true).unwrap();
    assert_eq!((dry.responses, dry.changed), (2, 2));
    assert_eq!(store.snapshot().unwrap().totals.cost, before.totals.cost, "a dry run changes nothing");
    assert_eq!(store.reprice(false).unwrap(), dry);
    let after = store.snapshot().unwrap();
    assert_eq!(after.totals.cost.0, (2_110 + 1_120) * 1_000_000);
    assert_eq!(after.totals.unpriced_tokens, 0);
    for (key, shown) in &before.series {
        assert!(after.series[key].cost >= shown.cost, "{key:?}");
    }
    sums_agree(&store);
}

#[test]
fn a_second_writer_is_refused_and_named() {
    let bench = Bench::new();
    let _store = bench.open();
    match bench.try_open().map(|_| ()) {
        Err(StoreError::Locked { holder, .. }) => assert_eq!(holder, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_foreign_and_a_newer_file_are_refused_untouched() {
    for sql in ["CREATE TABLE recipes (name TEXT)", "PRAGMA application_id = 1129598257; PRAGMA user_version = 99"] {
        let bench = Bench::new();
        Connection::open(&bench.options.path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&bench.options.path).unwrap();
        let error = bench.try_open().map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. } | StoreError::Newer { .. }), "{error}");
        assert_eq!(std::fs::read(&bench.options.path).unwrap(), before);
    }
}

#[test]
fn d15_damage_is_put_aside_and_the_newest_good_backup_takes_its_place() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.clear(),
        |bytes| bytes.truncate(5_000),
        |bytes| bytes[4096..4112].fill(0),
        |bytes| bytes[..16].fill(b'x'),
    ];
    for (case, damage) in damages.into_iter().enumerate() {
        let bench = Bench::new();
        let mut store = bench.open();
        bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 5)]);
        store.back_up(UnixMillis(NOON), 3).unwrap();
        bench.commit(&mut store, vec![claim("msg_2", Some("req_2"), 0, 5)]);
        drop(store);
        let mut bytes = std::fs::read(&bench.options.path).unwrap();
        damage(&mut bytes);
        std::fs::write(&bench.options.path, &bytes).unwrap();
        let opened = bench.try_open().unwrap();
        let recovery = opened.recovery.unwrap_or_else(|| panic!("case {case} was not noticed"));
        assert_eq!(std::fs::read(&recovery.kept_as).unwrap(), bytes, "case {case}: kept as it was");
        let mut store = opened.store;
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.totals.requests, 1, "case {case}: the backup's state");
        assert!(snapshot.troubles.contains_key("database_recovered"));
        bench.commit(&mut store, vec![claim("msg_2", Some("req_2"), 0, 5)]);
        assert!(store.acknowledge().unwrap());
        drop(store);
        let opened = bench.try_open().unwrap();
        assert_eq!(opened.recovery, None, "case {case}: no loop");
        assert_eq!(opened.store.snapshot().unwrap().totals.requests, 2);
        assert!(opened.store.snapshot().unwrap().troubles.is_empty());
    }
}

#[test]
fn d15_damage_without_a_backup_begins_a_new_history_and_says_so() {
    let bench = Bench::new();
    bench.commit(&mut bench.open(), vec![claim("msg_1", Some("req_1"), 0, 5)]);
    std::fs::write(&bench.options.path, b"").unwrap();
    let opened = bench.try_open().unwrap();
    assert_eq!(opened.recovery.unwrap().restored_from, None);
    assert!(opened.store.checkpoints("claude").unwrap().is_empty(), "so transcripts are read again");
}

#[test]
fn d19_the_previous_format_is_brought_up_to_date() {
    let bench = Bench::new();
    let mut old = Connection::open(&bench.options.path).unwrap();
    super::open::migrate(&mut old, &bench.options.path, 1).unwrap();
    old.execute_batch("INSERT INTO word (id, text) VALUES (1, 'kept')").unwrap();
    drop(old);
    let store = bench.open();
    let kept: String = store.db.query_row("SELECT text FROM word WHERE id = 1", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, "kept");
    let copy = Connection::open(bench.directory.path().join("monitor.db.format-1")).unwrap();
    let version: i64 = copy.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1, "a copy of the old format was kept");
    drop(store);
    bench.open();
}

#[test]
fn what_nobody_can_have_spent_ends_no_counting() {
    let bench = Bench::new();
    let mut store = bench.open();
    let absurd = |n: u64| {
        let mut record = claim(&format!("msg_{n}"), None, 1_000 * i64::try_from(n).unwrap(), 99_000_000);
        record.usage.model = "claude-opus-4-1-20250805".into();
        record.usage.tokens.input = 99_000_000;
        record.usage.tokens.cache_write_5m = 99_000_000;
        record
    };
    let dollars: i128 = 99 * (15 + 75) + 99 * 18;
    bench.commit(&mut store, (0..2_000).map(absurd).collect());
    let snapshot = store.snapshot().unwrap();
    let fits = i128::from(i64::MAX) / (dollars * 1_000_000_000_000);
    assert!((i128::from(snapshot.totals.requests) - fits).abs() < 50, "{} of {fits}", snapshot.totals.requests);
    let skipped = snapshot.ingest.by_source["claude"].tally.skipped[SkipReason::Implausible as usize];
    assert_eq!(snapshot.totals.requests + skipped, 2_000);

    // A larger claim about one that is in, and a life after all of that.
    let mut more = absurd(3);
    more.usage.tokens.output += 900_000;
    bench.commit(&mut store, vec![more]);
    let mut cheap = claim("msg_cheap", None, 5, 1);
    cheap.usage.model = "of-unknown-price".into();
    bench.commit(&mut store, vec![cheap]);
    assert_eq!(store.snapshot().unwrap().totals.requests, snapshot.totals.requests + 1);
    Readers::new(store.path()).check_everything().unwrap();
    assert_eq!(
        Readers::new(store.path()).sums(Span::ALL, &Filter::default()).unwrap().sums.tally.requests,
        snapshot.totals.requests + 1
    );
    drop(store);
    assert_eq!(bench.open().snapshot().unwrap().totals.requests, snapshot.totals.requests + 1);
}

#[test]
fn d19_the_sums_of_an_older_format_are_carried_over() {
    let bench = Bench::new();
    let mut store = bench.open();
    let mut records = vec![claim("msg_old", Some("req_1"), -400 * UnixMillis::DAY, 5)];
    for n in 0..40 {
        let mut record = claim(&format!("msg_{n}"), None, n * 7_000_000 - 123_456, 5);
        record.owner.session = format!("session-{}", n % 3).into();
        record.owner.branch = (n % 2 == 0).then(|| "main".into());
        record.owner.sidechain = n % 5 == 0;
        record.usage.tokens.input = u64::try_from(n).unwrap() * 10_000;
        record.usage.web = (n % 4 == 0).then_some(WebUse { searches: 3, fetches: 0 });
        record.usage.model = if n % 7 == 0 { "glm-5-air".into() } else { record.usage.model };
        records.push(record);
    }
    // Before 1970 there is nothing, but a clock may say so.
    records.push(claim("msg_odd", None, -NOON - 5, 5));
    bench.commit(&mut store, records);
    store.db.execute("DELETE FROM response WHERE at < ?1 AND at > 0", [NOON - 300 * UnixMillis::DAY]).unwrap();
    let expected = contents(&store);
    let sums = Readers::new(store.path()).sums(Span::ALL, &Filter::default()).unwrap();

    let older = Bench::new();
    let mut old = Connection::open(&older.options.path).unwrap();
    super::open::migrate(&mut old, &older.options.path, 2).unwrap();
    old.execute("ATTACH ?1 AS new", [store.path().to_str().unwrap()]).unwrap();
    for table in ["meta", "word", "card", "response", "variant", "correction", "series", "session_day", "source"] {
        old.execute_batch(&format!("INSERT INTO {table} SELECT * FROM new.{table}")).unwrap();
    }
    // A later step puts it in.
    old.execute("DELETE FROM meta WHERE key = 'unfinished'", []).unwrap();
    old.execute_batch(
        "INSERT INTO rollup SELECT quarter, model, project, sidechain, sum(requests), sum(input), sum(output),
             sum(cache_write_5m), sum(cache_write_1h), sum(cache_read), sum(searches), sum(cost), sum(unpriced_tokens)
         FROM new.rollup GROUP BY 1, 2, 3, 4;
         INSERT INTO rollup SELECT 1, model, project, sidechain, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM new.rollup LIMIT 1;
         DETACH new",
    )
    .unwrap();
    drop(old);
    let migrated = older.open();
    Readers::new(migrated.path()).check_everything().unwrap();
    // What has no row any more is known as far as it was known.
    let lost = |line: &String| line.contains("rollup") && line.contains(&(NOON / 900_000 - 400 * 96).to_string());
    let known = |contents: Vec<String>| -> Vec<String> { contents.into_iter().filter(|line| !lost(line)).collect() };
    let (got, expected) = (contents(&migrated), expected);
    let day = (NOON / 86_400_000 - 400).to_string();
    let same = |all: Vec<String>| -> BTreeSet<String> {
        known(all).into_iter().filter(|line| !(line.contains("rollup") && line.contains(&day))).collect()
    };
    let hours = |all: BTreeSet<String>| -> BTreeSet<String> {
        let old = |line: &String| {
            line.contains("model_")
                && (line.contains(&day) || line.contains(&(NOON / 3_600_000 - 400 * 24).to_string()))
        };
        all.into_iter().filter(|line| !old(line)).collect()
    };
    assert_eq!(hours(same(got)), hours(same(expected)));
    let after = Readers::new(migrated.path()).sums(Span::ALL, &Filter::default()).unwrap();
    assert_eq!(after.sums.tally, sums.sums.tally);
    assert_eq!(after.sums.costs.total(), sums.sums.costs.total());
    assert!(after.sums.costs.unexplained.0 > 0);
}

#[test]
fn d20_a_backup_taken_while_ingesting_is_whole() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, (0..500).map(|n| claim(&format!("msg_{n}"), Some("req"), n, 5)).collect());
    let readers = Readers::new(store.path());
    let to = bench.directory.path().join("copy.db");
    let copying = std::thread::spawn(move || readers.backup(&to).map(|backup| backup.path));
    for n in 500..600 {
        bench.commit(&mut store, vec![claim(&format!("msg_{n}"), Some("req"), n, 5)]);
    }
    let copy = copying.join().unwrap().unwrap();
    let options = OpenOptions { path: copy, ..bench.options.clone() };
    let restored = Store::open(&options, Arc::new(PriceTable::builtin())).unwrap().store;
    Readers::new(restored.path()).check_everything().unwrap();
    sums_agree(&restored);
    assert!((500..=600).contains(&restored.snapshot().unwrap().totals.requests));
}

#[test]
fn sums_that_differ_are_damage() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.commit(&mut store, vec![claim("msg_1", Some("req_1"), 0, 5), claim("msg_2", Some("req_2"), 0, 5)]);
    let readers = Readers::new(store.path());
    readers.check_everything().unwrap();
    store.db.execute("UPDATE rollup SET output = output + 1", []).unwrap();
    let error = readers.check_everything().unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { path, .. } if path == store.path()), "{error}");
    assert!(error.to_string().ends_with("the sums by time and for all time differ"), "{error}");
}

#[cfg(unix)]
#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let outer = tempfile::tempdir().unwrap();
    let options = OpenOptions {
        path: outer.path().join("new/monitor.db"),
        backups: outer.path().join("backups"),
        clock: Clock::fixed(UnixMillis(NOON)),
    };
    let store = Store::open(&options, Arc::new(PriceTable::builtin())).unwrap().store;
    let mode = |name: &str| std::fs::metadata(outer.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("new"), 0o700);
    for name in ["new/monitor.db", "new/monitor.db-wal", "new/monitor.db-shm", "new/monitor.db.lock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    drop(store);
}

#[test]
fn the_write_ahead_log_grows_until_it_is_folded_in() {
    let bench = Bench::new();
    let mut store = bench.open();
    assert_eq!(store.log_length(), LogLength::Short);
    let mut written = 0;
    while store.log_length() == LogLength::Short {
        let claims = (written..written + 2_000).map(|n| claim(&format!("msg_{n}"), Some(&format!("req_{n}")), n, 5));
        bench.commit(&mut store, claims.collect());
        written += 2_000;
        assert!(written < 200_000, "the log never got long");
    }
    assert_eq!(store.log_length(), LogLength::Long);
    store.fold_log().unwrap();
    assert_eq!(store.log_length(), LogLength::Short);
    assert_eq!(store.snapshot().unwrap().totals.requests, written.unsigned_abs());
    sums_agree(&store);
}

#[test]
fn the_bundled_sqlite_has_no_wal_reset_bug() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

/// A small world in which everything collides: few ids, requests, prompts, times, owners.
pub(super) fn any_claim() -> impl Strategy<Value = UsageRecord> {
    let word = |words: &'static [&'static str]| proptest::sample::select(words).prop_map(Arc::<str>::from);
    let maybe = |words: &'static [&'static str]| proptest::option::of(word(words));
    (
        (0..3_u8, proptest::option::of(0..3_u8), 0..4_i64, 0..3_u64, 0..3_u64),
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        (word(&["s1", "s2"]), word(&["/a", "/b"]), maybe(&["main"]), maybe(&["agent"])),
        (maybe(&["fast", "standard"]), maybe(&["standard"]), maybe(&["us"]), proptest::option::of(0..2_u64)),
        word(&["claude-sonnet-4-5", "glm-5-air", "claude-opus-4-8"]),
    )
        .prop_map(|((id, request, at, output, input), (side, split, finished, away), owner, said, model)| {
            let request = request.map(|request| format!("req_{request}"));
            let mut record = claim(&format!("msg_{id}"), request.as_deref(), at * 86_400_000, output);
            let tokens = &mut record.usage.tokens;
            tokens.input = input;
            tokens.cache_write_1h = if split { 60 } else { 0 };
            tokens.cache_write_5m = if split { 40 } else { 100 };
            record.usage.has_split = split;
            record.usage.finished = finished;
            record.usage.model = model;
            (record.usage.speed, record.usage.tier, record.usage.geo) = (said.0, said.1, said.2);
            record.usage.web = said.3.map(|searches| WebUse { searches, fetches: 0 });
            record.key.variant = match (&record.usage.request_id, side, id) {
                (Some(request), false, _) => Variant::Anchored(Arc::clone(request)),
                (None, false, 2) => Variant::Prompt(input, 100, 1_000),
                _ => Variant::Floating,
            };
            record.owner = Owner {
                sidechain: side,
                away,
                session: owner.0,
                project: owner.1,
                branch: owner.2,
                agent: owner.3,
                ..record.owner
            };
            record
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// D5: any order, any split into commits, any repetition, any restart in between gives the same history.
    #[test]
    fn d5_the_history_is_a_function_of_the_set_of_claims(
        claims in proptest::collection::vec(any_claim(), 1..14),
        shuffle in any::<u64>(),
        cuts in proptest::collection::vec(1..5_usize, 1..6),
        again in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        restart in any::<bool>(),
    ) {
        let plain = Bench::new();
        let mut expected = plain.open();
        plain.commit(&mut expected, claims.clone());

        let bench = Bench::new();
        let mut store = bench.open();
        let mut other = claims.clone();
        other.extend(again.iter().map(|index| index.get(&claims).clone()));
        let mut seed = shuffle;
        for place in (1..other.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            other.swap(place, usize::try_from(seed >> 33).unwrap() % (place + 1));
        }
        let mut cuts = cuts.iter().cycle();
        while !other.is_empty() {
            let rest = other.split_off((*cuts.next().unwrap()).min(other.len()));
            bench.commit(&mut store, std::mem::replace(&mut other, rest));
            if restart {
                drop(store);
                store = bench.open();
            }
        }
        prop_assert_eq!(contents(&store), contents(&expected));
        sums_agree(&store);
    }
}

#[test]
fn what_others_hold_passes_and_what_is_wrong_does_not() {
    fn check(code: i32, passing: bool) {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert_eq!(StoreError::from(error).is_passing(), passing, "{code}");
    }
    for code in [rusqlite::ffi::SQLITE_BUSY, rusqlite::ffi::SQLITE_PROTOCOL, rusqlite::ffi::SQLITE_FULL] {
        check(code, true);
    }
    for code in [rusqlite::ffi::SQLITE_CORRUPT, rusqlite::ffi::SQLITE_CONSTRAINT, rusqlite::ffi::SQLITE_MISUSE] {
        check(code, false);
    }
}
