//! Compares a history with the truth that a generator wrote beside its transcripts, to the last token and to a
//! nano-dollar.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use serde::Deserialize;
use serde_json::Value;

use crate::house::{Served, TestHouse};

/// What a correct reader must count and charge. Days are UTC; models are the ids as the transcripts write them.
#[derive(Deserialize)]
pub(crate) struct Truth {
    pub(crate) responses: i64,
    pub(crate) totals: Sums,
    pub(crate) by_model: BTreeMap<String, Sums>,
    pub(crate) by_day: BTreeMap<String, Sums>,
    pub(crate) by_project: BTreeMap<String, Sums>,
    /// Keys are `DAY|MODEL`. This and the next two are compared where the generator says them.
    #[serde(default)]
    pub(crate) by_day_model: Option<BTreeMap<String, Sums>>,
    #[serde(default)]
    pub(crate) by_session: Option<BTreeMap<String, Sums>>,
    /// Responses without a branch are under the empty name.
    #[serde(default)]
    pub(crate) by_branch: Option<BTreeMap<String, Sums>>,
    pub(crate) malformed_lines: i64,
    pub(crate) unpriced_tokens: i64,
}

/// Sums over responses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sums {
    pub(crate) responses: i64,
    pub(crate) input_tokens: i64,
    pub(crate) output_tokens: i64,
    pub(crate) cache_creation_tokens: i64,
    pub(crate) cache_read_tokens: i64,
    pub(crate) cost_usd: f64,
}

impl Sums {
    fn same(&self, other: &Self) -> bool {
        let Self { responses, input_tokens, output_tokens, cache_creation_tokens, cache_read_tokens, cost_usd } = other;
        (self.responses, self.input_tokens, self.output_tokens) == (*responses, *input_tokens, *output_tokens)
            && (self.cache_creation_tokens, self.cache_read_tokens) == (*cache_creation_tokens, *cache_read_tokens)
            // The truth is rounded to the nano-dollar.
            && (self.cost_usd - cost_usd).abs() <= 1e-9
    }

    fn add(&mut self, other: &Self) {
        self.responses += other.responses;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cache_creation_tokens += other.cache_creation_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.cost_usd += other.cost_usd;
    }

    fn of_row(row: &Value) -> Self {
        let field = |name: &str| row[name].as_i64().unwrap_or_else(|| panic!("no {name} in {row}"));
        Self {
            responses: field("requests"),
            input_tokens: field("input_tokens"),
            output_tokens: field("output_tokens"),
            cache_creation_tokens: field("cache_creation_tokens"),
            cache_read_tokens: field("cache_read_tokens"),
            // Null where nothing has a price: unknown, which adds nothing to a sum.
            cost_usd: row["total_cost"].as_f64().unwrap_or_default(),
        }
    }
}

/// Reads everything below `claude` once and compares every sum, in the file, over the API and in a scrape.
pub(crate) fn check(name: &str, claude: &Path, truth: &Truth) {
    let house = TestHouse::new().reading(claude);
    house.ingest();
    let mut wrong = Differences { name, list: Vec::new() };

    let db = Connection::open(house.database()).unwrap();
    let rows = |key: &str| {
        sums(
            &db,
            &format!(
                "SELECT {key}, count(*), sum(input_tokens), sum(output_tokens), sum(cache_creation_tokens),
                        sum(cache_read_tokens), coalesce(sum(total_cost), 0) FROM token_usage GROUP BY 1"
            ),
        )
    };
    wrong.compare("rows", "model", &rows("model"), &truth.by_model);
    wrong.compare("rows", "day", &rows("substr(timestamp, 1, 10)"), &truth.by_day);
    wrong.compare("rows", "project", &rows("project_name"), &truth.by_project);
    for (by, key, truth) in [
        ("day and model", "substr(timestamp, 1, 10) || '|' || model", &truth.by_day_model),
        ("session", "session_id", &truth.by_session),
        ("branch", "coalesce(git_branch, '')", &truth.by_branch),
    ] {
        if let Some(truth) = truth {
            wrong.compare("rows", by, &rows(key), truth);
        }
    }
    let days = sums(
        &db,
        "SELECT date, requests, total_input_tokens, total_output_tokens, total_cache_creation_tokens,
                total_cache_read_tokens, total_cost FROM daily_summary",
    );
    wrong.compare("daily_summary", "day", &days, &truth.by_day);
    drop(db);

    let served = house.serve();
    let now = served.json("/api/v1/stats/current");
    let models = now["models"].as_object().unwrap();
    let models = models.iter().map(|(model, row)| (model.clone(), Sums::of_row(row)));
    wrong.compare("stats/current", "model", &models.filter(|(_, sums)| sums.responses > 0).collect(), &truth.by_model);
    let totals = BTreeMap::from([("all".to_owned(), Sums::of_row(&now["totals"]))]);
    let truth_totals =
        BTreeMap::from([("all".to_owned(), Sums { responses: truth.responses, ..truth.totals.clone() })]);
    wrong.compare("stats/current", "totals", &totals, &truth_totals);
    wrong.number("unpriced_tokens", now["totals"]["unpriced_tokens"].as_i64(), truth.unpriced_tokens);

    lists(&served, truth, &mut wrong);
    let scrape = served.scrape();
    let tokens =
        |kind| scrape.sum_where("claude_code_token_usage_tokens_total", &format!("type=\"{kind}\"")).map(whole);
    wrong.number("scraped input", tokens("input"), truth.totals.input_tokens);
    wrong.number("scraped output", tokens("output"), truth.totals.output_tokens);
    wrong.number("scraped cache writes", tokens("cacheCreation"), truth.totals.cache_creation_tokens);
    wrong.number("scraped cache reads", tokens("cacheRead"), truth.totals.cache_read_tokens);
    let skipped = scrape.sum("claude_token_monitor_ingest_parse_errors_total").map(whole);
    wrong.number("malformed lines", skipped, truth.malformed_lines);
    wrong.done();
}

/// From before the first to after the last response of any corpus.
const ALL: &str = "start_date=1970-01-01&end_date=2199-12-31";

/// Compares what the API says by project, by session, and by day and model; and its history, response by response.
fn lists(served: &Served, truth: &Truth, wrong: &mut Differences) {
    let key = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let projects = pages(served, "projects").into_iter().map(|row| (key(&row, "project"), Sums::of_row(&row)));
    wrong.compare("stats/projects", "project", &projects.collect(), &truth.by_project);
    if let Some(truth) = &truth.by_session {
        let sessions = pages(served, "sessions").into_iter().map(|row| (key(&row, "session_id"), Sums::of_row(&row)));
        wrong.compare("stats/sessions", "session", &sessions.collect(), truth);
    }
    let exported = served.json(&format!("/api/v1/export/json?{ALL}&level=day&tz=UTC"));
    let (mut days, mut day_models) = (BTreeMap::<_, Sums>::new(), BTreeMap::<_, Sums>::new());
    for row in exported.as_array().unwrap() {
        days.entry(key(row, "date")).or_default().add(&Sums::of_row(row));
        day_models.entry(format!("{}|{}", key(row, "date"), key(row, "model"))).or_default().add(&Sums::of_row(row));
    }
    wrong.compare("export/json", "day", &days, &truth.by_day);
    if let Some(truth) = &truth.by_day_model {
        wrong.compare("export/json", "day and model", &day_models, truth);
    }
    let (mut days, mut branches) = (BTreeMap::<_, Sums>::new(), BTreeMap::<_, Sums>::new());
    for mut row in served.json(&format!("/api/v1/export/json?{ALL}")).as_array().unwrap().iter().cloned() {
        row["requests"] = 1.into();
        days.entry(key(&row, "timestamp").chars().take(10).collect()).or_default().add(&Sums::of_row(&row));
        branches.entry(key(&row, "branch")).or_default().add(&Sums::of_row(&row));
    }
    wrong.compare("raw export", "day", &days, &truth.by_day);
    if let Some(truth) = &truth.by_branch {
        wrong.compare("raw export", "branch", &branches, truth);
    }
    let estimate = served.json(&format!("/api/v1/cost/estimate?{ALL}"));
    if (estimate["total_cost"].as_f64().unwrap() - truth.totals.cost_usd).abs() > 1e-9 {
        wrong.list.push(format!("cost/estimate: got {}, truth {}", estimate["total_cost"], truth.totals.cost_usd));
    }
    wrong.number("cost/estimate: unpriced", estimate["unpriced_tokens"].as_i64(), truth.unpriced_tokens);
    let history = served.json(&format!("/api/v1/stats/history?{ALL}&limit=1"));
    wrong.number("stats/history: total", history["pagination"]["total"].as_i64(), truth.responses);
}

/// All rows of a list, page by page.
fn pages(served: &Served, list: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    for page in 1.. {
        let answer = served.json(&format!("/api/v1/stats/{list}?{ALL}&limit=100&page={page}"));
        match answer["data"].as_array() {
            Some(data) if !data.is_empty() => rows.extend(data.iter().cloned()),
            _ => break,
        }
    }
    rows
}

/// A sample that counts something is a whole number far below 2^53.
#[expect(clippy::cast_possible_truncation, reason = "a count")]
fn whole(sample: f64) -> i64 {
    sample as i64
}

fn sums(db: &Connection, sql: &str) -> BTreeMap<String, Sums> {
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        let sums = Sums {
            responses: row.get(1)?,
            input_tokens: row.get(2)?,
            output_tokens: row.get(3)?,
            cache_creation_tokens: row.get(4)?,
            cache_read_tokens: row.get(5)?,
            cost_usd: row.get(6)?,
        };
        Ok((row.get(0)?, sums))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Everything that is wrong, in one message.
struct Differences<'a> {
    name: &'a str,
    list: Vec<String>,
}

impl Differences<'_> {
    fn compare(&mut self, from: &str, by: &str, got: &BTreeMap<String, Sums>, truth: &BTreeMap<String, Sums>) {
        let nothing = Sums::default();
        let keys = got.keys().chain(truth.keys()).collect::<std::collections::BTreeSet<_>>();
        for key in keys {
            let (got, truth) = (got.get(key).unwrap_or(&nothing), truth.get(key).unwrap_or(&nothing));
            if !got.same(truth) {
                self.list.push(format!("{from} by {by}, {key}:\n  got   {got:?}\n  truth {truth:?}"));
            }
        }
    }

    fn number(&mut self, what: &str, got: Option<i64>, truth: i64) {
        if got != Some(truth) {
            self.list.push(format!("{what}: got {got:?}, truth {truth}"));
        }
    }

    fn done(self) {
        assert!(self.list.is_empty(), "{}: {} differences\n{}", self.name, self.list.len(), self.list.join("\n"));
    }
}
