use askama::Template;
use jiff::ToSpan;
use jiff::civil::date;

use super::*;
use crate::web::pages::count::{THOUSANDS, rounded};

fn kinds() -> [Series; 4] {
    [
        ("Cache reads", Colour::CacheRead),
        ("Cache writes", Colour::CacheWrite),
        ("Input", Colour::Input),
        ("Output", Colour::Output),
    ]
    .map(|(name, colour)| Series { name: name.to_owned(), colour })
}

/// The last so many days up to November 30.
fn days(count: u16, amounts: impl Fn(u128) -> [u128; 4]) -> Vec<Column> {
    let first = date(2026, 12, 1).saturating_sub(i64::from(count).days());
    (0..count)
        .map(|n| {
            let day = first.saturating_add(i64::from(n).days());
            let amounts = amounts(n.into());
            Column {
                name: day.strftime("%a %Y-%m-%d").to_string(),
                label: day.strftime("%b %-d").to_string(),
                landmark: day.day() == 1,
                values: amounts.map(value).into(),
                total: value(amounts.into_iter().fold(0, u128::saturating_add)).text,
                ..Column::default()
            }
        })
        .collect()
}

/// As on a page: many reads, little input.
fn usual(n: u128) -> [u128; 4] {
    let busy = if n % 7 > 4 { 1 } else { 9 + n % 5 };
    [busy * 4_321_987, busy * 312_456, busy * 13_579, busy * 98_765 + n]
}

fn words() -> ColumnsWords {
    ColumnsWords {
        frame: frame("trend"),
        columns: "Day".to_owned(),
        total: Some("Total".to_owned()),
        more: Vec::new(),
        estimate: "Estimated".to_owned(),
        partial: "Partly covered".to_owned(),
    }
}

fn tick(amount: u128) -> String {
    u64::try_from(amount).map_or_else(|_| amount.to_string(), |count| rounded(count, &THOUSANDS))
}

fn draw(series: &[Series], columns: &[Column]) -> String {
    let html = Columns::of(series, columns, 7, 1, &tick, words()).render().unwrap();
    assert_safe(&html);
    html
}

#[test]
fn nothing() {
    insta::assert_snapshot!(draw(&kinds(), &[]));
}

#[test]
fn one_day() {
    insta::assert_snapshot!(draw(&kinds(), &days(1, |_| [400, 300, 200, 100])));
}

#[test]
fn zeros() {
    insta::assert_snapshot!(draw(&kinds(), &days(3, |_| [0; 4])));
}

#[test]
fn one_huge_value_leaves_the_small_ones_visible() {
    let columns = days(4, |n| if n == 2 { [u64::MAX.into(), u64::MAX.into(), 0, 0] } else { [0, 1, 2, 0] });
    insta::assert_snapshot!(draw(&kinds(), &columns));
}

#[test]
fn amounts_that_no_number_can_hold_are_cut_and_not_wrapped() {
    let html = draw(&kinds(), &days(2, |_| [u128::MAX, 1, 1, u128::MAX]));
    assert!(html.contains("class=\"cache-read\""), "{html}");
}

#[test]
fn thirty_days_with_a_gap_and_an_estimate() {
    let mut columns = days(30, usual);
    columns[3].partial = true;
    columns[3].note = Some("partly covered".to_owned());
    columns[4].estimate = Some(25_000_000);
    columns[4].total = "about 25,000,000".to_owned();
    columns[29].note = Some("so far".to_owned());
    insta::assert_snapshot!(draw(&kinds(), &columns));
}

#[test]
fn a_month_is_small() {
    let html = draw(&kinds(), &days(30, usual));
    assert!(drawing(&html).len() < 8 * 1024, "{} bytes", drawing(&html).len());
}

#[test]
fn four_hundred_days() {
    let html = draw(&kinds()[..1], &days(400, |n| [n * n * 977 % 5_000_000, 0, 0, 0]));
    assert_eq!(html.matches("<rect x=").count(), 400);
    assert_eq!(html.matches("<tr>").count(), 401);
    insta::assert_snapshot!(
        html.lines()
            .filter(|line| !line.starts_with("<tr><th") && !line.starts_with("<rect"))
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn eight_models_and_the_others_with_nasty_names() {
    let names = ["a", "b", "c", "d", "e", NASTY[0], NASTY[1], NASTY[2]];
    let colours = ModelColours::of(names);
    let mut series: Vec<Series> =
        names.iter().map(|name| Series { name: (*name).to_owned(), colour: colours.colour(name) }).collect();
    series.push(Series { name: "Others".to_owned(), colour: colours.colour("old") });
    let mut columns = days(2, |_| [0; 4]);
    for column in &mut columns {
        column.values = (1..=9).map(|n| value(n * 1000)).collect();
        column.total = NASTY[1].to_owned();
        column.note = Some(NASTY[0].to_owned());
    }
    insta::assert_snapshot!(draw(&series, &columns));
}

#[test]
fn labels_are_few() {
    fn check(count: u16, rhythm: usize, expected: &str) {
        let chart = Columns::of(&kinds(), &days(count, usual), rhythm, 1, &tick, words()).render().unwrap();
        let (_, dates) = chart.split_once("<g class=\"dates\">").unwrap();
        let dates = dates.split("</g>").next().unwrap();
        let texts: Vec<&str> = dates.split("</text>").filter_map(|label| label.rsplit('>').next()).collect();
        assert_eq!(texts.join(" ").trim_end(), expected, "{count}");
    }
    check(1, 7, "Nov 30");
    check(3, 7, "Nov 28 Nov 29 Nov 30");
    check(30, 7, "Nov 2 Nov 9 Nov 16 Nov 23 Nov 30");
    check(90, 7, "Sep 7 Sep 21 Oct 5 Oct 19 Nov 2 Nov 16 Nov 30");
    // Long ranges have the first of a month instead.
    check(150, 7, "Aug 1 Sep 1 Oct 1 Nov 1");
    check(400, 7, "Nov 1 Jan 1 Mar 1 May 1 Jul 1 Sep 1 Nov 1");
}

#[test]
fn money_has_lines_at_whole_cents() {
    let cost = Series { name: "Cost".to_owned(), colour: Colour::Plain };
    let mut columns = days(2, |_| [0; 4]);
    columns[1].values = vec![Value { amount: 34_000_000_000, text: "$0.03".to_owned() }];
    columns[0].values = vec![Value { amount: 0, text: "no price".to_owned() }];
    let cents = |amount: u128| format!("{}¢", amount / 10_000_000_000);
    let html = Columns::of(&[cost], &columns, 7, 10_000_000_000, &cents, words()).render().unwrap();
    assert_eq!((0..=4).filter(|n| html.contains(&format!(">{n}¢<"))).count(), 5, "{html}");
    assert!(html.contains("<td>no price</td>") && !html.contains("class=\"key\""), "{html}");
}
