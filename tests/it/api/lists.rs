//! `/api/v1/stats/current`, `models`, `projects` and `sessions`: sums by name.

use std::cmp::Reverse;

use serde_json::Value;

use super::client::get;
use super::encoded;
use super::recount::{ALL, Row, Scene, Sum, by, distinct};

#[test]
fn current_and_models_are_everything_by_model() {
    let scene = Scene::small(51);
    let current = scene.served.json("/api/v1/stats/current");
    let models = by(&scene.all(), |row| row.model.clone());
    assert_eq!(current["models"].as_object().unwrap().keys().collect::<Vec<_>>(), models.keys().collect::<Vec<_>>());
    for (model, rows) in &models {
        Sum::of(rows.iter().copied()).check(&current["models"][model], model);
    }
    Sum::of(&scene.rows).check(&current["totals"], "totals");
    let sessions = by(&scene.all(), |row| row.session.clone());
    assert_eq!(current["totals"]["sessions"], sessions.len());
    let newest = scene.rows.iter().map(|row| row.revision).max();
    assert!(current["totals"]["revision"].as_i64() >= newest);
    assert_eq!(current["ready"], true);
    let names = scene.served.json("/api/v1/stats/models");
    assert_eq!(names, Value::from(models.into_keys().collect::<Vec<_>>()));
}

/// All rows of a list, by its pages.
fn pages(scene: &Scene, list: &str, query: &str, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let path = format!("/api/v1/stats/{list}?{query}&limit={limit}&page={page}");
        let answer = scene.served.json(&path);
        let data = answer["data"].as_array().unwrap();
        if data.is_empty() {
            let pages = all.len().div_ceil(limit);
            let expected = serde_json::json!({"page": page, "limit": limit, "total": all.len(), "total_pages": pages});
            assert_eq!(answer["pagination"], expected, "{path}");
            assert_eq!(page, pages + 1, "no empty page but behind the last one");
            return all;
        }
        all.extend(data.iter().cloned());
    }
    all
}

fn check_project(row: &Value, project: &str, rows: &[&Row]) {
    Sum::of(rows.iter().copied()).check(row, project);
    assert_eq!(row["sessions"], distinct(rows, |row| Some(&row.session)).len(), "{project}");
    assert_eq!(row["first_activity"], rows[0].at.to_string(), "{project}");
    assert_eq!(row["last_activity"], rows[rows.len() - 1].at.to_string(), "{project}");
    assert!(project.ends_with(row["name"].as_str().unwrap().trim_end_matches('/')), "{row}");
}

#[test]
fn projects_are_every_project_the_greatest_first() {
    let scene = Scene::small(52);
    let check = |query: &str, rows: &[&Row]| {
        let groups = by(rows, |row| row.project.clone());
        for limit in [100, 3] {
            let got = pages(&scene, "projects", query, limit);
            let mut names: Vec<&str> = got.iter().map(|row| row["project"].as_str().unwrap()).collect();
            for (name, row) in names.iter().zip(&got) {
                check_project(row, name, &groups[*name]);
            }
            names.sort_unstable();
            assert_eq!(names, groups.keys().map(String::as_str).collect::<Vec<_>>(), "{query}");
        }
    };
    check(ALL, &scene.all());
    let (from, to) = ("2026-10-25T13:37:00Z", "2026-11-03T01:02:03Z");
    let within = |row: &Row| row.at >= from.parse().unwrap() && row.at < to.parse().unwrap();
    check(&format!("start_date={from}&end_date={to}"), &scene.only(within));
    let model = scene.usual(|row| Some(row.model.clone())).remove(0);
    check(&format!("{ALL}&model={}", encoded(&model)), &scene.only(|row| row.model == model));
    check(&format!("{ALL}&query_source=subagent"), &scene.only(|row| row.is_subagent));
    check(&format!("{ALL}&project=nowhere"), &[]);
    // The truth of the generator says the same.
    for row in pages(&scene, "projects", ALL, 100) {
        let truth = &scene.truth.by_project[row["project"].as_str().unwrap()];
        assert_eq!(row["total_tokens"], truth.tokens.total());
        assert_eq!(row["requests"], truth.responses);
    }
    for (sort, value) in [("tokens", "total_tokens"), ("cost", "total_cost"), ("requests", "requests")] {
        in_order(&pages(&scene, "projects", &format!("{ALL}&sort={sort}"), 4), value);
    }
}

/// The greatest first.
fn in_order(rows: &[Value], value: &str) {
    let values: Vec<f64> = rows.iter().map(|row| row[value].as_f64().unwrap()).collect();
    assert!(values.is_sorted_by(|a, b| a >= b) && values.len() > 3, "{value}: {values:?}");
}

fn check_session(row: &Value, session: &str, rows: &[&Row]) {
    Sum::of(rows.iter().copied()).check(row, session);
    assert_eq!(row["projects"], Value::from(distinct(rows, |row| Some(row.project.as_str()))), "{session}");
    assert_eq!(row["branches"], Value::from(distinct(rows, |row| row.branch.as_deref())), "{session}");
    assert_eq!(row["models"], Value::from(distinct(rows, |row| Some(row.model.as_str()))), "{session}");
    assert_eq!(row["started_at"], rows[0].at.to_string(), "{session}");
    assert_eq!(row["last_activity"], rows[rows.len() - 1].at.to_string(), "{session}");
    assert_eq!(row["exact_times"], true);
    let subagents = Sum::of(rows.iter().filter(|row| row.is_subagent).copied());
    assert_eq!(row["subagent_tokens"].as_i64().map(i128::from), Some(subagents.tokens()), "{session}");
}

#[test]
fn sessions_are_every_session_in_the_order_asked_for() {
    let scene = Scene::small(53);
    let check = |query: &str, rows: &[&Row]| {
        let groups = by(rows, |row| row.session.clone());
        let got = pages(&scene, "sessions", query, 17);
        let mut names: Vec<&str> = got.iter().map(|row| row["session_id"].as_str().unwrap()).collect();
        for (name, row) in names.iter().zip(&got) {
            check_session(row, name, &groups[*name]);
        }
        names.sort_unstable();
        assert_eq!(names, groups.keys().map(String::as_str).collect::<Vec<_>>(), "{query}");
        got
    };
    let all = check(ALL, &scene.all());
    for row in &all {
        let truth = &scene.truth.by_session[row["session_id"].as_str().unwrap()];
        assert_eq!(row["total_tokens"], truth.tokens.total());
        assert_eq!(row["requests"], truth.responses);
    }
    assert!(
        all.is_sorted_by_key(|row| Reverse(row["last_activity"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()))
    );
    let started = check(&format!("{ALL}&sort=started"), &scene.all());
    assert!(
        started
            .is_sorted_by_key(|row| Reverse(row["started_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()))
    );
    for (sort, value) in [("tokens", "total_tokens"), ("cost", "total_cost")] {
        in_order(&check(&format!("{ALL}&sort={sort}"), &scene.all()), value);
    }
    let (from, to) = ("2026-10-25T13:37:00Z", "2026-11-03T01:02:03Z");
    let within = |row: &Row| row.at >= from.parse().unwrap() && row.at < to.parse().unwrap();
    check(&format!("start_date={from}&end_date={to}"), &scene.only(within));
    let branch = scene.usual(|row| row.branch.clone()).remove(1);
    let named = |row: &Row| row.branch.as_ref() == Some(&branch);
    check(&format!("{ALL}&branch={}&sort=cost", encoded(&branch)), &scene.only(named));
    let both = scene.usual(|row| Some(row.session.clone()));
    let query = format!("{ALL}&session={}&session={}", encoded(&both[0]), encoded(&both[1]));
    assert_eq!(check(&query, &scene.only(|row| both[..2].contains(&row.session))).len(), 2);
}

#[test]
fn one_session_in_full_is_its_models_its_agents_and_its_hours() {
    let scene = Scene::small(54);
    for (session, rows) in by(&scene.all(), |row| row.session.clone()) {
        let answer = scene.served.json(&format!("/api/v1/stats/sessions/{}", encoded(&session)));
        check_session(&answer["session"], &session, &rows);
        let models = by(&rows, |row| row.model.clone());
        let got = answer["models"].as_array().unwrap();
        assert_eq!(got.len(), models.len());
        for row in got {
            let sum = Sum::of(models[row["model"].as_str().unwrap()].iter().copied());
            sum.check(row, &session);
            sum.check_costs(&row["costs"], &session);
        }
        let agents = by(&rows, |row| row.agent.clone());
        let got = answer["agents"].as_array().unwrap();
        assert_eq!(got.len(), agents.len(), "{session}");
        for row in got {
            let rows = &agents[&row["agent"].as_str().map(str::to_owned)];
            Sum::of(rows.iter().copied()).check(row, &session);
            assert_eq!(row["first_activity"], rows[0].at.to_string());
            assert_eq!(row["last_activity"], rows[rows.len() - 1].at.to_string());
        }
        let hours = by(&rows, |row| row.at.as_second().div_euclid(3600));
        let got = answer["hours"].as_array().unwrap();
        assert_eq!(got.len(), hours.len(), "{session}");
        for (row, (hour, rows)) in got.iter().zip(&hours) {
            assert_eq!(row["start"], jiff::Timestamp::from_second(hour * 3600).unwrap().to_string());
            assert_eq!(row["end"], jiff::Timestamp::from_second(hour * 3600 + 3600).unwrap().to_string());
            Sum::of(rows.iter().copied()).check(row, &session);
        }
    }
    for id in ["nobody", "%2e%2e", "a%2Fb", "%F0%9F%A6%80", "x%00y", "%25"] {
        let answer = get(&scene.served, &format!("/api/v1/stats/sessions/{id}"));
        let body = answer.json();
        assert_eq!(
            (answer.status, &body["code"], &body["parameter"]),
            (404, &"not_found".into(), &"id".into()),
            "{id}"
        );
    }
}
