//! Numbers of the history in words, as several pages show them.

use std::sync::Arc;

use super::chart::{Colour, Shares, share};
use super::format::{self, Format, Number, percent};
use super::language::{Text, Words};
use crate::event::{Tally, TokenCounts};

/// A tally in words.
pub struct Row {
    pub responses: Number,
    pub input: Number,
    pub output: Number,
    pub cache_write: Number,
    pub cache_read: Number,
    pub total: Number,
    pub hit_rate: String,
    /// None where no token has a price.
    pub cost: Option<String>,
}

impl Row {
    pub fn of(tally: &Tally, format: &Format) -> Self {
        Self {
            responses: format.things(tally.requests),
            input: format.count(tally.tokens.input),
            output: format.count(tally.tokens.output),
            cache_write: format.count(tally.tokens.cache_write()),
            cache_read: format.count(tally.tokens.cache_read),
            total: format.count(tally.tokens.total()),
            hit_rate: percent(tally.cache_hit_rate()),
            cost: format.cost(tally),
        }
    }
}

/// A name and what there is to say of it.
pub struct Fact {
    pub name: Text,
    pub text: String,
}

impl Fact {
    pub fn of(name: Text, text: impl Into<String>) -> Self {
        Self { name, text: text.into() }
    }
}

/// A part of a whole, in words and as a bar.
pub struct Share {
    pub text: String,
    pub bar: Shares,
}

impl Share {
    pub fn of(part: u64, whole: u64) -> Self {
        Self::coloured(Colour::Plain, part, whole)
    }

    pub fn coloured(colour: Colour, part: u64, whole: u64) -> Self {
        Self { text: percent(share(part.into(), whole.into())), bar: Shares::one(colour, part.into(), whole.into()) }
    }
}

/// A change against as much time before.
pub struct Delta {
    /// `up`, `down` or `same`.
    pub class: &'static str,
    pub text: String,
}

impl Delta {
    /// None where there was nothing before: any number would be infinitely more.
    #[expect(clippy::cast_precision_loss, reason = "a ratio for display")]
    pub fn of(now: i128, before: i128, words: &Words) -> Option<Self> {
        if before <= 0 {
            return None;
        }
        let change = (now - before) as f64 / before as f64 * 100.0;
        Some(match change {
            change if change.abs() < 0.05 => Self { class: "same", text: words.common.unchanged.to_string() },
            change if change >= 999.5 => Self { class: "up", text: format!("×{:.0}", change / 100.0 + 1.0) },
            change if change > 0.0 => Self { class: "up", text: format!("+{change:.1}%") },
            change => Self { class: "down", text: format!("−{:.1}%", -change) },
        })
    }
}

impl Delta {
    /// The change of a share, in percentage points.
    pub fn of_shares(now: f64, before: f64, words: &Words) -> Self {
        let change = (now - before) * 100.0;
        let (class, text) = match change {
            change if change.abs() < 0.05 => return Self { class: "same", text: words.common.unchanged.to_string() },
            change if change > 0.0 => ("up", format!("+{change:.1}")),
            change => ("down", format!("−{:.1}", -change)),
        };
        Self { class, text: words.common.points.with("n", text).into() }
    }
}

/// A kind of tokens: what it is called, its colour, and what there is of it.
pub type KindOf = (Text, Colour, fn(&TokenCounts) -> u64);

/// The four kinds, the most voluminous first.
pub fn kinds(words: &Words) -> [KindOf; 4] {
    let names = &words.common;
    [
        (names.cache_reads, Colour::CacheRead, |tokens| tokens.cache_read),
        (names.cache_writes, Colour::CacheWrite, |tokens| tokens.cache_write()),
        (names.input, Colour::Input, |tokens| tokens.input),
        (names.output, Colour::Output, |tokens| tokens.output),
    ]
}

/// What each of them is of the whole.
pub struct Kinds {
    pub bar: Shares,
    pub all: Vec<Kind>,
}

/// One of the four.
pub struct Kind {
    pub class: &'static str,
    pub name: Text,
    pub explanation: String,
    pub count: Number,
    pub share: String,
}

impl Kinds {
    pub fn of(tokens: TokenCounts, words: &Words, format: &Format) -> Self {
        let t = &words.overview;
        let writes = t
            .kind_cache_writes
            .with("five", format.count(tokens.cache_write_5m))
            .with("hour", format.count(tokens.cache_write_1h));
        let kinds = kinds(words);
        let parts: Vec<(Colour, u128)> = kinds.iter().map(|(_, colour, of)| (*colour, of(&tokens).into())).collect();
        let explanations =
            [t.kind_cache_reads.to_string(), writes.into(), t.kind_input.to_string(), t.kind_output.to_string()];
        let kind = |((name, colour, of), explanation): (KindOf, String)| {
            let count = of(&tokens);
            let share = percent(share(count.into(), tokens.total().into()));
            Kind { class: colour.class(), name, explanation, count: format.count(count), share }
        };
        let all = kinds.into_iter().zip(explanations).map(kind).collect();
        Self { bar: Shares::many(&parts), all }
    }
}

/// What projects are called: only as much of a path as tells them apart, since where people keep things is their business.
pub fn project_names(paths: &[Arc<str>], words: &Words) -> Vec<String> {
    let short: Vec<String> = paths.iter().map(|path| last_parts(path, 1, words)).collect();
    let name = |(path, name): (&Arc<str>, &String)| {
        let is_unique = short.iter().filter(|other| *other == name).count() == 1;
        format::cut(&if is_unique { name.clone() } else { last_parts(path, 2, words) })
    };
    paths.iter().zip(&short).map(name).collect()
}

fn last_parts(path: &str, count: usize, words: &Words) -> String {
    let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    match parts.len() {
        0 => words.common.no_project.to_string(),
        length => parts[length.saturating_sub(count)..].join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::language::Language;

    #[test]
    fn projects_are_named_by_as_little_of_their_path_as_tells_them_apart() {
        fn check(paths: &[&str], expected: &[&str]) {
            let paths: Vec<Arc<str>> = paths.iter().map(|path| (*path).into()).collect();
            assert_eq!(project_names(&paths, Language::English.words()), expected);
        }
        check(&["/home/ada/code/api", "/home/ada/web"], &["api", "web"]);
        check(&["/home/ada/work/api", "/home/ada/play/api/", "/x/web"], &["work/api", "play/api", "web"]);
        check(&["C:\\Users\\ada\\api", "/", ""], &["api", "(no project)", "(no project)"]);
    }

    #[test]
    fn changes_are_computed_or_absent() {
        let delta = |now, before| Delta::of(now, before, Language::English.words()).map(|delta| delta.text);
        assert_eq!(delta(110, 100).as_deref(), Some("+10.0%"));
        assert_eq!(delta(1, 3).as_deref(), Some("−66.7%"));
        assert_eq!(delta(100, 100).as_deref(), Some("unchanged"));
        assert_eq!(delta(2500, 100).as_deref(), Some("×25"));
        assert_eq!(delta(0, 5).as_deref(), Some("−100.0%"));
        assert_eq!(delta(5, 0), None);
    }

    #[test]
    fn changes_of_shares_are_in_points() {
        let delta = |now, before| Delta::of_shares(now, before, Language::English.words()).text;
        assert_eq!(delta(0.95, 0.9), "+5.0 points");
        assert_eq!(delta(0.5, 0.512), "−1.2 points");
        assert_eq!(delta(0.5, 0.5004), "unchanged");
    }

    #[test]
    fn kinds_are_the_whole_together() {
        let tokens = TokenCounts { input: 1, output: 2, cache_read: 6, cache_write_5m: 1, ..TokenCounts::default() };
        let kinds = Kinds::of(tokens, Language::English.words(), &Format::default());
        let shown: Vec<_> = kinds.all.into_iter().map(|kind| (kind.class, kind.share)).collect();
        let expected = [("cache-read", "60.0%"), ("cache-write", "10.0%"), ("input", "10.0%"), ("output", "20.0%")];
        assert_eq!(shown, expected.map(|(class, share)| (class, share.to_owned())));
    }
}
