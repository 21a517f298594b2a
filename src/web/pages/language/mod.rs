//! The languages of the pages. Every text stands once, in all languages side by side, in [`words`]; a text that is missing
//! in one does not compile. What transcripts say (models, paths, branches), names of settings and headers of CSV files are
//! never translated.

mod words;

use std::fmt;

use warp::http::HeaderMap;
use warp::http::header::ACCEPT_LANGUAGE;

pub use words::Words;

use super::format::Format;

/// A language that the pages speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    #[default]
    English,
    Chinese,
}

impl Language {
    /// Every language, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// Its name for programs (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// Its name for those who speak it.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "简体中文",
        }
    }

    /// What a sentence ends with.
    pub fn stop(self) -> &'static str {
        match self {
            Self::English => ".",
            Self::Chinese => "。",
        }
    }

    /// What stands between two sentences.
    pub fn between_sentences(self) -> &'static str {
        match self {
            Self::English => " ",
            Self::Chinese => "",
        }
    }

    /// Its texts.
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &Words::ENGLISH,
            Self::Chinese => &Words::CHINESE,
        }
    }

    /// The language with this name.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// What a browser likes best of what there is (RFC 9110, section 12.5.4). Every kind of Chinese is Chinese.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let lists = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut best: Option<(u16, Self)> = None;
        for range in lists.flat_map(|list| list.split(',')).take(32) {
            let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
            let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            let language = match primary.as_str() {
                "en" => Self::English,
                "zh" => Self::Chinese,
                _ => continue,
            };
            let weight = weight.trim().strip_prefix("q=").and_then(quality).unwrap_or(0);
            if weight > 0 && best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

/// A weight, `0.8`, in thousandths.
fn quality(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match whole {
        "1" => Some(1000),
        "0" => format!("{rest:0<3}").parse().ok(),
        _ => None,
    }
}

/// A text of the catalog. What is in braces is filled in; `one|many` are two forms, and the number decides.
#[derive(Clone, Copy, Debug)]
pub struct Text(&'static str);

impl Text {
    /// The text as it is.
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The text with `{name}` replaced.
    pub fn with(self, name: &str, value: impl fmt::Display) -> Filled {
        Filled(self.0.to_owned()).with(name, value)
    }

    /// The form for a number, with `{n}` replaced by it.
    pub fn count(self, number: u64, format: &Format) -> Filled {
        let (one, many) = self.0.split_once('|').unwrap_or((self.0, self.0));
        let form = if number == 1 { one } else { many };
        Filled(form.to_owned()).with("n", format.grouped(number))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A text with values in it.
#[derive(Clone, Debug)]
pub struct Filled(String);

impl Filled {
    /// The same with one more `{name}` replaced.
    #[must_use]
    pub fn with(self, name: &str, value: impl fmt::Display) -> Self {
        Self(self.0.replace(&format!("{{{name}}}"), &value.to_string()))
    }
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Filled> for String {
    fn from(filled: Filled) -> Self {
        filled.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use warp::http::HeaderValue;

    use super::*;

    /// The names in braces.
    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_text_has_the_same_places_in_every_language() {
        let mut count = 0;
        for (group, pairs) in Words::PAIRS {
            for (key, english, chinese) in *pairs {
                let name = format!("{group}.{key}");
                assert!(!english.trim().is_empty() && !chinese.trim().is_empty(), "{name} is empty");
                for form in english.split('|') {
                    assert_eq!(places(form), places(chinese), "{name}");
                }
                assert!(!chinese.contains('|'), "{name}: Chinese has one form");
                // Whoever cannot read the page looks for the way to another language.
                let is_for_both = name == "common.language";
                assert!(is_for_both || !english.chars().any(is_chinese), "{name}: Chinese among the English");
                count += 1;
            }
        }
        assert!(count > 100, "{count} texts");
    }

    fn is_chinese(letter: char) -> bool {
        ('\u{4e00}'..='\u{9fff}').contains(&letter)
    }

    #[test]
    fn nearly_every_text_is_translated() {
        // Names and units are the same everywhere.
        let same: Vec<String> = Words::PAIRS
            .iter()
            .flat_map(|(group, pairs)| pairs.iter().map(move |pair| (group, pair)))
            .filter(|(_, (_, english, chinese))| english == chinese)
            .map(|(group, (key, ..))| format!("{group}.{key}"))
            .collect();
        assert_eq!(same, ["common.brand", "common.api", "common.language"]);
    }

    #[test]
    fn the_browser_is_asked() {
        fn check(header: &'static str, expected: Option<Language>) {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(header));
            assert_eq!(Language::accepted(&headers), expected, "{header}");
        }
        check("zh-CN,zh;q=0.9,en;q=0.8", Some(Language::Chinese));
        check("zh-TW", Some(Language::Chinese));
        check("de-DE,de;q=0.9,en;q=0.8,zh;q=0.7", Some(Language::English));
        check("en;q=0.2, ZH-hans;q=0.25", Some(Language::Chinese));
        check("zh;q=0, en;q=0.001", Some(Language::English));
        check("de, *;q=0.5", None);
        check("zh;q=2, en;q=x", None);
        check("", None);
    }

    #[test]
    fn texts_are_filled_in() {
        let format = Format::default();
        let text = Text("{n} of {all}|{n} of {all} things");
        assert_eq!(text.count(1, &format).with("all", 5).to_string(), "1 of 5");
        assert_eq!(text.count(1234, &format).with("all", "<b>").to_string(), "1,234 of <b> things");
        assert_eq!(Text("a {x}").with("x", "{y}").to_string(), "a {y}");
    }
}
