//! One table: what was measured, how much it is, what the goal was, whether it was met.

use std::time::Duration;

/// Rows in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<[String; 4]>,
}

impl Report {
    /// A figure with a goal that it has to stay below.
    pub(crate) fn below(&mut self, what: &str, figure: f64, goal: f64, show: impl Fn(f64) -> String) {
        let verdict = if figure < goal { "met" } else { "MISSED" };
        self.rows.push([what.into(), show(figure), format!("< {}", show(goal)), verdict.into()]);
    }

    /// A figure with a goal that it has to reach.
    pub(crate) fn above(&mut self, what: &str, figure: f64, goal: f64, show: impl Fn(f64) -> String) {
        let verdict = if figure >= goal { "met" } else { "MISSED" };
        self.rows.push([what.into(), show(figure), format!(">= {}", show(goal)), verdict.into()]);
    }

    /// A figure that is there for comparison.
    pub(crate) fn note(&mut self, what: &str, figure: String) {
        self.rows.push([what.into(), figure, String::new(), String::new()]);
    }

    pub(crate) fn print(&self) {
        println!("| what | figure | goal | verdict |\n| --- | ---: | ---: | --- |");
        for [what, figure, goal, verdict] in &self.rows {
            println!("| {what} | {figure} | {goal} | {verdict} |");
        }
    }
}

/// The middle of some durations, in seconds.
pub(crate) fn median(times: &[Duration]) -> f64 {
    quantile(times, 0.5)
}

/// The duration that a share `at` of them does not exceed, in seconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
pub(crate) fn quantile(times: &[Duration], at: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[((sorted.len() - 1) as f64 * at).round() as usize].as_secs_f64()
}

pub(crate) fn seconds(value: f64) -> String {
    if value < 1.0 { milliseconds(value) } else { format!("{value:.2} s") }
}

pub(crate) fn milliseconds(value: f64) -> String {
    format!("{:.1} ms", value * 1e3)
}

pub(crate) fn mebibytes(kib: f64) -> String {
    format!("{:.1} MiB", kib / 1024.0)
}

/// Of bytes.
pub(crate) fn kibibytes(value: f64) -> String {
    format!("{:.1} KiB", value / 1024.0)
}

pub(crate) fn ratio(value: f64) -> String {
    format!("{value:.3} x")
}

pub(crate) fn percent(value: f64) -> String {
    format!("{:.2} %", value * 100.0)
}

pub(crate) fn bytes(value: f64) -> String {
    format!("{value:.0} bytes")
}
