//! The table below a chart: the same numbers, exact, for those who cannot or would rather not read a drawing.

use askama::Template;
use askama::filters::HtmlSafe;

/// Rows of words. The first heading is that of the rows' own names.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "chart/table.html")]
pub struct Table {
    pub id: String,
    /// What opens it.
    pub summary: String,
    /// What it holds, in one short sentence.
    pub label: String,
    pub head: Vec<String>,
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub name: String,
    /// What has to be known of it: "so far", "estimated".
    pub note: Option<String>,
    pub cells: Vec<String>,
}

impl HtmlSafe for Table {}
