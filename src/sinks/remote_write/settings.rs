//! Where samples go, with which labels, and who we are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderName, HeaderValue};
use hyper::{HeaderMap, Uri};
use serde::Deserialize;

use super::message::{Labels, WriteRequest, packed};
use crate::plugin::{BuildError, Outcome, Secret, SecretRef, Setup};
use crate::sinks::http::{self, Answer, Client, SendError, Tls};
use crate::sinks::series::{Point, label};

/// The section `[sinks.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub url: String,
    pub labels: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub bearer_token_env: Option<String>,
    pub bearer_token_file: Option<PathBuf>,
    pub username: Option<String>,
    pub password_env: Option<String>,
    pub password_file: Option<PathBuf>,
    pub tls: Tls,
}

/// Labels that are ours: no setting may stand in their place.
const OURS: [&str; 6] = ["__name__", "model", "project", "query_source", "ttl", "type"];

/// No more labels or headers than this.
const MOST: usize = 32;

/// One receiver.
pub struct Target {
    url: Uri,
    client: Client,
    labels: BTreeMap<String, String>,
    headers: HeaderMap,
    login: Login,
}

enum Login {
    None,
    Bearer(Secret),
    Basic(String, Option<Secret>),
}

impl Target {
    pub fn new(config: &Config, setup: &Setup) -> Result<Self, BuildError> {
        if config.url.is_empty() {
            return Err(BuildError::at("url", "`url` is missing: where samples are written to"));
        }
        let url = http::url("url", &config.url)?;
        let bearer = SecretRef::new(config.bearer_token_env.clone(), config.bearer_token_file.clone());
        let password = SecretRef::new(config.password_env.clone(), config.password_file.clone());
        let login =
            match (bearer.resolve("bearer_token", setup)?, &config.username, password.resolve("password", setup)?) {
                (None, None, None) => Login::None,
                (Some(token), None, None) => Login::Bearer(token),
                (None, Some(name), password) => Login::Basic(name.clone(), password),
                (None, None, Some(_)) => return Err(BuildError::at("password", "a password needs a `username`")),
                (Some(_), ..) => {
                    return Err(BuildError::at("username", "a bearer token and a `username` exclude each other"));
                }
            };
        let client = Client::new(&url, &config.tls, setup)?;
        Ok(Self { url, client, labels: labels(&config.labels)?, headers: headers(&config.headers)?, login })
    }

    /// In words without secrets.
    pub fn shown(&self) -> String {
        http::shown(&self.url)
    }

    /// A series' labels, with the ones that tell this history's series from another's.
    pub fn labels(&self, point: &Point, instance: &str) -> Labels {
        let own = point.labels.iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
        let mut labels: Labels = own.collect();
        labels.insert("__name__".to_owned(), point.family.name.to_owned());
        let defaults = [("job", env!("CARGO_PKG_NAME")), ("instance", instance)];
        for (name, value) in defaults.into_iter().chain(self.labels.iter().map(|(k, v)| (&**k, &**v))) {
            labels.insert(name.to_owned(), value.to_owned());
        }
        // An empty label is one that is not there.
        labels.retain(|_, value| !value.is_empty());
        labels
    }

    /// Sends one request; the error is what becomes of it without an answer.
    pub async fn send(&self, request: &WriteRequest) -> Result<Answer, Outcome> {
        let body = packed(request).map_err(|error| Outcome::retry(error.to_string()))?;
        let mut headers = http::headers("application/x-protobuf");
        headers.extend(self.headers.clone());
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("snappy"));
        headers.insert("x-prometheus-remote-write-version", HeaderValue::from_static("0.1.0"));
        if let Some(login) = self.login.header().map_err(Outcome::refused)? {
            headers.insert(AUTHORIZATION, login);
        }
        self.client.post(&self.url, headers, body.into()).await.map_err(SendError::outcome)
    }
}

impl Login {
    fn header(&self) -> Result<Option<HeaderValue>, String> {
        let read = |secret: &Secret| secret.read().map_err(|error| format!("the secret cannot be read: {error}"));
        let text = match self {
            Self::None => return Ok(None),
            Self::Bearer(token) => format!("Bearer {}", read(token)?),
            Self::Basic(name, password) => {
                let password = password.as_ref().map(read).transpose()?.unwrap_or_default();
                let login = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
                format!("Basic {login}")
            }
        };
        let mut header = HeaderValue::try_from(text).map_err(|_| "the secret cannot stand in a header".to_owned())?;
        header.set_sensitive(true);
        Ok(Some(header))
    }
}

fn labels(said: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, BuildError> {
    let mut labels = BTreeMap::new();
    for (name, value) in said {
        let start = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && !name.starts_with("__");
        if !start || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || OURS.contains(&name.as_str()) {
            return Err(BuildError::at("labels", format!("`labels`: no label of yours can be called {name:?}")));
        }
        let value = if value.is_empty() { String::new() } else { label(value).to_string() };
        labels.insert(name.clone(), value);
    }
    if labels.len() > MOST {
        return Err(BuildError::at("labels", format!("`labels`: more than {MOST}")));
    }
    Ok(labels)
}

fn headers(said: &BTreeMap<String, String>) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        let wrong = |words: &str| BuildError::at("headers", format!("`headers`: {name:?} {words}"));
        let key = HeaderName::try_from(name.to_ascii_lowercase()).map_err(|_| wrong("is no name of a header"))?;
        if key == AUTHORIZATION {
            return Err(wrong("is a secret; use `bearer_token_env`, `password_file` and their like"));
        }
        headers.insert(key, HeaderValue::try_from(value).map_err(|_| wrong("has no value for a header"))?);
    }
    if headers.len() > MOST {
        return Err(BuildError::at("headers", format!("`headers`: more than {MOST}")));
    }
    Ok(headers)
}
