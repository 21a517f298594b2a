//! Settings of who may reach the server and what they have to show. Secrets are read only by the commands that need them,
//! and are never shown.

use std::fmt;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::error::ConfigError;
use super::keys::{self, Key};
use super::origins::Layers;
use super::value::{Host, Value, by_name, name_of};
use super::{Flags, optional_path};

/// Names, sites and proxies.
#[derive(Clone, Debug, Default)]
pub struct ReachSettings {
    /// Names other than those of this machine that the server answers to, in lower case.
    pub allowed_hosts: Vec<String>,
    /// The one address that people use.
    pub public_url: Option<String>,
    /// Other sites whose pages may read answers.
    pub allowed_origins: Vec<String>,
    /// Pages of this machine may too.
    pub dev_mode: bool,
    /// Whose word on the client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
}

impl ReachSettings {
    pub(super) fn load(layers: &mut Layers, flags: &Flags) -> Result<Self, ConfigError> {
        Ok(Self {
            allowed_hosts: layers
                .pick(&keys::ALLOWED_HOSTS, None, Vec::<Host>::new())?
                .into_iter()
                .map(|host| host.0)
                .collect(),
            public_url: layers
                .pick(&keys::PUBLIC_URL, flags.public_url.clone().map(|url| Some(Url(url))), None)?
                .map(|url| url.0),
            allowed_origins: layers
                .pick(&keys::ALLOWED_ORIGINS, None, Vec::<Url>::new())?
                .into_iter()
                .map(|url| url.0)
                .collect(),
            dev_mode: layers.pick(&keys::DEV_MODE, None, false)?,
            trusted_proxies: layers.pick(&keys::TRUSTED_PROXIES, None, Vec::new())?,
        })
    }
}

/// The login and everything around it.
#[derive(Clone, Debug, Default)]
pub struct LoginSettings {
    pub password_hash: SecretSetting,
    pub jwt_secret: SecretSetting,
    pub scrape_token: SecretSetting,
    pub metrics: MetricsAuth,
    /// Something in front takes care of who may come in.
    pub allow_open: bool,
}

impl LoginSettings {
    pub(super) fn load(layers: &mut Layers, flags: &Flags) -> Result<Self, ConfigError> {
        Ok(Self {
            password_hash: SecretSetting::load(layers, &keys::PASSWORD_HASH, &keys::PASSWORD_HASH_FILE)?,
            jwt_secret: SecretSetting::load(layers, &keys::JWT_SECRET, &keys::JWT_SECRET_FILE)?,
            scrape_token: SecretSetting::load(layers, &keys::SCRAPE_TOKEN, &keys::SCRAPE_TOKEN_FILE)?,
            metrics: layers.pick(&keys::METRICS_AUTH, None, MetricsAuth::default())?,
            allow_open: layers.pick(&keys::ALLOW_OPEN, flags.allow_open, false)?,
        })
    }
}

/// Certificate and key of the server itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl TlsSettings {
    /// `None`: the server speaks plain HTTP.
    pub(super) fn load(layers: &mut Layers, flags: &Flags) -> Result<Option<Self>, ConfigError> {
        let certificate = optional_path(layers, &keys::TLS_CERT, flags.tls_cert.clone())?;
        let key = optional_path(layers, &keys::TLS_KEY, flags.tls_key.clone())?;
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Self { certificate, key })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(ConfigError::Alone { key: keys::TLS_CERT.name, missing: keys::TLS_KEY.name }),
            (None, Some(_)) => Err(ConfigError::Alone { key: keys::TLS_KEY.name, missing: keys::TLS_CERT.name }),
        }
    }
}

/// A secret that stands in a setting or in a file that a setting names.
#[derive(Clone, Default)]
pub struct SecretSetting {
    key: &'static str,
    file_key: &'static str,
    value: String,
    file: Option<PathBuf>,
}

impl fmt::Debug for SecretSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretSetting").field("key", &self.key).finish_non_exhaustive()
    }
}

/// No secret is longer, in bytes.
const LONGEST: u64 = 16 * 1024;

impl SecretSetting {
    fn load(layers: &mut Layers, key: &'static Key, file_key: &'static Key) -> Result<Self, ConfigError> {
        let value = layers.pick(key, None, Secret::default())?.0;
        let file = optional_path(layers, file_key, None)?;
        Ok(Self { key: key.name, file_key: file_key.name, value, file })
    }

    /// What the setting is called.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// Whether there is one, without looking at it.
    pub fn is_set(&self) -> bool {
        !self.value.is_empty() || self.file.is_some()
    }

    /// The secret, without the newline that a file ends with; `None` where none is set.
    pub fn read(&self) -> Result<Option<String>, ConfigError> {
        match (&self.file, self.value.is_empty()) {
            (None, true) => Ok(None),
            (None, false) => Ok(Some(self.value.clone())),
            (Some(_), false) => Err(ConfigError::Twice { key: self.key, file_key: self.file_key }),
            (Some(path), true) => {
                let failed = |source| ConfigError::SecretFile { key: self.file_key, path: path.clone(), source };
                let secret = read_text(path).map_err(failed)?;
                match secret.trim() {
                    "" => Err(ConfigError::EmptyFile { key: self.file_key, path: path.clone() }),
                    secret => Ok(Some(secret.to_owned())),
                }
            }
        }
    }
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// What is shown as `***` and nothing else; empty where there is none.
#[derive(Clone, Default)]
struct Secret(String);

impl Value for Secret {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        Some(Self(text.to_owned()))
    }

    fn show(&self) -> String {
        if self.0.is_empty() { String::new() } else { "***".to_owned() }
    }

    fn is_secret() -> bool {
        true
    }
}

/// Who may scrape the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAuth {
    /// As everything else: with a login or the scrape token where there is a login, freely where there is none.
    #[default]
    Inherit,
    /// Never without one of them.
    Token,
    /// Everybody.
    None,
}

impl MetricsAuth {
    /// Every choice with its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("inherit", Self::Inherit), ("token", Self::Token), ("none", Self::None)];
}

impl Value for MetricsAuth {
    fn expected() -> String {
        "one of inherit, token, none".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        by_name(&Self::ALL, text)
    }

    fn show(&self) -> String {
        name_of(&Self::ALL, self)
    }
}

/// A network of addresses, or one address.
impl Value for IpNet {
    fn expected() -> String {
        "an address or a network such as 10.0.0.0/8 or fd00::/8".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(Self::from))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// `http://` or `https://` and something; the server looks at the rest. `*` is let through to be refused there, with the
/// reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Url(String);

impl Value for Url {
    fn expected() -> String {
        "http:// or https://, a host and perhaps a port".to_owned()
    }

    fn from_text(text: &str) -> Option<Self> {
        let sound = text == "*" || text.starts_with("http://") || text.starts_with("https://");
        sound.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}
