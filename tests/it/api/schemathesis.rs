//! schemathesis, which asks the running server whatever its own document allows, and much that it does not, and compares
//! every answer with the document.

use std::process::Command;

use super::client::ask;
use super::clockwork::Clockwork;
use crate::auth::locked;
use crate::house::{Served, TestHouse};
use crate::parts;
use crate::wait::PATIENCE;

/// Rules across parameters (no `page` beside a `cursor`, no range that ends before it begins, a model that has a price)
/// cannot be told in a schema, so 422 is a right answer to what a schema allows; so is 426 to whoever asks for the
/// WebSocket in plain HTTP, whatever the question. What a schema does not allow is tried systematically, in the phase
/// `coverage`. Not at random as well: the parameters that may be empty have two alternatives, and what is wrong by the one
/// and right by the other counts as wrong there.
const CONFIG: &str = r#"
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429]

[phases.fuzzing.generation]
mode = "positive"

[[operations]]
include-path = "/ws"
checks.positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, 426, 429]
checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 409, 422, 426, 429]
"#;

fn check(house: &TestHouse, served: &Served, config: &str, options: &[&str], document: &str) {
    let Some(program) = parts::need("schemathesis") else { return };
    let (place, described) = (house.path("schemathesis.toml"), house.path("openapi.json"));
    std::fs::write(&place, config).unwrap();
    std::fs::write(&described, document).unwrap();
    let mut command = Command::new(program);
    command.arg("--config-file").arg(&place).arg("run").arg(&described);
    command.args(["--url", &format!("http://{}", served.address())]);
    command.args(["--checks", "all", "--seed", "1", "--no-color", "--workers", "1"]).args(options);
    command.current_dir(house.root()).env_clear().env("HOME", house.path("home")).env("PATH", "/usr/bin:/bin");
    // Thousands of questions, by a program that needs most of the time for itself.
    let done = house.finish_within(command, PATIENCE * 15);
    assert!(done.status.success(), "{}\n{}", done.stdout, done.stderr);
    assert!(!served.log().contains("panicked") && !served.log().contains(" ERROR "), "{}", served.log());
}

/// How many questions are made up for an endpoint, beside those that follow from the document.
fn examples() -> &'static str {
    if parts::soak() { "500" } else { "50" }
}

/// Some phases of a run, without a login.
fn without_login(options: &[&str]) {
    let clock = Clockwork::new(TestHouse::new(), [jiff::Timestamp::now()]);
    let document = clock.served.text("/api/v1/openapi.json");
    check(&clock.house, &clock.served, CONFIG, options, &document);
}

#[test]
fn schemathesis_finds_nothing_at_the_bounds_of_what_the_document_says() {
    without_login(&["--phases", "examples,coverage"]);
}

#[test]
fn schemathesis_finds_nothing_at_random_within_them() {
    without_login(&["--phases", "fuzzing,stateful", "--max-examples", examples()]);
}

#[test]
fn schemathesis_finds_nothing_behind_a_login_either() {
    let clock = Clockwork::new(locked(), [jiff::Timestamp::now()]);
    let token = clock.house.run(["auth", "token"]);
    let token = token.stdout.trim();
    let header = format!("Bearer {token}");
    let document = ask(&clock.served, "GET", "/api/v1/openapi.json", &[("authorization", &header)], b"");
    let config = format!("{CONFIG}\n[auth.openapi.token]\nbearer = \"{token}\"\n");
    // What follows from the document was asked above; here it is about what happens without the token, and with another.
    let options = ["--max-examples", examples(), "--phases", "examples,fuzzing"];
    check(&clock.house, &clock.served, &config, &options, document.text());
}
