//! The plain way to every answer: all responses out of the file, one after the other, added up as the question says. It
//! shares no code with the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use claude_token_monitor::synthetic::{self, Plan, Truth};
use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::house::{Served, TestHouse};

/// One response.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) revision: i64,
    pub(super) at: Timestamp,
    pub(super) model: String,
    pub(super) project: String,
    pub(super) session: String,
    pub(super) branch: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) source: String,
    pub(super) is_subagent: bool,
    pub(super) input: i128,
    pub(super) output: i128,
    pub(super) write_5m: i128,
    pub(super) write_1h: i128,
    pub(super) read: i128,
    pub(super) searches: i128,
    /// In pico-dollars: input, output, both writes, reads, searches. None: no price.
    pub(super) costs: Option<[i128; 6]>,
    /// Priced as a fast answer, as inference in the US, as a part of a batch.
    pub(super) modes: [bool; 3],
}

impl Row {
    pub(super) fn total(&self) -> i128 {
        self.input + self.output + self.write_5m + self.write_1h + self.read
    }

    pub(super) fn source_of_query(&self) -> &'static str {
        if self.is_subagent { "subagent" } else { "main" }
    }
}

/// Every response, the oldest first, those of a millisecond as they were read.
pub(super) fn rows(house: &TestHouse) -> Vec<Row> {
    let db = Connection::open_with_flags(house.database(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = db
        .prepare(
            "SELECT r.revision, r.at, m.text, p.text, s.text, b.text, a.text, o.text, (r.flags >> 16) & 1, r.input,
                    r.output, r.cache_write_5m, r.cache_write_1h, r.cache_read, coalesce(r.searches, 0), c.input,
                    c.output, c.cache_write_5m, c.cache_write_1h, c.cache_read, c.search, c.fast, c.us, c.batch
             FROM response r JOIN word m ON m.id = r.model JOIN word p ON p.id = r.project
             JOIN word s ON s.id = r.session JOIN word o ON o.id = r.source LEFT JOIN word b ON b.id = r.branch
             LEFT JOIN word a ON a.id = r.agent LEFT JOIN card c ON c.id = r.card ORDER BY r.at, r.revision",
        )
        .unwrap();
    let rows = statement.query_map([], |row| {
        let number = |place: usize| row.get::<_, i64>(place).map(i128::from);
        let counts = [number(9)?, number(10)?, number(11)?, number(12)?, number(13)?, number(14)?];
        let mut costs = Some(counts);
        for (place, cost) in costs.iter_mut().flatten().enumerate() {
            *cost *= row.get::<_, Option<i64>>(15 + place)?.map_or(0, i128::from);
        }
        let is_on = |place: usize| row.get::<_, Option<i64>>(place).map(|on| on == Some(1));
        Ok(Row {
            revision: row.get(0)?,
            at: Timestamp::from_millisecond(row.get(1)?).unwrap(),
            model: row.get(2)?,
            project: row.get(3)?,
            session: row.get(4)?,
            branch: row.get(5)?,
            agent: row.get(6)?,
            source: row.get(7)?,
            is_subagent: row.get(8)?,
            input: counts[0],
            output: counts[1],
            write_5m: counts[2],
            write_1h: counts[3],
            read: counts[4],
            searches: counts[5],
            costs: costs.filter(|_| row.get::<_, Option<i64>>(15).is_ok_and(|price| price.is_some())),
            modes: [is_on(21)?, is_on(22)?, is_on(23)?],
        })
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// A sum over responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) requests: i128,
    pub(super) input: i128,
    pub(super) output: i128,
    pub(super) write_5m: i128,
    pub(super) write_1h: i128,
    pub(super) read: i128,
    pub(super) searches: i128,
    pub(super) unpriced: i128,
    pub(super) costs: [i128; 6],
}

impl Sum {
    pub(super) fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut sum = Self::default();
        for row in rows {
            sum.requests += 1;
            sum.input += row.input;
            sum.output += row.output;
            sum.write_5m += row.write_5m;
            sum.write_1h += row.write_1h;
            sum.read += row.read;
            sum.searches += row.searches;
            sum.unpriced += if row.costs.is_none() { row.total() } else { 0 };
            for (sum, cost) in sum.costs.iter_mut().zip(row.costs.unwrap_or_default()) {
                *sum += cost;
            }
        }
        sum
    }

    pub(super) fn tokens(&self) -> i128 {
        self.input + self.output + self.write_5m + self.write_1h + self.read
    }

    pub(super) fn cost(&self) -> f64 {
        usd(self.costs.iter().sum())
    }

    /// Compares everything that a row of sums says.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub(super) fn check(&self, row: &Value, what: impl Display) {
        let field = |name: &str| whole(&row[name], &what, name);
        let got = Self {
            requests: field("requests"),
            input: field("input_tokens"),
            output: field("output_tokens"),
            write_5m: field("cache_creation_5m_tokens"),
            write_1h: field("cache_creation_1h_tokens"),
            read: field("cache_read_tokens"),
            searches: field("web_searches"),
            unpriced: field("unpriced_tokens"),
            costs: self.costs,
        };
        assert_eq!(&got, self, "{what}: {row}");
        assert_eq!(field("cache_creation_tokens"), self.write_5m + self.write_1h, "{what}");
        assert_eq!(field("total_tokens"), self.tokens(), "{what}");
        near(&row["total_cost"], self.cost(), format!("{what}: total_cost"));
        let reusable = self.read + self.input;
        let rate = if reusable == 0 { 0.0 } else { self.read as f64 / reusable as f64 };
        near(&row["cache_hit_rate"], rate, format!("{what}: cache_hit_rate"));
    }

    /// Compares a cost by what is paid for.
    pub(super) fn check_costs(&self, parts: &Value, what: impl Display) {
        let [input, output, write_5m, write_1h, read, searches] = self.costs;
        for (name, expected) in [
            ("input", input),
            ("output", output),
            ("cache_creation", write_5m + write_1h),
            ("cache_creation_5m", write_5m),
            ("cache_creation_1h", write_1h),
            ("cache_read", read),
            ("web_search", searches),
            ("unexplained", 0),
        ] {
            near(&parts[name], usd(expected), format!("{what}: {name}"));
        }
    }
}

/// Pico-dollars as dollars.
#[expect(clippy::cast_precision_loss, reason = "compared to a nano-dollar")]
pub(super) fn usd(pico: i128) -> f64 {
    (pico / 1_000_000_000_000) as f64 + (pico % 1_000_000_000_000) as f64 / 1e12
}

fn whole(value: &Value, what: &impl Display, name: &str) -> i128 {
    i128::from(value.as_i64().unwrap_or_else(|| panic!("{what}: no {name}, but {value}")))
}

/// The same to a nano-dollar.
pub(super) fn near(got: &Value, expected: f64, what: impl Display) {
    let number = got.as_f64().unwrap_or_else(|| panic!("{what}: {got} where {expected} should be"));
    assert!((number - expected).abs() <= 1e-9, "{what}: {number} where {expected} should be");
}

/// Responses by a name.
pub(super) fn by<'a, K: Ord>(rows: &[&'a Row], key: impl Fn(&Row) -> K) -> BTreeMap<K, Vec<&'a Row>> {
    let mut groups: BTreeMap<K, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().copied() {
        groups.entry(key(row)).or_default().push(row);
    }
    groups
}

/// Different values, in order.
pub(super) fn distinct<'a, K: Ord>(rows: &[&'a Row], value: impl Fn(&'a Row) -> Option<K>) -> Vec<K> {
    rows.iter().copied().filter_map(value).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A server over a history, and all of that history.
pub(super) struct Scene {
    pub(super) house: TestHouse,
    pub(super) served: Served,
    pub(super) rows: Vec<Row>,
    pub(super) truth: Truth,
}

/// From before the first to after the last response of any scene.
pub(super) const ALL: &str = "start_date=1970-01-01&end_date=2199-12-31";

impl Scene {
    /// Over transcripts of our own generator, whose truth has the same totals.
    pub(super) fn new(plan: &Plan) -> Self {
        let house = TestHouse::new();
        let truth = synthetic::write(plan, house.claude()).unwrap();
        let served = house.serve();
        let rows = rows(&house);
        let scene = Self { house, served, rows, truth };
        let sum = Sum::of(&scene.rows);
        assert_eq!(sum.requests, i128::from(scene.truth.responses));
        assert_eq!(sum.tokens(), i128::from(scene.truth.totals.tokens.total()));
        scene
    }

    /// A small history of everything that was ever reported, on 40 days up to November 2026.
    pub(super) fn small(seed: u64) -> Self {
        Self::new(&Plan {
            seed,
            bytes: 2_500_000,
            days: 40,
            content_percent: 20,
            typical_file_bytes: 20_000,
            ..Plan::default()
        })
    }

    /// The responses that a question is about.
    pub(super) fn only(&self, matches: impl Fn(&Row) -> bool) -> Vec<&Row> {
        self.rows.iter().filter(|row| matches(row)).collect()
    }

    pub(super) fn all(&self) -> Vec<&Row> {
        self.rows.iter().collect()
    }

    /// What most responses have, so that a filter by it leaves something and not everything.
    pub(super) fn usual<K: Ord + Clone>(&self, value: impl Fn(&Row) -> Option<K>) -> Vec<K> {
        let mut counts: BTreeMap<K, usize> = BTreeMap::new();
        for value in self.rows.iter().filter_map(value) {
            *counts.entry(value).or_default() += 1;
        }
        let mut values: Vec<_> = counts.into_iter().collect();
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        assert!(values.len() > 2, "a scene has more than two of everything");
        values.into_iter().map(|(value, _)| value).collect()
    }
}
