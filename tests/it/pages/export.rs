//! `/export`: what it says of a file, and the file itself out of a real browser.

use std::path::Path;

use super::{house, serve};
use crate::browser::Browser;
use crate::house::Served;
use crate::wait::{PATIENCE, eventually};

/// What the form sends to the API.
fn query(page: &str) -> String {
    let form = page.split_once("data-testid=\"export-panel\"").unwrap().1.split("</form>").next().unwrap();
    let attribute = |input: &str, name: &str| {
        let value = input.split_once(&format!("{name}=\"")).unwrap().1.split('"').next().unwrap().to_owned();
        value.replace("&#38;", "&").replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<")
    };
    let inputs = form.split("<input type=\"hidden\"").skip(1);
    let pairs =
        inputs.map(|input| format!("{}={}", attribute(input, "name"), super::encoded(&attribute(input, "value"))));
    pairs.collect::<Vec<_>>().join("&")
}

/// How many rows the page says there are.
fn rows(page: &str) -> usize {
    page.split_once("data-rows=\"").unwrap().1.split('"').next().unwrap().parse().unwrap()
}

fn file(served: &Served, query: &str) -> Vec<serde_json::Value> {
    serde_json::from_value(served.json(&format!("/api/v1/export/json?{query}"))).unwrap()
}

#[test]
fn as_many_rows_are_in_the_file_as_the_page_says() {
    let (house, truth) = house();
    let served = serve(&house);
    let first = truth.by_day.keys().next().unwrap();
    for range in ["range=all".to_owned(), "range=7d".to_owned(), format!("start={first}&end={first}&tz=Asia/Tokyo")] {
        for level in ["raw", "day", "hour"] {
            for source in ["all", "subagent"] {
                let asked = format!("{range}&level={level}&query_source={source}");
                let page = served.text(&format!("/export?{asked}"));
                let found = file(&served, &query(&page));
                if page.contains("at most") {
                    assert!(level == "hour" && found.len() <= rows(&page), "{asked}");
                } else {
                    assert_eq!(found.len(), rows(&page), "{asked}");
                }
                assert!(page.contains("formaction=\"/api/v1/export/json\"") && page.contains("curl --compressed"));
            }
        }
    }
    let page = served.text("/export?range=all");
    let responses = u64::try_from(rows(&page)).unwrap();
    assert_eq!(responses, truth.totals.responses);
}

#[test]
fn the_preview_is_how_the_file_begins() {
    let (house, _) = house();
    let served = serve(&house);
    let page = served.text("/export?range=all");
    let csv = served.text(&format!("/api/v1/export/csv?{}", query(&page)));
    let (head, rest) = csv.split_once("\r\n").unwrap();
    for column in head.split(',') {
        assert!(page.contains(&format!("<th scope=\"col\">{}</th>", column.trim_matches('"'))), "{column}");
    }
    let time = rest.split(',').next().unwrap().trim_matches('"');
    assert!(page.contains(&format!("<th scope=\"row\">{time}</th>")), "{time} in {page}");
}

#[test]
fn a_browser_downloads_what_the_api_answers() {
    let Some(mut browser) = Browser::start() else { return };
    let (house, _) = house();
    let served = serve(&house);
    for (format, level) in [("csv", "day"), ("json", "raw")] {
        let dir = house.path(&format!("downloads-{format}"));
        std::fs::create_dir(&dir).unwrap();
        browser.downloads_to(&dir);
        let address = format!("/export?range=all&level={level}");
        let mut page = browser.open(&format!("http://{}{address}", served.address()));
        page.picture(&format!("export-{format}"));
        page.eval(&format!("document.querySelector('[formaction$=\"{format}\"]').click()"));
        let (name, file) = eventually("the download", PATIENCE, || downloaded(&dir));
        assert!(page.trouble().is_empty(), "{:?}", page.trouble());
        let level = if level == "day" { "days" } else { "responses" };
        assert!(name.starts_with(&format!("claude-token-monitor-{level}-")) && name.ends_with(format), "{name}");
        let asked = query(&served.text(&address));
        assert_eq!(file, served.text(&format!("/api/v1/export/{format}?{asked}")), "{format}");
        assert!(file.len() > 1000, "{file}");
    }
}

/// The one file of a directory, once it is whole.
fn downloaded(dir: &Path) -> Option<(String, String)> {
    let entry = std::fs::read_dir(dir).unwrap().next()?.unwrap();
    let name = entry.file_name().into_string().unwrap();
    if name.ends_with(".crdownload") || name.starts_with('.') {
        return None;
    }
    Some((name, std::fs::read_to_string(entry.path()).ok().filter(|text| !text.is_empty())?))
}
