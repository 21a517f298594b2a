//! What the settings say about who may come in, checked and turned into what the server works with. Whatever is weak or
//! contradictory is refused here, before anything is opened or made.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use super::AppError;
use crate::config::{self, LoginSettings, SecretSetting, Settings};
use crate::web::WebSettings;
use crate::web::auth::password::PasswordHash;
use crate::web::auth::secret::{self, SecretError};
use crate::web::auth::token::{self, Tokens};
use crate::web::auth::{AuthSettings, MetricsAuth, SHORTEST_SCRAPE_TOKEN};
use crate::web::exchange::ExchangeLimits;
use crate::web::guard::Gate;
use crate::web::pages::format::Currency;
use crate::web::pages::language::Language;
use crate::web::server::ConnectionLimits;
use crate::web::tls::Tls;

/// Refuses to be open to other machines by mistake.
pub(super) fn check_open(settings: &Settings) -> Result<(), AppError> {
    let reachable = !settings.listen.ip().to_canonical().is_loopback();
    let LoginSettings { password_hash, allow_open, .. } = &settings.login;
    if reachable && !password_hash.is_set() && !allow_open {
        return Err(AppError::Open(settings.listen));
    }
    Ok(())
}

/// Everything the server is told. Makes the secret for tokens if there is a password and none yet.
pub(super) fn web_settings(settings: &Settings, bound: SocketAddr, demo: bool) -> Result<WebSettings, AppError> {
    let size = |number: NonZeroU32| usize::try_from(number.get()).unwrap_or(usize::MAX);
    let (limits, reach) = (&settings.server, settings.reach.clone());
    let tls = settings.tls.as_ref().map(|tls| Tls::load(&tls.certificate, &tls.key)).transpose()?;
    let mut web = WebSettings {
        allowed_hosts: reach.allowed_hosts,
        public_url: reach.public_url,
        allowed_origins: reach.allowed_origins,
        dev_mode: reach.dev_mode,
        trusted_proxies: reach.trusted_proxies,
        requests_per_minute: settings.requests_per_minute,
        auth: AuthSettings::default(),
        tls: tls.map(Arc::new),
        zone: settings.time_zone.clone(),
        language: match settings.language {
            config::LanguageChoice::Auto => None,
            config::LanguageChoice::English => Some(Language::English),
            config::LanguageChoice::Chinese => Some(Language::Chinese),
        },
        cleanup_days: settings.cleanup_days.get(),
        currency: Currency {
            code: settings.currency.code.clone(),
            rate_micros: settings.currency.rate_micros,
            date: settings.currency.date,
        },
        demo,
        connections: ConnectionLimits {
            total: size(limits.max_connections),
            per_address: size(limits.max_connections_per_client),
            header_time: limits.header_timeout,
            ..ConnectionLimits::default()
        },
        exchanges: ExchangeLimits { handler_time: limits.request_timeout, ..ExchangeLimits::default() },
    };
    drop(Gate::new(bound, &web)?);
    web.auth = auth_settings(settings, bound.port())?;
    Ok(web)
}

fn auth_settings(settings: &Settings, port: u16) -> Result<AuthSettings, AppError> {
    let login = &settings.login;
    let metrics = match login.metrics {
        config::MetricsAuth::Inherit => MetricsAuth::Inherit,
        config::MetricsAuth::Token => MetricsAuth::Token,
        config::MetricsAuth::None => MetricsAuth::None,
    };
    let (password, scrape_token) = (password(login)?, scrape_token(login)?);
    if password.is_none() && scrape_token.is_none() && metrics == MetricsAuth::Token {
        let reason = "`token` closes /metrics for good: there is neither auth.scrape_token nor a password".to_owned();
        return Err(AppError::Setting { key: "auth.metrics", reason });
    }
    if password.is_none() && scrape_token.is_some() && metrics == MetricsAuth::Inherit {
        tracing::warn!(
            "auth.scrape_token is set, but nobody has to show it: there is no password. Set auth.metrics to `token`"
        );
    }
    let jwt_secret = if password.is_some() { jwt_secret(settings)? } else { String::new() };
    let session_file = Some(settings.database.with_extension("sessions"));
    Ok(AuthSettings { password, jwt_secret, scrape_token, metrics, session_file, cookie_port: port })
}

/// What makes and checks tokens, for the server and for the command line alike.
pub fn tokens(settings: &Settings) -> Result<Tokens, AppError> {
    let key = settings.login.password_hash.key();
    let password = password(&settings.login)?.ok_or_else(|| AppError::Setting {
        key,
        reason: "there is no password, so nobody needs a token; make one with `claude-token-monitor auth hash`"
            .to_owned(),
    })?;
    Ok(Tokens::new(&jwt_secret(settings)?, password.version()))
}

fn refused(setting: &SecretSetting) -> impl Fn(String) -> AppError + '_ {
    |reason| AppError::Setting { key: setting.key(), reason }
}

fn password(login: &LoginSettings) -> Result<Option<PasswordHash>, AppError> {
    let setting = &login.password_hash;
    let Some(text) = setting.read()? else { return Ok(None) };
    PasswordHash::parse(&text).map(Some).map_err(|error| refused(setting)(error.to_string()))
}

fn scrape_token(login: &LoginSettings) -> Result<Option<String>, AppError> {
    let setting = &login.scrape_token;
    let Some(token) = setting.read()? else { return Ok(None) };
    if token.len() < SHORTEST_SCRAPE_TOKEN {
        let reason = format!("it is shorter than {SHORTEST_SCRAPE_TOKEN} bytes; use `openssl rand -hex 32`");
        return Err(refused(setting)(reason));
    }
    Ok(Some(token))
}

fn jwt_secret(settings: &Settings) -> Result<String, AppError> {
    let setting = &settings.login.jwt_secret;
    match setting.read()? {
        Some(secret) => {
            token::check_secret(&secret).map_err(|error| refused(setting)(error.to_string()))?;
            Ok(secret)
        }
        None => secret::load_or_make(&secret_file(settings))
            .map_err(|error: SecretError| refused(setting)(error.to_string())),
    }
}

/// Where a secret is kept that nobody configured.
fn secret_file(settings: &Settings) -> PathBuf {
    settings.database.with_extension("jwt-secret")
}
