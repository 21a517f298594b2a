//! What somebody likes: language and colours. Kept in cookies that the server reads, so that the first byte of a page is
//! already right; set by a form that works without a script.

use std::sync::Arc;

use warp::http::{HeaderMap, HeaderValue, header};

use super::language::Language;
use crate::plugin::Routes;
use crate::route::{Access, Class, Request, Response, Route};
use crate::web::error::ApiError;
use crate::web::form::{Form, see_other};

/// The colours of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system has them.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// Its name for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// What the one who asks likes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taste {
    pub language: Language,
    pub theme: Theme,
}

const LANGUAGE_COOKIE: &str = "ctm_language";
const THEME_COOKIE: &str = "ctm_theme";

impl Taste {
    /// The language: of the address, of the cookie, as configured, as the browser asks for it. The theme: of the cookie.
    pub fn of(headers: &HeaderMap, query: &str, configured: Option<Language>) -> Self {
        let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "lang");
        let language = asked
            .and_then(|(_, tag)| Language::of_tag(&tag))
            .or_else(|| cookie(headers, LANGUAGE_COOKIE).and_then(Language::of_tag))
            .or(configured)
            .or_else(|| Language::accepted(headers))
            .unwrap_or_default();
        let theme = cookie(headers, THEME_COOKIE).and_then(Theme::of_name).unwrap_or_default();
        Self { language, theme }
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lists = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lists.flat_map(|list| list.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// `POST /preferences`. Open to everybody, since whoever has to log in may want to read the login.
pub fn routes() -> Routes {
    let handler = |request: Arc<Request>| std::future::ready(chosen(&request).unwrap_or_else(ApiError::response));
    vec![Route::new(warp::http::Method::POST, "/preferences", handler).access(Access::Open).class(Class::Page)]
}

/// Sets what was chosen and goes back to where it was chosen.
fn chosen(request: &Request) -> Result<Response, ApiError> {
    let form = Form::of(request)?;
    let mut response = see_other(form.back().as_deref().unwrap_or("/"));
    let language = form.field("language").and_then(|tag| Language::of_tag(&tag)).map(Language::tag);
    let theme = form.field("theme").and_then(|name| Theme::of_name(&name)).map(Theme::name);
    for (name, value) in [(LANGUAGE_COOKIE, language), (THEME_COOKIE, theme)] {
        let Some(value) = value else { continue };
        let secured = if request.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secured}");
        if let Ok(cookie) = HeaderValue::try_from(text) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_goes_before_the_cookie_before_the_settings_before_the_browser() {
        fn check(query: &str, cookie: &'static str, configured: Option<Language>, browser: &'static str) -> Language {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(browser));
            Taste::of(&headers, query, configured).language
        }
        use Language::{Chinese, English};
        assert_eq!(check("lang=en", "ctm_language=zh-CN", Some(Chinese), "zh"), English);
        assert_eq!(check("lang=xx", "a=b; ctm_language=zh-CN", Some(English), "en"), Chinese);
        assert_eq!(check("", "ctm_language=xx", Some(Chinese), "en"), Chinese);
        assert_eq!(check("", "", None, "zh-CN"), Chinese);
        assert_eq!(check("", "", None, "fr"), English);
    }

    #[test]
    fn themes() {
        let mut headers = HeaderMap::new();
        assert_eq!(Taste::of(&headers, "", None).theme, Theme::Auto);
        headers.insert(header::COOKIE, HeaderValue::from_static("ctm_theme=dark"));
        assert_eq!(Taste::of(&headers, "", None).theme, Theme::Dark);
        headers.insert(header::COOKIE, HeaderValue::from_static("ctm_theme=\"><script>"));
        assert_eq!(Taste::of(&headers, "", None).theme, Theme::Auto);
    }
}
