//! `GET /api/v1/openapi.json`: the API described by itself, as [OpenAPI 3.1](https://spec.openapis.org/oas/v3.1.0), made
//! from the very declarations that answer.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, HttpMethod, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem,
    PathsBuilder, Ref, RefOr, Required, ResponseBuilder, ResponsesBuilder, Schema,
};
use utoipa::{PartialSchema, ToSchema};
use warp::http::StatusCode;

use crate::route::{Access, Class, Request};
use crate::version;
use crate::web::WebState;
use crate::web::api::answer::Rendered;
use crate::web::api::endpoint::{Answering, Content, Endpoint, Verb};
use crate::web::api::endpoints;
use crate::web::query::{self, Asked, Kind, Parameter};

pub static ENDPOINTS: &[Endpoint] = &[Endpoint {
    summary: "This document",
    about: "The API described by itself, as OpenAPI 3.1. `/docs` shows the same to people.",
    access: Access::Login,
    ..Endpoint::get(
        "/api/v1/openapi.json",
        "about",
        Content::text("application/json", "OpenAPI 3.1", r#"{"openapi": "3.1.0"}"#),
        answer,
    )
}];

/// What is said when there is no answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"error": "limit: `0` cannot be", "code": "invalid_parameter", "parameter": "limit",
    "allowed": "a whole number from 1 to 100"}))]
pub struct Error {
    /// For people.
    pub error: String,
    /// For programs: one of a closed set that never changes its meaning.
    pub code: String,
    /// The parameter that was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Value>,
}

/// The document where nobody has to log in, and where everybody has to.
static DOCUMENTS: [LazyLock<OpenApi>; 2] =
    [LazyLock::new(|| of(endpoints(), false)), LazyLock::new(|| of(endpoints(), true))];

/// The document. It is the same for as long as the program runs. `login`: there is a password, so a login is no offer but
/// needed.
pub fn document(login: bool) -> &'static OpenApi {
    &DOCUMENTS[usize::from(login)]
}

static TEXTS: [LazyLock<Rendered>; 2] =
    [LazyLock::new(|| Rendered::of(0, document(false))), LazyLock::new(|| Rendered::of(0, document(true)))];

fn answer(state: WebState, request: Arc<Request>, _: Asked) -> Answering {
    Box::pin(async move { Ok(TEXTS[usize::from(state.auth.is_on())].response(&request.headers)) })
}

/// The groups of endpoints, in the order in which people want to read about them.
const TAGS: [(&str, &str); 7] = [
    ("statistics", "What was used, when, where and by which model."),
    ("cost", "What it costs, and by which prices."),
    ("export", "The history to take away."),
    ("live", "Changes as they happen."),
    ("sinks", "What leaves, and how it is doing."),
    ("login", "Where a password is configured."),
    ("about", "The program itself."),
];

/// What the scheme of a login's cookie, of a bearer token and of basic authentication are called.
const SCHEMES: [&str; 3] = ["session", "token", "basic"];

fn of<'a>(endpoints: impl Iterator<Item = &'a Endpoint>, login: bool) -> OpenApi {
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    schemas.insert("Error".to_owned(), Error::schema());
    schemas.insert("TimeZone".to_owned(), time_zone().into());
    let mut paths = PathsBuilder::new();
    for endpoint in endpoints {
        for shape in endpoint.body.iter().chain([&endpoint.answer]).filter_map(|content| content.schema) {
            let mut parts = Vec::new();
            (shape.parts)(&mut parts);
            schemas.extend(shape.named().then(|| ((shape.name)().into_owned(), (shape.schema)())));
            schemas.extend(parts);
        }
        paths = paths.path(endpoint.path, PathItem::new(method(endpoint.verb), operation(endpoint, login)));
    }
    let [session, token, basic] = SCHEMES;
    let cookie = ApiKeyValue::with_description("ctm_sid", "set by the login; its name holds the server's port");
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(session, SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
        .security_scheme(token, SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()))
        .security_scheme(basic, SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Basic).build()));
    let info = InfoBuilder::new()
        .title("claude-token-monitor")
        .version(version::VERSION)
        .description(Some(
            "What Claude Code used, from one exact history. Numbers are tokens unless they say otherwise; money is US \
             dollars at API list prices. Where no login is configured, none is needed.",
        ))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()));
    let tags = TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    OpenApiBuilder::new().info(info.build()).tags(Some(tags)).paths(paths).components(Some(components.build())).build()
}

fn method(verb: Verb) -> HttpMethod {
    match verb {
        Verb::Get => HttpMethod::Get,
        Verb::Post => HttpMethod::Post,
    }
}

fn operation(endpoint: &Endpoint, login: bool) -> Operation {
    let id = format!("{}{}", endpoint.verb.method().as_str().to_lowercase(), endpoint.path)
        .replace(['/', '{', '}', '.', '-'], "_");
    let mut operation = OperationBuilder::new()
        .operation_id(Some(id))
        .tag(endpoint.tag)
        .summary(Some(endpoint.summary))
        .description((!endpoint.about.is_empty()).then_some(endpoint.about));
    for parameter in endpoint.variables {
        operation = operation.parameter(described(parameter, ParameterIn::Path));
    }
    for parameter in endpoint.parameters.iter().copied().flatten() {
        operation = operation.parameter(described(parameter, ParameterIn::Query));
    }
    if let Some(body) = &endpoint.body {
        let request = RequestBodyBuilder::new().required(Some(Required::True)).description(Some(body.about));
        operation = operation.request_body(Some(request.content(body.media_type, content(body)).build()));
    }
    if endpoint.access != Access::Open {
        let [session, token, basic] = SCHEMES;
        let none: [&str; 0] = [];
        if !login {
            operation = operation.security(SecurityRequirement::default());
        }
        operation =
            operation.security(SecurityRequirement::new(session, none)).security(SecurityRequirement::new(token, none));
        if endpoint.access == Access::Scrape {
            operation = operation.security(SecurityRequirement::new(basic, none));
        }
    }
    operation.responses(responses(endpoint)).build()
}

/// Every answer that there can be.
fn responses(endpoint: &Endpoint) -> ResponsesBuilder {
    let answer = &endpoint.answer;
    let live = endpoint.class == Class::Live;
    let mut done = ResponseBuilder::new().description(answer.about);
    if !live {
        done = done.content(answer.media_type, content(answer));
    }
    if endpoint.class == Class::Api && endpoint.verb == Verb::Get {
        let text = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String).build()));
        done = done.header("Cache-Control", text.build());
    }
    let mut responses = ResponsesBuilder::new().response(if live { "101" } else { "200" }, done.build());
    let usual: &[u16] = match (endpoint.access, endpoint.class) {
        (Access::Open, Class::Probe) => &[400, 421, 431],
        (Access::Open, _) => &[400, 421, 429, 431],
        _ => &[400, 401, 421, 429, 431, 503],
    };
    for status in usual.iter().chain(endpoint.refusals) {
        let reason =
            StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
        let error = ContentBuilder::new().schema(Some(Ref::from_schema_name("Error"))).build();
        let mut refusal = ResponseBuilder::new().description(reason).content("application/json", error);
        if matches!(status, 429 | 503) {
            let seconds = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::Integer).build()));
            refusal = refusal.header("Retry-After", seconds.description(Some("seconds")).build());
        }
        responses = responses.response(status.to_string(), refusal.build());
    }
    responses
}

fn content(content: &Content) -> utoipa::openapi::Content {
    let schema = match content.schema {
        Some(shape) if shape.named() => RefOr::Ref(Ref::from_schema_name((shape.name)())),
        Some(shape) => (shape.schema)(),
        // Whatever is not described further: an object where it is JSON, else text.
        None if content.media_type == "application/json" => ObjectBuilder::new().build().into(),
        None => ObjectBuilder::new().schema_type(Type::String).build().into(),
    };
    let example = serde_json::from_str(content.example).unwrap_or_else(|_| Value::from(content.example));
    ContentBuilder::new().schema(Some(schema)).example(Some(example)).build()
}

fn described(parameter: &Parameter, place: ParameterIn) -> ParameterBuilder {
    let required = matches!(place, ParameterIn::Path) || parameter.kind.is_required();
    let list = matches!(parameter.kind, Kind::Names);
    let example = match &parameter.kind {
        Kind::Integer { .. } => parameter.example.parse::<u32>().map_or(Value::Null, Value::from),
        Kind::Names => json!([parameter.example]),
        _ => parameter.example.into(),
    };
    ParameterBuilder::new()
        .name(parameter.name)
        .parameter_in(place)
        .required(if required { Required::True } else { Required::False })
        .description(Some(parameter.about))
        .schema(Some(schema(&parameter.kind)))
        .explode(list.then_some(true))
        // Forms send what was left empty. Among names an empty one is a name like any other, and means nothing.
        .extensions((!required && !list).then(|| Extensions::from_iter([("allowEmptyValue", true)])))
        .example(Some(example))
}

fn schema(kind: &Kind) -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let words = |words: &[&str]| text().enum_values(Some(words.to_vec()));
    match kind {
        Kind::Integer { min, max, default } => ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(*min as usize))
            .maximum(Some(*max as usize))
            .default(default.map(Value::from))
            .build()
            .into(),
        Kind::Choice(all) => words(all).default(all.first().map(|first| Value::from(*first))).build().into(),
        Kind::Names => ArrayBuilder::new()
            .schema_type(SchemaType::Type(Type::Array))
            .items(text().build())
            .max_items(Some(query::MOST_NAMES))
            .build()
            .into(),
        Kind::Text => text().min_length(Some(1)).build().into(),
        Kind::Moment => text().pattern(Some(query::MOMENT)).build().into(),
        Kind::Zone => RefOr::Ref(Ref::from_schema_name("TimeZone")),
        Kind::Cursor => text().pattern(Some(query::CURSOR)).build().into(),
        Kind::Start => text().pattern(Some(query::START)).build().into(),
    }
}

/// Every name that this machine's time zone database has.
fn time_zone() -> Schema {
    let mut names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    names.sort();
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("A name of the IANA time zone database."))
        .enum_values(Some(names))
        .into()
}
