//! What an endpoint is: how it is asked, what it answers, and what is said of both in the API's own document. Declared once,
//! so that the two cannot differ.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use warp::http::Method;

use crate::route::{Access, Class, Request, Response, Route};
use crate::web::WebState;
use crate::web::error::ApiError;
use crate::web::query::{Asked, Parameter};

/// An answer under way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send>>;

/// What answers. The parameters are read and sound when it is called.
pub type Handler = fn(WebState, Arc<Request>, Asked) -> Answering;

/// What is done at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Changes something.
    Post,
}

impl Verb {
    pub fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
        }
    }
}

/// One method at one path.
#[derive(Debug)]
pub struct Endpoint {
    pub verb: Verb,
    pub path: &'static str,
    pub access: Access,
    pub class: Class,
    /// The group it is listed in.
    pub tag: &'static str,
    pub summary: &'static str,
    /// What one has to know to use it; may be empty.
    pub about: &'static str,
    /// The variable parts of the path.
    pub variables: &'static [&'static Parameter],
    /// In groups that endpoints share.
    pub parameters: &'static [&'static [&'static Parameter]],
    /// What has to be sent along.
    pub body: Option<Content>,
    pub answer: Content,
    /// Status codes beyond those that any request can meet.
    pub refusals: &'static [u16],
    /// None: a sink answers, and brings the route itself.
    pub handler: Option<Handler>,
}

/// A body as the document describes it.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    pub media_type: &'static str,
    pub about: &'static str,
    /// None for text of no further structure.
    pub schema: Option<Shape>,
    /// As text; JSON where the media type says so.
    pub example: &'static str,
}

/// A type's description, without the type.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub name: fn() -> Cow<'static, str>,
    pub schema: fn() -> RefOr<Schema>,
    pub parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Shape {
    /// Lists have no name of their own: any two of them are called the same.
    pub fn named(&self) -> bool {
        (self.name)() != "Vec"
    }
}

impl Content {
    /// JSON of a type.
    pub const fn json<T: ToSchema>(about: &'static str, example: &'static str) -> Self {
        let schema = Some(Shape { name: T::name, schema: T::schema, parts: T::schemas });
        Self { media_type: "application/json", about, schema, example }
    }

    /// Something else.
    pub const fn text(media_type: &'static str, about: &'static str, example: &'static str) -> Self {
        Self { media_type, about, schema: None, example }
    }
}

impl Endpoint {
    /// A `GET` of data, for whoever is logged in, without parameters.
    pub const fn get(path: &'static str, tag: &'static str, answer: Content, handler: Handler) -> Self {
        Self {
            verb: Verb::Get,
            path,
            access: Access::Login,
            class: Class::Api,
            tag,
            summary: "",
            about: "",
            variables: &[],
            parameters: &[],
            body: None,
            answer,
            refusals: &[],
            handler: Some(handler),
        }
    }

    /// What a sink answers, as the document tells it.
    pub const fn of_a_sink(path: &'static str, tag: &'static str, class: Class, answer: Content) -> Self {
        Self {
            verb: Verb::Get,
            path,
            access: Access::Login,
            class,
            tag,
            summary: "",
            about: "",
            variables: &[],
            parameters: &[],
            body: None,
            answer,
            refusals: &[],
            handler: None,
        }
    }

    /// The route that it is; none where a sink brings it.
    pub fn route(&'static self, state: &WebState) -> Option<Route> {
        let (answer, state) = (self.handler?, state.clone());
        let handler = move |request: Arc<Request>| {
            let answering = Asked::read(&request.query, self.parameters)
                .map(|asked| answer(state.clone(), Arc::clone(&request), asked));
            async move {
                match answering {
                    Ok(answering) => answering.await.unwrap_or_else(ApiError::response),
                    Err(error) => error.response(),
                }
            }
        };
        Some(Route::new(self.verb.method(), self.path, handler).access(self.access).class(self.class))
    }
}
