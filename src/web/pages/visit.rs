//! One request for a page: who asks, for which view, and what is known just then.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use askama::Template;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use warp::http::{Method, StatusCode};

use super::format::Format;
use super::frame::Frame;
use super::html;
use super::language::{Text, Words};
use super::preferences::Taste;
use super::view::View;
use crate::event::UnixMillis;
use crate::hub::Snapshot;
use crate::route::{Class, Request, Response, Route};
use crate::store::{Filter, Span};
use crate::web::WebState;
use crate::web::api::scope::{END, MODEL, PROJECT, START, Scope, TZ, day};
use crate::web::error::ApiError;
use crate::web::query::{Asked, Parameter};

/// A page under way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send>>;

/// What is at a path, declared once for the router and for the navigation.
pub struct Page {
    pub path: &'static str,
    /// What the navigation calls it; none where the way there is another.
    pub nav: Option<fn(&Words) -> Text>,
    /// What it may be asked with besides what every page may.
    pub parameters: &'static [&'static Parameter],
    pub handler: fn(Visit) -> Answering,
}

impl Page {
    pub fn route(&'static self, state: &WebState) -> Route {
        let state = state.clone();
        let handler = move |request| {
            let state = state.clone();
            async move { self.answer(&state, request).await }
        };
        Route::new(Method::GET, self.path, handler).class(Class::Page)
    }

    /// The page, or why there is none.
    pub(super) async fn answer(&'static self, state: &WebState, request: Arc<Request>) -> Response {
        match Visit::of(state, self, request) {
            Ok(visit) => (self.handler)(visit).await.unwrap_or_else(ApiError::response),
            Err(error) => error.response(),
        }
    }
}

/// One request for a page.
pub struct Visit {
    pub state: WebState,
    pub request: Arc<Request>,
    /// The path of the page as it is declared.
    pub page: &'static str,
    pub view: View,
    /// The page's own parameters.
    pub asked: Asked,
    pub taste: Taste,
    /// The totals of this moment; all of a page is about the same one.
    pub snapshot: Arc<Snapshot>,
    pub now: UnixMillis,
    pub format: Format,
}

impl Visit {
    fn of(state: &WebState, page: &'static Page, request: Arc<Request>) -> Result<Self, ApiError> {
        let settings = &state.settings;
        let mut path = page.path.to_owned();
        for (name, value) in &request.variables {
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            path = path.replace(&format!("{{{name}}}"), &value.to_string());
        }
        let (view, asked) = View::read(path, &request.query, page.parameters, &settings.zone)?;
        let taste = Taste::of(&request.headers, &request.query, settings.language);
        let zone = view.zone.clone().unwrap_or_else(|| settings.zone.clone());
        Ok(Self {
            page: page.path,
            view,
            asked,
            taste,
            snapshot: state.hub.snapshot(),
            now: state.clock.now(),
            format: Format { language: taste.language, zone, currency: settings.currency.clone() },
            state: state.clone(),
            request,
        })
    }

    /// The texts of the page.
    pub fn words(&self) -> &'static Words {
        self.taste.language.words()
    }

    pub fn zone(&self) -> &TimeZone {
        &self.format.zone
    }

    /// The present day of whoever asks.
    pub fn today(&self) -> Date {
        day(self.now, self.zone())
    }

    /// Costs are shown.
    pub fn costs(&self) -> bool {
        self.state.hub.shows_costs()
    }

    /// What the page is about: the range and the filters of the view.
    pub fn scope(&self) -> Result<Scope, ApiError> {
        Ok(self.scope_of(self.view.range.span(self.now, self.zone())?))
    }

    /// The same filters over an equal time before, if there is one.
    pub fn scope_before(&self) -> Option<Scope> {
        self.view.range.before(self.now, self.zone()).map(|span| self.scope_of(span))
    }

    /// The filters of the view over any time.
    pub fn scope_of(&self, span: Span) -> Scope {
        let filter =
            Filter { models: self.view.models.clone(), projects: self.view.projects.clone(), ..Filter::default() };
        Scope { span, zone: self.zone().clone(), filter, today: self.today() }
    }

    /// Where the API says the same: the view as the API's parameters, and what else there is to say.
    pub fn api(&self, path: &str, more: &[(&str, &str)]) -> String {
        self.api_since("1970-01-01", path, more)
    }

    /// The same for what cannot be asked of all time at once: a range without a beginning begins with `first`. Without any
    /// beginning many answers would reach back some days only.
    pub fn api_since(&self, first: &str, path: &str, more: &[(&str, &str)]) -> String {
        let pairs = self.api_pairs();
        let has_start = pairs.iter().any(|(name, _)| *name == START.name);
        let start = (!has_start).then_some((START.name, first));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(start).extend_pairs(pairs).extend_pairs(more);
        format!("{path}?{}", query.finish())
    }

    /// The view as the API's parameters.
    pub fn api_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        if let Ok(scope) = self.scope() {
            let range = scope.range();
            pairs.extend(range.start.map(|at| (START.name, at)));
            pairs.extend(range.end.map(|at| (END.name, at)));
        }
        pairs.extend(self.zone().iana_name().map(|zone| (TZ.name, zone.to_owned())));
        pairs.extend(self.view.models.iter().map(|model| (MODEL.name, model.to_string())));
        pairs.extend(self.view.projects.iter().map(|project| (PROJECT.name, project.to_string())));
        pairs
    }

    /// What is said where there is nothing in the range.
    pub fn nothing_here(&self) -> String {
        let t = &self.words().common;
        match self.snapshot.last_event_at {
            Some(newest) => t.nothing_newest.with("newest", self.format.instant(newest)).into(),
            None => t.nothing_here.to_string(),
        }
    }

    /// What every page shows, under a title.
    pub fn frame(&self, title: impl Into<String>) -> Frame {
        Frame::of(self, title.into())
    }

    /// The page itself.
    pub fn show(&self, page: &impl Template) -> Response {
        html(StatusCode::OK, page)
    }
}
