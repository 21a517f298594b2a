//! `/docs`: the API's own document, for people to read. It is made of the document alone, so it says nothing else.

use askama::Template;
use serde_json::Value;

use super::frame::Frame;
use super::visit::{Answering, Page, Visit};
use crate::route::Response;
use crate::web::api::openapi::document;

/// It is in English only, as the API is.
pub static PAGE: Page = Page {
    path: "/docs",
    nav: Some(|words| words.common.api),
    parameters: &[],
    handler: |visit| -> Answering { Box::pin(std::future::ready(Ok(page(&visit)))) },
};

fn page(visit: &Visit) -> Response {
    let document = serde_json::to_value(document(true)).unwrap_or_default();
    let host = visit.request.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:51888");
    let frame = visit.frame(visit.words().common.api.to_string()).without_welcome();
    visit.show(&Docs::of(frame, &document, host))
}

#[derive(Template)]
#[template(path = "docs.html")]
struct Docs {
    frame: Frame,
    about: String,
    groups: Vec<Group>,
    errors: Vec<(String, String)>,
    messages: Vec<Messages>,
}

/// What one side of the WebSocket may say.
struct Messages {
    title: &'static str,
    /// Type, occasion, fields.
    rows: Vec<Vec<String>>,
    examples: Vec<String>,
}

/// What belongs together.
struct Group {
    name: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    about: String,
    parameters: Vec<Parameter>,
    body: Option<Sample>,
    answer: Sample,
    refusals: String,
    /// Nobody has to be logged in.
    open: bool,
    command: String,
}

struct Parameter {
    name: String,
    place: &'static str,
    about: String,
    allowed: String,
    default: String,
}

/// A body.
struct Sample {
    about: String,
    media_type: String,
    example: String,
}

impl Docs {
    fn of(frame: Frame, document: &Value, host: &str) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        groups.extend(array(&document["tags"]).map(|tag| Group { name: text(&tag["name"]), operations: Vec::new() }));
        let paths = document["paths"].as_object().into_iter().flatten();
        for (path, item) in paths {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let name = text(&operation["tags"][0]);
                let operation = Operation::of(path, method, operation, host);
                match groups.iter_mut().find(|group| group.name == name) {
                    Some(group) => group.operations.push(operation),
                    None => groups.push(Group { name, operations: vec![operation] }),
                }
            }
        }
        groups.retain(|group| !group.operations.is_empty());
        let error = &document["components"]["schemas"]["Error"]["properties"];
        let errors = error.as_object().into_iter().flatten();
        Self {
            frame,
            about: text(&document["info"]["description"]),
            groups,
            errors: errors.map(|(name, field)| (name.clone(), text(&field["description"]))).collect(),
            messages: ["What the server says", "What a client may say"].map(Messages::of).into(),
        }
    }
}

/// The WebSocket's own document. Its examples are checked against what is really said.
const WEBSOCKET: &str = include_str!("../../../docs/websocket.md");

impl Messages {
    /// The first table below a heading, and the examples up to the next one.
    fn of(title: &'static str) -> Self {
        let section = WEBSOCKET.split("\n## ").find(|section| section.starts_with(title)).unwrap_or_default();
        let table = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        let cells = |line: &str| {
            let cells = line.trim_matches('|').split(" | ");
            cells.map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>()
        };
        let blocks = section.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
        let indented =
            |line: &str| serde_json::from_str::<Value>(line).map_or(line.to_owned(), |json| format!("{json:#}"));
        Self {
            title,
            rows: table.skip(2).map(cells).collect(),
            examples: blocks.flat_map(str::lines).map(indented).collect(),
        }
    }
}

impl Operation {
    fn of(path: &str, method: &str, operation: &Value, host: &str) -> Self {
        let parameters: Vec<_> = array(&operation["parameters"]).map(Parameter::of).collect();
        let responses = operation["responses"].as_object();
        let (done, refused): (Vec<_>, Vec<_>) =
            responses.into_iter().flatten().partition(|(status, _)| !status.starts_with(['4', '5']));
        let answer = done.first().map_or(&Value::Null, |(_, answer)| *answer);
        let refusals = refused.iter().map(|(status, refusal)| format!("{status} {}", text(&refusal["description"])));
        let body = operation.get("requestBody").map(Sample::of);
        Self {
            id: text(&operation["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&operation["summary"]),
            about: text(&operation["description"]),
            command: command(path, method, operation, body.as_ref(), host),
            parameters,
            body,
            answer: Sample::of(answer),
            refusals: refusals.collect::<Vec<_>>().join(", "),
            open: operation.get("security").is_none(),
        }
    }
}

/// A command to try it with. Only what has to be there is filled in.
fn command(path: &str, method: &str, operation: &Value, body: Option<&Sample>, host: &str) -> String {
    let mut target = path.to_owned();
    for parameter in array(&operation["parameters"]).filter(|parameter| parameter["in"] == "path") {
        let name = format!("{{{}}}", text(&parameter["name"]));
        let value = text(&parameter["example"]);
        target = target.replace(
            &name,
            &percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string(),
        );
    }
    let needed = array(&operation["parameters"]).filter(|one| one["in"] == "query" && one["required"] == true);
    let needed: Vec<_> = needed.map(|one| format!("{}={}", text(&one["name"]), text(&one["example"]))).collect();
    if !needed.is_empty() {
        target = format!("{target}?{}", needed.join("&"));
    }
    let verb = if method == "get" { String::new() } else { format!("-X {} ", method.to_uppercase()) };
    let sent = body.map_or_else(String::new, |body| {
        format!("-H 'content-type: {}' -d '{}' ", body.media_type, body.example.replace('\n', " "))
    });
    format!("curl {verb}{sent}http://{host}{target}")
}

impl Parameter {
    fn of(parameter: &Value) -> Self {
        let schema = &parameter["schema"];
        let default = &schema["default"];
        Self {
            name: text(&parameter["name"]),
            place: if parameter["in"] == "path" { "in the path" } else { "" },
            about: text(&parameter["description"]),
            allowed: allowed(schema, &text(&parameter["example"])),
            default: if default.is_null() { String::new() } else { text(default) },
        }
    }
}

/// What a value may be, in words.
fn allowed(schema: &Value, example: &str) -> String {
    let like = if example.is_empty() { String::new() } else { format!(", such as {example}") };
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(text).collect::<Vec<_>>().join(", ");
    }
    if schema["$ref"].is_string() {
        return format!("an IANA time zone{like}");
    }
    match schema["type"].as_str() {
        Some("integer") => format!("{} to {}", schema["minimum"], schema["maximum"]),
        Some("array") => format!("a name{like}; can be repeated"),
        _ => format!("text{like}"),
    }
}

impl Sample {
    fn of(body: &Value) -> Self {
        let (media_type, content) = body["content"]
            .as_object()
            .and_then(|content| content.iter().next())
            .map_or((String::new(), &Value::Null), |(kind, content)| (kind.clone(), content));
        let example = match &content["example"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => format!("{other:#}"),
        };
        Self { about: text(&body["description"]), media_type, example }
    }
}

/// A value without the quotes of JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
