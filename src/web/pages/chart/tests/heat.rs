use askama::Template;
use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::*;

fn words() -> HeatWords {
    HeatWords { less: "Less".to_owned(), more: "More".to_owned(), none: "none".to_owned() }
}

fn weekdays() -> [String; 7] {
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map(str::to_owned)
}

fn days(first: Date, count: u16, amount: impl Fn(u128) -> u128) -> Vec<CalendarDay> {
    (0..count)
        .map(|n| {
            let day = first.saturating_add(i64::from(n).days());
            CalendarDay { date: day, name: day.strftime("%b %-d").to_string(), value: value(amount(n.into())) }
        })
        .collect()
}

fn calendar(days: &[CalendarDay]) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words = CalendarWords {
        frame: frame("calendar"),
        heat: words(),
        months: months.map(str::to_owned),
        weekdays: weekdays(),
        week: "Week of".to_owned(),
    };
    let html = Calendar::of(days, &|amount| format!("up to {amount}"), words).render().unwrap();
    assert_safe(&html);
    html
}

fn week(hours: &[Value]) -> String {
    let words = WeekWords {
        frame: frame("week"),
        heat: words(),
        weekdays: weekdays(),
        hours: std::array::from_fn(|hour| format!("{hour:02}:00")),
        hour: "Hour".to_owned(),
    };
    let html = Week::of(hours, &|amount| format!("up to {amount}"), words).render().unwrap();
    assert_safe(&html);
    html
}

#[test]
fn no_days() {
    insta::assert_snapshot!(calendar(&[]));
}

#[test]
fn one_day_is_on_its_weekday() {
    // A Wednesday.
    insta::assert_snapshot!(calendar(&days(date(2026, 11, 25), 1, |_| 5)));
}

#[test]
fn a_few_weeks_with_zeros_and_one_huge_value() {
    let amount = |n: u128| if n == 9 { u64::MAX.into() } else { n % 4 };
    insta::assert_snapshot!(calendar(&days(date(2026, 10, 29), 26, amount)));
}

#[test]
fn fifty_three_weeks_are_small() {
    // One week in four off, and no weekend in another.
    let amount =
        |n: u128| if (n / 7).is_multiple_of(4) || n % 14 > 11 { 0 } else { 1_000_000 + n * 7_654_321 % 60_000_000 };
    let html = calendar(&days(date(2025, 11, 24), 367, amount));
    assert_eq!(html.matches("<svg x=").count(), 53);
    assert!(drawing(&html).len() < 20 * 1024, "{} bytes", drawing(&html).len());
    insta::assert_snapshot!(drawing(&html));
}

#[test]
fn a_table_begins_where_there_is_something() {
    // From a Monday on, the first two weeks without anything, and another one later.
    let html = calendar(&days(date(2026, 11, 2), 35, |n| if n < 14 || (21..28).contains(&n) { 0 } else { 5 }));
    assert_eq!(html.matches("<svg x=").count(), 5, "{html}");
    assert_eq!(html.matches("<th scope=\"row\">").count(), 3, "{html}");
}

#[test]
fn nasty_words() {
    let mut days = days(date(2026, 11, 23), 1, |_| 5);
    days[0].name = NASTY[0].to_owned();
    days[0].value.text = NASTY[1].to_owned();
    insta::assert_snapshot!(calendar(&days));
}

#[test]
fn no_hours() {
    assert!(!week(&[]).contains("<rect class=a"));
}

#[test]
fn hours_of_zeros() {
    let html = week(&vec![value(0); 168]);
    assert_eq!(html.matches("<rect><title>").count(), 168 + 1);
}

#[test]
fn hours_of_the_week() {
    let hours: Vec<Value> = (0..168_u128).map(|n| if n % 24 < 7 { value(0) } else { value(n * n * 1000) }).collect();
    let html = week(&hours);
    assert!(html.contains("<title>Tue 13:00: 1,369,000</title>"), "{html}");
    insta::assert_snapshot!(html);
}
