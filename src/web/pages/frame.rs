//! What every page shows around its own content: [`Frame`] is what `_layout.html` is made of.

use std::sync::Arc;

use warp::http::StatusCode;

use super::data;
use super::figures::project_names;
use super::format;
use super::language::{Language, Text, Words};
use super::preferences::{Taste, Theme};
use super::range::Range;
use super::situation::{self, Live, Notice, Progress, Welcome};
use super::visit::Visit;
use crate::version;
use crate::web::assets::{self, Links};

/// What is around a page.
pub struct Frame {
    /// The texts, for templates.
    pub t: &'static Words,
    pub language: Language,
    pub theme: Theme,
    pub links: Links,
    pub title: String,
    /// Where a choice of language or colours leads back to.
    pub back: String,
    /// Empty where nobody is known.
    pub nav: Vec<Choice>,
    pub live: Option<Live>,
    /// The most urgent first.
    pub notices: Vec<Notice>,
    /// Set until the first catch-up is done: numbers are partial. Without a script the browser then asks again by itself.
    pub progress: Option<Progress>,
    /// Set for as long as there is nothing to count; pages then show this instead of their numbers.
    pub welcome: Option<Welcome>,
    /// Set by pages that are about a range and filters.
    pub filters: Option<FilterBar>,
    /// What is said below a page that shows numbers.
    pub notes: Option<String>,
    pub costs: bool,
    /// Where one logs out, if there is a login.
    pub logout: Option<&'static str>,
    pub version: &'static str,
    /// How much of the history is in the page.
    pub revision: u64,
}

/// One of several things that a link leads to.
pub struct Choice {
    pub name: String,
    pub url: String,
    pub current: bool,
}

impl Choice {
    /// What one of a page's own parameters can be, each with its word in the address.
    pub fn of_own(visit: &Visit, name: &'static str, current: &str, all: &[(&str, Text)]) -> Vec<Self> {
        let choice = |(word, text): &(&str, Text)| Self {
            name: text.to_string(),
            url: visit.view.with_own(name, word).url(),
            current: *word == current,
        };
        all.iter().map(choice).collect()
    }
}

/// The form at the top: what the page is about.
pub struct FilterBar {
    pub ranges: Vec<Choice>,
    /// The days of a custom range.
    pub custom: Option<(String, String)>,
    pub zone: String,
    pub path: String,
    /// Fields that keep the rest of the view.
    pub hidden: Vec<(&'static str, String)>,
    /// Models that can be chosen.
    pub models: Vec<Arc<str>>,
    /// Projects that can be chosen, with their short names.
    pub projects: Vec<(Arc<str>, String)>,
    pub any_model: Text,
    pub any_project: Text,
    /// What is filtered by, and where it is removed.
    pub chips: Vec<Choice>,
    pub clear: String,
}

impl Frame {
    /// For a page that shows numbers.
    pub(super) fn of(visit: &Visit, title: String) -> Self {
        let t = visit.words();
        let (snapshot, health) = (&visit.snapshot, visit.state.health());
        let costs = visit.costs();
        Self {
            back: visit.view.without_language().url(),
            nav: nav(visit),
            live: Some(Live::of(&health, t)),
            notices: situation::notices(visit, &health),
            progress: Progress::of(&health, t),
            welcome: Welcome::of(snapshot, &health),
            notes: Some(notes(visit)),
            costs,
            logout: visit.state.auth.is_on().then_some("/logout"),
            revision: snapshot.revision,
            ..Self::bare(visit.taste, title)
        }
    }

    /// For a page of which nobody knows who asks: an error, the login.
    pub fn bare(taste: Taste, title: String) -> Self {
        Self {
            t: taste.language.words(),
            language: taste.language,
            theme: taste.theme,
            links: assets::links(),
            title,
            back: "/".to_owned(),
            nav: Vec::new(),
            live: None,
            notices: Vec::new(),
            progress: None,
            welcome: None,
            filters: None,
            notes: None,
            costs: false,
            logout: None,
            version: version::VERSION,
            revision: 0,
        }
    }

    /// With the form for range and filters.
    pub async fn with_filters(self, visit: &Visit) -> Self {
        Self { filters: Some(FilterBar::of(visit).await), ..self }
    }

    /// What the module in the browser says, as JSON.
    pub fn module_words(&self) -> String {
        self.t.module.json()
    }

    /// For a page that has something to say before there is anything to count.
    #[must_use]
    pub fn without_welcome(self) -> Self {
        Self { welcome: None, ..self }
    }

    /// Asks again later, without a script.
    pub fn reloads(&self) -> bool {
        self.progress.is_some() || self.welcome.is_some()
    }

    /// The languages: tag, name, whether it is this one.
    pub fn languages(&self) -> [(&'static str, &'static str, bool); 2] {
        Language::ALL.map(|language| (language.tag(), language.name(), language == self.language))
    }

    /// The themes, in the same way.
    pub fn themes(&self) -> [(&'static str, Text, bool); 3] {
        Theme::ALL.map(|theme| {
            let name = match theme {
                Theme::Auto => self.t.common.theme_auto,
                Theme::Light => self.t.common.theme_light,
                Theme::Dark => self.t.common.theme_dark,
            };
            (theme.name(), name, theme == self.theme)
        })
    }
}

fn nav(visit: &Visit) -> Vec<Choice> {
    let is_current = |path: &str| {
        let here = visit.view.path();
        here == path || (path != "/" && here.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    };
    let item = |page: &&super::visit::Page| {
        let name = (page.nav?)(visit.words()).to_string();
        Some(Choice { name, url: visit.view.at(page.path), current: is_current(page.path) })
    };
    super::PAGES.iter().filter_map(item).collect()
}

/// What numbers mean, in a sentence or two.
fn notes(visit: &Visit) -> String {
    let t = &visit.words().common;
    let mut notes = Vec::new();
    if visit.costs() {
        let stop = visit.taste.language.stop();
        let mut details = Vec::new();
        let table = &visit.snapshot.store.price_table;
        if !table.is_empty() {
            details.push(t.price_table.with("version", table).to_string());
        }
        details.extend(visit.format.rate());
        let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
        notes.push(format!("{}{details}{stop}", t.estimates));
    }
    notes.push(t.days_begin.with("zone", visit.format.zone_name()).to_string());
    notes.join(visit.taste.language.between_sentences())
}

impl FilterBar {
    /// The most projects to choose from.
    const PROJECTS: usize = 100;

    async fn of(visit: &Visit) -> Self {
        let (view, t) = (&visit.view, &visit.words().common);
        let ranges = Range::CHOICES.map(|range| Choice {
            name: range_name(range, visit.words()).to_string(),
            url: view.with_range(range).url(),
            current: range == view.range,
        });
        let custom = match view.range {
            Range::Custom { first, last } => Some((first.to_string(), last.to_string())),
            _ => None,
        };
        // Without names to choose from the page is still good for all else.
        let projects = data::project_names(&visit.state, Self::PROJECTS).await.unwrap_or_default();
        let names = project_names(&projects, visit.words());
        let asked_otherwise: &[&str] =
            if custom.is_some() { &["start", "end", "tz", "range"] } else { &["start", "end", "tz"] };
        Self {
            ranges: ranges.into(),
            custom,
            zone: visit.format.zone.iana_name().unwrap_or("UTC").to_owned(),
            path: view.path().to_owned(),
            hidden: view.pairs_without(asked_otherwise),
            models: visit.snapshot.models.keys().filter(|model| !view.models.contains(model)).cloned().collect(),
            projects: projects
                .iter()
                .cloned()
                .zip(names)
                .filter(|(project, _)| !view.projects.contains(project))
                .collect(),
            any_model: if view.models.is_empty() { t.all_models } else { t.another_model },
            any_project: if view.projects.is_empty() { t.all_projects } else { t.another_project },
            chips: chips(visit),
            clear: view.without_filters().url(),
        }
    }
}

fn chips(visit: &Visit) -> Vec<Choice> {
    let view = &visit.view;
    let without = |names: &[Arc<str>], name: &Arc<str>| names.iter().filter(|one| *one != name).cloned().collect();
    let chip = |name: &Arc<str>, url: String| Choice { name: format::cut(name), url, current: true };
    let models = view.models.iter().map(|name| chip(name, view.with_models(without(&view.models, name)).url()));
    let projects = view.projects.iter().map(|name| chip(name, view.with_projects(without(&view.projects, name)).url()));
    models.chain(projects).collect()
}

/// What a range is called.
pub fn range_name(range: Range, words: &Words) -> Text {
    let t = &words.common;
    match range {
        Range::Day => t.range_24h,
        Range::Week => t.range_7d,
        Range::Thirty => t.range_30d,
        Range::Ninety => t.range_90d,
        Range::Month => t.range_month,
        Range::All => t.range_all,
        Range::Custom { .. } => t.range_custom,
    }
}

/// The title and the text of a page for an error.
pub(super) fn error_words(status: StatusCode, words: &Words) -> (Text, Text) {
    let t = &words.states;
    match status {
        StatusCode::NOT_FOUND => (t.not_found, t.not_found_text),
        StatusCode::TOO_MANY_REQUESTS => (t.too_many, t.too_many_text),
        StatusCode::SERVICE_UNAVAILABLE => (t.unavailable, t.unavailable_text),
        status if status.is_client_error() => (t.bad_request, t.bad_request_text),
        _ => (t.failed, t.failed_text),
    }
}
