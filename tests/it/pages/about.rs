//! `/about`: what it says of the history is the truth.

use super::{grouped, house, serve};

/// What stands beside a name.
fn fact<'a>(page: &'a str, name: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!(">{name}</dt><dd>")).unwrap_or_else(|| panic!("no {name} in {page}"));
    rest.split('<').next().unwrap()
}

#[test]
fn what_was_read_and_what_it_covers() {
    let (house, truth) = house();
    let served = serve(&house);
    let page = served.text("/about");
    assert_eq!(fact(&page, "Responses counted"), grouped(truth.totals.responses));
    let sources = served.json("/api/v1/sources");
    assert!(page.contains(house.claude().to_str().unwrap()), "{page}");
    for (reason, count) in truth.skipped.iter().filter(|(_, count)| **count > 0) {
        let name = match *reason {
            "malformed" => "not JSON, or cut off",
            "not_an_object" => "JSON, but no object",
            "oversized" => "too long",
            "nul_run" => "nothing but NUL bytes",
            "implausible" => "impossible numbers",
            "encoding" => "not UTF-8",
            "spliced" => "broken, with a whole record behind",
            other => panic!("{other}"),
        };
        assert_eq!(fact(&page, name), grouped(*count), "{sources}");
    }
    let used = truth.by_day.values().filter(|row| row.responses > 0).count() as u64;
    assert_eq!(fact(&page, "Days with responses"), grouped(used));
    let first = served.json("/api/v1/stats/history?start_date=1970-01-01&sort=timestamp&limit=1");
    let first = first["data"][0]["timestamp"].as_str().unwrap().get(..16).unwrap().replace('T', " ");
    assert_eq!(fact(&page, "First response"), first);
    let repeated = sources["sources"].as_array().unwrap().iter().map(|source| source["duplicates"].as_u64().unwrap());
    assert_eq!(fact(&page, "Repetitions, not counted"), grouped(repeated.sum()));
    let newest = served.json("/api/v1/stats/history?start_date=1970-01-01&limit=1");
    assert_eq!(fact(&page, "Days with an estimate"), "0", "{newest}");
    for zone in ["Asia/Shanghai", "America/New_York"] {
        let page = served.text(&format!("/about?tz={zone}"));
        assert_eq!(fact(&page, "Days with an estimate"), "0", "the same in {zone}");
    }
    assert!(page.contains("cache reads / (cache reads + uncached input)") && page.contains("not a bill"), "{page}");
    assert!(!page.contains("unknown ·"), "nothing is said of a commit that nobody knows: {page}");
    assert!(served.text("/about?lang=zh-CN").contains("计算方式"));
}

#[test]
fn without_costs_nothing_is_said_of_prices() {
    let (house, _) = house();
    let served = serve(&house.with_env("ENABLE_COST_ESTIMATION", "false"));
    let page = served.text("/about");
    assert_eq!(fact(&page, "Costs"), "switched off");
    assert!(!page.contains("at the list price of its model") && !page.contains("#prices"), "{page}");
}
