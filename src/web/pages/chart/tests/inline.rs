use askama::Template;

use super::*;

fn draw(chart: &impl Template) -> String {
    let html = chart.render().unwrap();
    assert_safe(&html);
    html
}

#[test]
fn shares() {
    let kinds = [(Colour::CacheRead, 900), (Colour::Input, 0), (Colour::Output, 99), (Colour::CacheWrite, 1)];
    let drawn = [
        draw(&Shares::many(&kinds)),
        draw(&Shares::many(&[])),
        draw(&Shares::one(Colour::Model(2), 1, 3)),
        draw(&Shares::one(Colour::Plain, 1, u128::MAX)),
        draw(&Shares::one(Colour::Plain, 0, 0)),
        draw(&Shares::one(Colour::Plain, 5, 3)),
    ];
    insta::assert_snapshot!(drawn.join("\n\n"));
}

#[test]
fn sparklines() {
    let drawn = [vec![], vec![7], vec![0, 0, 0], vec![1, 5, 2], vec![1, u128::MAX]];
    let drawn = drawn.map(|amounts| draw(&Sparkline::of(Colour::Plain, &amounts)));
    insta::assert_snapshot!(drawn.join("\n\n"));
}

#[test]
fn gauges() {
    let drawn = [(0, None, 100), (45, Some(72), 100), (80, Some(140), 100), (120, Some(110), 100), (0, Some(0), 0)];
    let drawn = drawn.map(|(used, expected, whole)| draw(&Gauge::of(used, expected, whole, NASTY[0].to_owned())));
    insta::assert_snapshot!(drawn.join("\n\n"));
}
