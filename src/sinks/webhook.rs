//! POSTs JSON to a URL: every batch of changes, or a message whenever a budget has been used up to a threshold.
//!
//! Signed as the Standard Webhooks specification has it (`webhook-id`, `webhook-timestamp`, `webhook-signature`), so that
//! receivers need no code of their own to check: <https://www.standardwebhooks.com>.

mod budgets;
mod sign;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::http::{self, Client, Tls};
use super::wire::{self, WireChange};
use crate::event::UnixMillis;
use crate::hub::Hub;
use crate::plugin::{Batch, BuildError, Delivery, Outcome, Pace, Parts, Secret, SecretRef, Setup, Sink};
use budgets::{BudgetWatch, Budgets};

/// Posts to one URL.
pub struct Webhook {
    poster: Poster,
    mode: Mode,
    budgets: Budgets,
    setup: Setup,
}

/// What is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Changes,
    Budgets,
}

/// What users configure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    url: String,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    secret_env: Option<String>,
    #[serde(default)]
    secret_file: Option<PathBuf>,
    #[serde(default)]
    token_env: Option<String>,
    #[serde(default)]
    token_file: Option<PathBuf>,
    #[serde(default)]
    gzip: bool,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    budgets: Budgets,
}

impl Sink for Webhook {
    const KIND: &'static str = "webhook";
    const SAMPLE: &'static str = "\
[sinks.webhook]
url = \"https://example.org/hook\"
# What is posted: \"changes\" for every change, in batches; \"budgets\" for a message at each threshold of a budget.
mode = \"changes\"
# The key that messages are signed with, and a bearer token: in a variable (…_env) or a file (…_file), never here.
#secret_env = \"WEBHOOK_SECRET\"
#token_file = \"~/.config/claude-token-monitor/webhook-token\"
# Compress bodies; the receiver has to understand Content-Encoding: gzip.
gzip = false
# Further headers, without secrets.
#headers = { \"x-source\" = \"laptop\" }
# For mode = \"budgets\": US dollars a day, a week (from Monday) and a month, and the percentages that are told of.
#[sinks.webhook.budgets]
#daily_usd = 20
#weekly_usd = 100
#monthly_usd = 300
#thresholds = [50, 80, 100]
";
    type Config = Config;

    fn build(config: Config, setup: &Setup) -> Result<Self, BuildError> {
        let url = http::url("url", &config.url)?;
        let secret = SecretRef::new(config.secret_env, config.secret_file).resolve("secret", setup)?;
        let token = SecretRef::new(config.token_env, config.token_file).resolve("token", setup)?;
        config.budgets.check(config.mode == Mode::Budgets, setup)?;
        let client = Client::new(&url, &config.tls, setup)?;
        let headers = extra_headers(&config.headers)?;
        let poster = Poster { url, client, headers, secret, token, gzip: config.gzip };
        Ok(Self { poster, mode: config.mode, budgets: config.budgets, setup: setup.clone() })
    }

    fn parts(self, _: &Hub) -> Parts {
        match self.mode {
            Mode::Changes => Parts::default().with_delivery(EveryChange {
                poster: self.poster,
                name: self.setup.name,
                costs: self.setup.costs,
            }),
            Mode::Budgets => Parts::default().with_delivery(BudgetWatch::new(self.poster, self.budgets, &self.setup)),
        }
    }
}

/// Headers that the house sets, or that hold secrets.
const NOT_EXTRA: [&str; 8] = [
    "authorization",
    "cookie",
    "host",
    "content-length",
    "transfer-encoding",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

fn extra_headers(said: &BTreeMap<String, String>) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    for (name, value) in said {
        let wrong = |words: &str| BuildError::at("headers", format!("`headers`: {name}: {words}"));
        let parsed: HeaderName = name.parse().map_err(|_| wrong("this is no name of a header"))?;
        if NOT_EXTRA.contains(&parsed.as_str()) {
            return Err(wrong("this header cannot be set here; a token goes into `token_env` or `token_file`"));
        }
        headers.insert(parsed, value.parse().map_err(|_| wrong("this is no value of a header"))?);
    }
    Ok(headers)
}

/// Signs and posts.
struct Poster {
    url: Uri,
    client: Client,
    headers: HeaderMap,
    secret: Option<Secret>,
    token: Option<Secret>,
    gzip: bool,
}

impl Poster {
    /// Posts one message. `id` is the same whenever the same is sent again.
    async fn post(&self, id: &str, message: &impl Serialize, now: UnixMillis) -> Outcome {
        let request = serde_json::to_vec(message).map_err(|error| Outcome::reject(error.to_string()));
        let request = request.and_then(|body| Ok((self.head(id, &body, now)?, body)));
        let (mut headers, mut body) = match request {
            Ok(request) => request,
            Err(outcome) => return outcome,
        };
        if self.gzip {
            body = http::gzip(&body);
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        match self.client.post(&self.url, headers, Bytes::from(body)).await {
            Ok(answer) => http::verdict(&answer, now),
            Err(error) => error.outcome(),
        }
    }

    /// The signature is over the body before it is compressed, which is what a receiver sees.
    fn head(&self, id: &str, body: &[u8], now: UnixMillis) -> Result<HeaderMap, Outcome> {
        let mut headers = self.headers.clone();
        headers.extend(http::headers("application/json"));
        let read = |secret: &Secret, what: &str| {
            secret.read().map_err(|error| Outcome::refused(format!("the {what} cannot be read: {error}")))
        };
        let seconds = now.0.div_euclid(1_000).to_string();
        let mut put = |name: &'static str, value: &str| {
            HeaderValue::from_str(value).map(|value| headers.insert(name, value)).map(drop)
        };
        let unfit = |_| Outcome::refused("the token is no value of a header");
        put("webhook-id", id).map_err(unfit)?;
        put("webhook-timestamp", &seconds).map_err(unfit)?;
        if let Some(secret) = &self.secret {
            let signature = sign::signature(&read(secret, "secret")?, id, &seconds, body);
            put("webhook-signature", &signature.map_err(Outcome::refused)?).map_err(unfit)?;
        }
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", read(token, "token")?)).map_err(unfit)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        Ok(headers)
    }
}

/// Posts every change.
struct EveryChange {
    poster: Poster,
    name: String,
    costs: bool,
}

/// A message with changes.
#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    timestamp: String,
    /// Everything up to here is in this message or was sent before.
    revision: u64,
    /// Somebody asked for these again.
    replay: bool,
    changes: Vec<WireChange<'a>>,
}

impl Delivery for EveryChange {
    fn pace(&self) -> Pace {
        Pace { batch_max: 100, interval: Duration::from_secs(1), timeout: Duration::from_secs(10) }
    }

    fn target(&self) -> String {
        http::shown(&self.poster.url)
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> Outcome {
        let message = Message {
            r#type: "usage.changes",
            timestamp: wire::instant(batch.now),
            revision: batch.until,
            replay: batch.replay,
            changes: batch.changes.iter().filter_map(|change| WireChange::of(change, self.costs)).collect(),
        };
        let first = batch.changes.first().map_or(batch.until, |change| change.revision);
        let id = format!("{}.{first}-{}", self.name, batch.until);
        self.poster.post(&id, &message, batch.now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn build(text: &str) -> Result<Webhook, BuildError> {
        let config = Config::deserialize(text.parse::<toml::Table>().expect("TOML"))?;
        let setup = Setup {
            env: |name| (name == "SECRET").then(|| "whsec_c2VjcmV0".to_owned()),
            ..Setup::new("hook", Clock::fixed(UnixMillis(1_795_438_800_000)))
        };
        Webhook::build(config, &setup)
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let check = |text: &str, word: &str| {
            let error = build(text).err().expect(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        };
        check("", "url");
        check("url = 'ftp://x/'", "expected http");
        check("url = 'http://me:pw@x/'", "password");
        check("url = 'http://x/'\nsecret_env = 'MISSING'", "MISSING, which is not set");
        check("url = 'http://x/'\nsecret_env = 'A'\nsecret_file = 'b'", "exclude each other");
        check("url = 'http://x/'\nheaders = { Authorization = 'x' }", "token_env");
        check("url = 'http://x/'\nmode = 'budgets'", "needs at least one");
        check("url = 'http://x/'\n[budgets]\ndaily_usd = 1", "mode = \"budgets\"");
        check("url = 'http://x/'\ntoken = 'secret'", "unknown field `token`");
        check("url = 'http://x/'\ntls = { ca_file = '/nowhere.pem' }", "/nowhere.pem");
    }

    #[test]
    fn a_message_is_signed_and_names_itself() {
        let hook =
            build("url = 'http://x/?key=1'\nsecret_env = 'SECRET'\nheaders = { x-source = 'a' }").expect("valid");
        let head = hook.poster.head("hook.1-2", b"{}", UnixMillis(1_674_087_231_000)).expect("a head");
        let get = |name: &str| head.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(get("webhook-id"), Some("hook.1-2"));
        assert_eq!(get("webhook-timestamp"), Some("1674087231"));
        assert!(get("webhook-signature").is_some_and(|value| value.starts_with("v1,")));
        assert_eq!((get("x-source"), get("content-type")), (Some("a"), Some("application/json")));
        assert_eq!(http::shown(&hook.poster.url), "http://x/");
    }
}
