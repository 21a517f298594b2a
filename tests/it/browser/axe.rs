//! [axe-core](https://github.com/dequelabs/axe-core): what machines can tell of whether everybody can use a page.

use serde_json::Value;

use super::Page;
use crate::parts;

/// Its script; without it the test is left out, or fails in CI.
pub(super) fn axe() -> Option<String> {
    Some(std::fs::read_to_string(parts::need_library("axe.min.js")?).unwrap())
}

/// What it has to say against a page: the rule, and the elements.
pub(super) fn violations(page: &mut Page, axe: &str) -> Vec<String> {
    if page.eval("typeof window.axe") == "undefined" {
        page.eval(&format!("{axe}; 0"));
    }
    let found =
        page.eval("axe.run({ preload: false, resultTypes: ['violations'] }).then(({ violations }) => violations)");
    found.as_array().unwrap().iter().map(violation).collect()
}

fn violation(found: &Value) -> String {
    let nodes = found["nodes"].as_array().unwrap().iter().take(3);
    let nodes: Vec<String> = nodes.map(|node| format!("{} {}", node["html"], node["failureSummary"])).collect();
    format!("{}: {}\n    {}", found["id"], found["help"], nodes.join("\n    "))
}
