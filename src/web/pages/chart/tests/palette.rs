//! What the eye makes of the colours, computed from the stylesheets themselves: contrast as WCAG 2.2 defines it, distance
//! in Oklab, and the sight of people without one of their cones as Machado, Oliveira and Fernandes model it (2009).

use std::path::Path;

const CHART: &str = include_str!("../../../../../templates/static/chart.css");

/// Red, green and blue in linear light.
type Light = [f64; 3];

type Matrix = [[f64; 3]; 3];

const SIGHTS: [(&str, Matrix); 3] = [
    ("usual sight", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanopia",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ),
    (
        "deuteranopia",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    ),
];

/// What is just told apart beside each other is 0.02.
const LEAST_DISTANCE: f64 = 0.055;

fn apply(matrix: &Matrix, of: Light) -> Light {
    matrix.map(|row| row.iter().zip(of).map(|(factor, part)| factor * part).sum())
}

fn light(hex: &str) -> Light {
    let part = |at: usize| {
        let part = f64::from(u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap()) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    [part(0), part(2), part(4)]
}

fn luminance(of: Light) -> f64 {
    0.2126 * of[0] + 0.7152 * of[1] + 0.0722 * of[2]
}

fn contrast(one: Light, other: Light) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn oklab(of: Light) -> Light {
    let cones: Matrix = [
        [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
        [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
        [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
    ];
    let axes: Matrix = [
        [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
        [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
        [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
    ];
    apply(&axes, apply(&cones, of).map(f64::cbrt))
}

fn distance(sight: &Matrix, one: Light, other: Light) -> f64 {
    let seen = |of: Light| oklab(apply(sight, of).map(|part| part.clamp(0.0, 1.0)));
    seen(one).iter().zip(seen(other)).map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
}

/// A colour in the light theme and in the dark one.
fn pair(name: &str) -> [Light; 2] {
    let (_, rest) = CHART.split_once(&format!("--{name}: light-dark(#")).unwrap_or_else(|| panic!("no --{name}"));
    let (one, rest) = rest.split_once(", #").unwrap();
    [light(one), light(rest.split(')').next().unwrap())]
}

/// Every background that a panel has in any of the stylesheets, in the order of the themes.
fn panels() -> [Vec<Light>; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/static");
    let mut panels = [Vec::new(), Vec::new()];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "css") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for value in text.split("--panel:").skip(1).filter_map(|rest| rest.split(';').next()) {
            for panel in value.split('#').skip(1).map(light) {
                panels[usize::from(luminance(panel) < 0.5)].push(panel);
            }
        }
    }
    assert!(panels.iter().all(|theme| !theme.is_empty()), "no panel in either theme");
    panels
}

const KINDS: [&str; 4] = ["output", "input", "cache-write", "cache-read"];
const MODELS: [&str; 9] = ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "other"];
const STEPS: [&str; 5] = ["heat-a", "heat-b", "heat-c", "heat-d", "heat-e"];

#[test]
fn every_colour_stands_out_from_the_panel() {
    for (theme, panels) in panels().into_iter().enumerate() {
        for name in KINDS.iter().chain(&MODELS).chain(&STEPS[3..]) {
            for panel in &panels {
                let contrast = contrast(pair(name)[theme], *panel);
                assert!(contrast >= 3.0, "{name} in theme {theme}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn colours_of_one_chart_are_told_apart_whatever_the_sight() {
    for (names, theme) in [&KINDS[..], &MODELS].into_iter().flat_map(|names| [(names, 0), (names, 1)]) {
        for (n, one) in names.iter().enumerate() {
            for other in &names[..n] {
                for (sight, matrix) in &SIGHTS {
                    let distance = distance(matrix, pair(one)[theme], pair(other)[theme]);
                    assert!(distance >= LEAST_DISTANCE, "{one} and {other}, theme {theme}, {sight}: {distance:.3}");
                }
            }
        }
    }
}

#[test]
fn each_step_of_a_heatmap_stands_out_more_than_the_one_before() {
    for (theme, panels) in panels().into_iter().enumerate() {
        for panel in panels {
            let contrasts = STEPS.map(|name| contrast(pair(name)[theme], panel));
            assert!(contrasts[0] > 1.2, "{contrasts:?}");
            assert!(contrasts.windows(2).all(|steps| steps[1] > steps[0] * 1.25), "theme {theme}: {contrasts:?}");
        }
    }
}
