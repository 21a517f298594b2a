//! Clients that mean no good. The number in a test's name is its row in `docs/testing.md`.

mod rebinding;
mod site;

use std::fs::File;

use crate::house::{Served, TestHouse};

/// A house that lets nobody in without this password.
pub(crate) fn with_password(house: TestHouse, password: &str) -> TestHouse {
    let file = house.path("password");
    std::fs::write(&file, password).unwrap();
    let mut command = house.command(["auth", "hash"]);
    command.stdin(File::open(&file).unwrap());
    let done = house.finish(command);
    assert_eq!(done.code(), 0, "{done:?}");
    std::fs::remove_file(file).unwrap();
    house.with_env("MONITOR_PASSWORD_HASH", done.stdout.trim())
}

/// Every path that can be read, with values for what is variable in it.
pub(crate) fn paths(served: &Served) -> Vec<String> {
    // With a login, the page that asks for it has the files of all pages.
    let page = served.ask("/").filter(|(status, _)| *status == 200).or_else(|| served.ask("/login")).unwrap().1;
    let assets = page.split('"').filter(|text| text.starts_with("/assets/")).map(str::to_owned);
    let mut paths: Vec<String> = PATHS.iter().map(|path| (*path).to_owned()).chain(assets).collect();
    // Whatever the server says of itself as well, so that a new route cannot be forgotten.
    if let Some((200, document)) = served.ask("/api/v1/openapi.json") {
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        let documented = document["paths"].as_object().unwrap().keys();
        paths.extend(documented.map(|path| path.replace(['{', '}'], "")));
    }
    paths.sort();
    paths.dedup();
    paths
}

/// What has to be there, and what is to come.
const PATHS: &[&str] = &[
    "/",
    "/-/healthy",
    "/-/ready",
    "/api/v1/auth/login",
    "/api/v1/auth/logout",
    "/api/v1/cost/estimate",
    "/api/v1/cost/pricing",
    "/api/v1/export/csv",
    "/api/v1/export/json",
    "/api/v1/health",
    "/api/v1/openapi.json",
    "/api/v1/sinks",
    "/api/v1/sources",
    "/api/v1/stats/blocks",
    "/api/v1/stats/current",
    "/api/v1/stats/heatmap",
    "/api/v1/stats/history",
    "/api/v1/stats/models",
    "/api/v1/stats/projects",
    "/api/v1/stats/sessions",
    "/api/v1/stats/trends",
    "/api/v1/version",
    "/docs",
    "/login",
    "/logout",
    "/metrics",
    "/nowhere",
    "/ws",
];
