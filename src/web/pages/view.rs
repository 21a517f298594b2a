//! What the address of a page says: the range, whose days, which models and projects, what a trend tells apart. All of it
//! is in the query string, so that a page can be shared, and every link is made of it, so that a page leads to another one
//! with the same view.

use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::language::Language;
use super::range::Range;
use crate::web::api::scope::{MODEL, PROJECT, TZ, day};
use crate::web::error::ApiError;
use crate::web::query::{Asked, Kind, Moment, Parameter};

static RANGE: Parameter = Parameter { name: "range", about: "", kind: Kind::Choice(&Range::NAMES), example: "7d" };
static START: Parameter = Parameter { name: "start", about: "", kind: Kind::Moment, example: "2026-01-01" };
static END: Parameter = Parameter { name: "end", about: "", kind: Kind::Moment, example: "2026-01-06" };
static BY: Parameter = Parameter { name: "by", about: "", kind: Kind::Choice(&By::NAMES), example: "model" };
static LANG: Parameter = Parameter { name: "lang", about: "", kind: Kind::Choice(&["", "en", "zh-CN"]), example: "en" };

/// What every page may be asked with.
const COMMON: [&Parameter; 8] = [&RANGE, &START, &END, &TZ, &MODEL, &PROJECT, &BY, &LANG];

/// What a trend tells apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Kinds of tokens.
    #[default]
    Kind,
    /// Models, by tokens.
    Model,
    /// Models, by cost.
    Cost,
}

impl By {
    pub const ALL: [Self; 3] = [Self::Kind, Self::Model, Self::Cost];
    const NAMES: [&'static str; 3] = ["kind", "model", "cost"];

    /// Its name in the address.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Model => "model",
            Self::Cost => "cost",
        }
    }
}

/// One view of the history.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The path of the page.
    path: String,
    pub range: Range,
    /// Whose days, where the address says so.
    pub zone: Option<TimeZone>,
    /// None: all.
    pub models: Vec<Arc<str>>,
    /// None: all.
    pub projects: Vec<Arc<str>>,
    pub by: By,
    /// The language, where the address says so.
    pub language: Option<Language>,
    /// What only this page may be asked with.
    own: Vec<(&'static str, String)>,
}

impl View {
    /// Reads the query string of a page at `path`. What is said of the page's own parameters is in the [`Asked`].
    pub fn read(
        path: String,
        query: &str,
        own: &[&'static Parameter],
        zone: &TimeZone,
    ) -> Result<(Self, Asked), ApiError> {
        let asked = Asked::read(query, &[&COMMON, own])?;
        let zone_said = asked.zone(&TZ);
        let days = zone_said.as_ref().unwrap_or(zone);
        let own_name = |name: &str| own.iter().find(|parameter| parameter.name == name).map(|parameter| parameter.name);
        let view = Self {
            path,
            range: Range::of(asked.word(&RANGE), bound(&asked, &START, days), bound(&asked, &END, days))?,
            models: asked.names(&MODEL),
            projects: asked.names(&PROJECT),
            by: By::ALL.into_iter().find(|by| by.name() == asked.word(&BY)).unwrap_or_default(),
            language: Language::of_tag(asked.word(&LANG)),
            own: form_urlencoded::parse(query.as_bytes())
                .filter(|(_, value)| !value.is_empty())
                .filter_map(|(name, value)| Some((own_name(&name)?, value.into_owned())))
                .collect(),
            zone: zone_said,
        };
        Ok((view, asked))
    }

    /// The address of this page with this view.
    pub fn url(&self) -> String {
        let own = self.own.iter().map(|(name, value)| (*name, value.as_str()));
        address(&self.path, self.pairs().iter().map(|(name, value)| (*name, value.as_str())).chain(own))
    }

    /// The address of another page with the same view.
    pub fn at(&self, path: &str) -> String {
        address(path, self.pairs().iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// What is not the default, as name and value; for links and for the hidden fields of forms.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if self.range != Range::default() {
            pairs.push((RANGE.name, self.range.name().to_owned()));
        }
        if let Range::Custom { first, last } = self.range {
            pairs.push((START.name, first.to_string()));
            pairs.push((END.name, last.to_string()));
        }
        pairs.extend(self.zone.as_ref().and_then(TimeZone::iana_name).map(|zone| (TZ.name, zone.to_owned())));
        pairs.extend(self.models.iter().map(|model| (MODEL.name, model.to_string())));
        pairs.extend(self.projects.iter().map(|project| (PROJECT.name, project.to_string())));
        if self.by != By::default() {
            pairs.push((BY.name, self.by.name().to_owned()));
        }
        pairs.extend(self.language.map(|language| (LANG.name, language.tag().to_owned())));
        pairs
    }

    /// The same without what is named, for forms that ask for it.
    pub fn pairs_without(&self, names: &[&str]) -> Vec<(&'static str, String)> {
        let own = self.own.iter().filter(|(name, _)| *name != "page").cloned();
        self.pairs().into_iter().chain(own).filter(|(name, _)| !names.contains(name)).collect()
    }

    /// The path of the page.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Only some models or projects are looked at.
    pub fn is_filtered(&self) -> bool {
        !self.models.is_empty() || !self.projects.is_empty()
    }

    #[must_use]
    pub fn with_range(&self, range: Range) -> Self {
        Self { range, ..self.at_first_page() }
    }

    #[must_use]
    pub fn with_by(&self, by: By) -> Self {
        Self { by, ..self.clone() }
    }

    #[must_use]
    pub fn with_models(&self, models: Vec<Arc<str>>) -> Self {
        Self { models, ..self.at_first_page() }
    }

    #[must_use]
    pub fn with_projects(&self, projects: Vec<Arc<str>>) -> Self {
        Self { projects, ..self.at_first_page() }
    }

    /// Everything, of all time.
    #[must_use]
    pub fn without_filters(&self) -> Self {
        Self { models: Vec::new(), projects: Vec::new(), ..self.at_first_page() }
    }

    /// The address of this page for everything of all time: where more is to be seen than nothing.
    pub fn widest(&self) -> String {
        self.without_filters().with_range(Range::All).url()
    }

    /// The language is no longer the address's business.
    #[must_use]
    pub fn without_language(&self) -> Self {
        Self { language: None, ..self.clone() }
    }

    /// The same with one of the page's own parameters; without it where the value is empty. Another order begins at the
    /// first page.
    #[must_use]
    pub fn with_own(&self, name: &'static str, value: &str) -> Self {
        let mut view = if name == "page" { self.clone() } else { self.at_first_page() };
        view.own.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            view.own.push((name, value.to_owned()));
        }
        view
    }

    fn at_first_page(&self) -> Self {
        let mut view = self.clone();
        view.own.retain(|(name, _)| *name != "page");
        view
    }
}

fn address<'a>(path: &str, pairs: impl Iterator<Item = (&'static str, &'a str)>) -> String {
    let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The path of one thing of a kind: `/projects/%2Fhome%2Fme%2Fshop`.
pub fn path_of(kind: &str, name: &str) -> String {
    let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    format!("{kind}/{name}")
}

/// A bound of the range as a day.
fn bound(asked: &Asked, parameter: &Parameter, zone: &TimeZone) -> Option<Date> {
    match asked.moment(parameter)? {
        Moment::Day(date) => Some(date),
        Moment::Instant(at) => Some(day(at, zone)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    static SORT: Parameter =
        Parameter { name: "sort", about: "", kind: Kind::Choice(&["tokens", "cost"]), example: "" };
    static PAGE: Parameter =
        Parameter { name: "page", about: "", kind: Kind::Integer { min: 1, max: 9, default: Some(1) }, example: "" };

    fn read(query: &str) -> Result<(View, Asked), ApiError> {
        View::read("/models".to_owned(), query, &[&SORT, &PAGE], &TimeZone::UTC)
    }

    #[test]
    fn a_view_is_written_as_it_was_read() {
        for query in [
            "",
            "range=7d",
            "range=custom&start=2026-01-01&end=2026-01-31",
            "range=all&tz=Asia%2FShanghai&model=a%2Fb+c&model=%3Cd%3E&project=%2Fhome%2Fme&by=cost&lang=zh-CN",
            "by=model&sort=cost&page=3",
        ] {
            let (view, _) = read(query).unwrap();
            let expected = if query.is_empty() { "/models".to_owned() } else { format!("/models?{query}") };
            assert_eq!(view.url(), expected);
        }
        assert_eq!(read("range=30d&by=kind&model=all&sort=").unwrap().0.url(), "/models");
    }

    #[test]
    fn a_link_keeps_everything_else() {
        let (view, asked) = read("range=7d&model=a&sort=cost&page=3&lang=en").unwrap();
        assert_eq!((asked.word(&SORT), asked.integer(&PAGE)), ("cost", Some(3)));
        assert_eq!(view.at("/projects"), "/projects?range=7d&model=a&lang=en");
        assert_eq!(view.with_range(Range::All).url(), "/models?range=all&model=a&lang=en&sort=cost");
        assert_eq!(view.with_by(By::Cost).url(), "/models?range=7d&model=a&by=cost&lang=en&sort=cost&page=3");
        assert_eq!(view.without_filters().without_language().url(), "/models?range=7d&sort=cost");
        assert_eq!(view.with_own("page", "4").url(), "/models?range=7d&model=a&lang=en&sort=cost&page=4");
        assert_eq!(view.with_own("sort", "tokens").url(), "/models?range=7d&model=a&lang=en&sort=tokens");
        assert_eq!(view.with_own("sort", "").url(), "/models?range=7d&model=a&lang=en");
        assert_eq!(path_of("/projects", "/home/me/a b"), "/projects/%2Fhome%2Fme%2Fa%20b");
    }

    #[test]
    fn a_start_or_an_end_makes_a_range_of_its_own() {
        let range = |query: &str| read(query).unwrap().0.range;
        let (first, last) = (date(2026, 1, 1), date(2026, 1, 31));
        assert_eq!(range("start=2026-01-01&end=2026-01-31"), Range::Custom { first, last });
        assert_eq!(range("range=custom&start=2026-01-01T23:59:59Z&end=2026-01-31"), Range::Custom { first, last });
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for query in [
            "range=8d",
            "by=colour",
            "tz=Mars/Olympus",
            "lang=xx",
            "start=soon",
            "start=2026-01-01",
            "range=custom",
            "rnage=7d",
            "range=custom&start=2026-02-01&end=2026-01-01",
            "sort=name",
        ] {
            assert!(read(query).is_err_and(|error| error.status.is_client_error()), "{query}");
        }
    }
}
