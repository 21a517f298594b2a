//! Forms that our own pages post, and where they lead afterwards. That they come from our own pages is the guard's matter.

use warp::http::{HeaderValue, StatusCode, header};

use crate::route::{Request, Response};
use crate::web::error::ApiError;

/// The fields of a form.
pub struct Form<'a>(&'a [u8]);

impl<'a> Form<'a> {
    const TYPE: &'static str = "application/x-www-form-urlencoded";

    /// An error if the body is none.
    pub fn of(request: &'a Request) -> Result<Self, ApiError> {
        if is_of_type(request, Self::TYPE) { Ok(Self(&request.body)) } else { Err(ApiError::media_type(Self::TYPE)) }
    }

    pub fn field(&self, name: &str) -> Option<String> {
        parameter(self.0, name)
    }

    /// Where it was sent from, if that is a page of ours.
    pub fn back(&self) -> Option<String> {
        self.field("back").filter(|path| is_path(path))
    }
}

/// The body is said to be of a media type.
pub fn is_of_type(request: &Request, expected: &str) -> bool {
    let kind = request.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(expected))
}

/// A field of a form or of a query.
pub fn parameter(text: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(text).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// A path of this server and nothing else. Browsers take `//host` and `/\host` for other servers, and leave out what is not
/// printable.
pub fn is_path(path: &str) -> bool {
    let printable = path.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
    path.starts_with('/') && !path.starts_with("//") && printable && path.len() <= 1024
}

/// Leads on to a path, after something was changed.
pub fn see_other(path: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    let path = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, path);
    response
}
