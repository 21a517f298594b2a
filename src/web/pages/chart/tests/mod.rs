//! Every chart on fixed data, as it is sent, and the colours as a reader sees them.

mod columns;
mod heat;
mod inline;
mod palette;

use super::*;
use crate::web::pages::format::Count;

/// Names that somebody else chose.
const NASTY: [&str; 3] = ["\"><b>'quoted' & more", "</script></title>", "\u{202e}נתונים\u{202c}"];

fn frame(id: &str) -> Frame {
    Frame {
        id: id.to_owned(),
        label: format!("What {id} shows"),
        caption: "Tokens of all responses by day, in Europe/Berlin.".to_owned(),
        table: "Show as a table".to_owned(),
    }
}

fn value(amount: u128) -> Value {
    let text = u64::try_from(amount).map_or_else(|_| amount.to_string(), |count| Count(count).grouped());
    Value { amount, text }
}

/// The drawing without its table.
fn drawing(html: &str) -> &str {
    html.split("<details").next().unwrap_or_default()
}

/// Asserts what holds of every chart, whatever is in it.
fn assert_safe(html: &str) {
    for bad in ["style=", "<b>", "</script", "NaN", "inf", "-Infinity"] {
        assert!(!html.contains(bad), "{bad} in {html}");
    }
    assert_eq!(html.matches("<title>").count(), html.matches("</title>").count());
}
