//! What is served and what the API's own document says are the same, in both directions.

use std::collections::BTreeSet;

use super::*;
use crate::route::Access;
use crate::web::api::openapi::document;

/// What the tests bring themselves.
const OURS: [&str; 4] = ["/never", "/echo", "/live", "/broken"];

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| item.as_object().into_iter().flatten().map(move |(verb, what)| (path, verb, what)))
}

#[test]
fn every_route_is_documented_and_everything_documented_is_a_route() {
    let house = House::start();
    let data = house.routes.iter().filter(|route| !matches!(route.class, Class::Page | Class::Asset));
    let routes: BTreeSet<_> = data
        .filter(|route| !OURS.contains(&route.path))
        .map(|route| (route.path.to_owned(), route.method.as_str().to_lowercase(), route.access == Access::Open))
        .collect();
    let document = serde_json::to_value(document(true)).unwrap();
    let documented = operations(&document)
        .map(|(path, verb, what)| (path.clone(), verb.clone(), what.get("security").is_none()))
        .collect::<BTreeSet<_>>();
    assert_eq!(routes, documented, "path, method, and whether no login is needed");
    assert!(routes.len() > 20);
}

#[test]
fn operations_have_names_of_their_own_and_say_what_they_are() {
    for login in [false, true] {
        let document = serde_json::to_value(document(login)).unwrap();
        let mut ids = BTreeSet::new();
        for (path, verb, what) in operations(&document) {
            assert!(ids.insert(what["operationId"].to_string()), "{verb} {path}");
            assert!(what["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{verb} {path}");
            let mut names = BTreeSet::new();
            for parameter in what["parameters"].as_array().into_iter().flatten() {
                assert!(names.insert(parameter["name"].to_string()), "{path}: {parameter}");
                assert!(!parameter["example"].is_null() && parameter["description"].is_string(), "{path}: {parameter}");
            }
            for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                let mut described = what["parameters"].as_array().unwrap().iter();
                assert!(described.any(|one| one["name"] == name && one["in"] == "path"), "{path}");
            }
            // Where nobody has to log in, that is one of the ways.
            let free = what["security"].as_array().is_none_or(|ways| ways.contains(&json!({})));
            assert!(free || login, "{verb} {path}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        if let Some(name) = value["$ref"].as_str() {
            found.insert(name);
        }
        value.as_object().into_iter().flatten().for_each(|(_, value)| references(value, found));
        value.as_array().into_iter().flatten().for_each(|value| references(value, found));
    }
    let document = serde_json::to_value(document(false)).unwrap();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for name in found {
        let place = name.strip_prefix('#').and_then(|place| document.pointer(place));
        assert!(place.is_some(), "{name}");
    }
}
