//! The login: one password, sessions for browsers, tokens for programs, and a token for the scraper. Without a password
//! everybody whom the gate lets in may see everything.

pub mod cookie;
pub mod password;
pub mod routes;
pub mod secret;
pub mod session;
pub mod throttle;
pub mod token;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use warp::http::{HeaderMap, HeaderValue, header};

use crate::clock::Clock;
use crate::route::Access;
use crate::web::rate::ClientKey;
use password::{PasswordHash, Verifier};
use session::Sessions;
use throttle::Throttle;
use token::Tokens;

/// Who may scrape the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAuth {
    /// Whoever is logged in, and who has the scrape token; everybody where there is no login.
    #[default]
    Inherit,
    /// The same, and nobody else even where there is no login.
    Token,
    /// Everybody.
    None,
}

/// What users configure about the login; checked before it comes here.
#[derive(Clone, Default)]
pub struct AuthSettings {
    /// Without it there is no login.
    pub password: Option<PasswordHash>,
    /// What tokens are signed with. It has to be there where there is a password.
    pub jwt_secret: String,
    /// At least [`SHORTEST_SCRAPE_TOKEN`] bytes.
    pub scrape_token: Option<String>,
    pub metrics: MetricsAuth,
    /// Where sessions outlive the process; without it they do not.
    pub session_file: Option<PathBuf>,
    /// The port that is listened on, for the cookie's name.
    pub cookie_port: u16,
}

impl fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metrics, session_file, .. } = self;
        f.debug_struct("AuthSettings")
            .field("metrics", metrics)
            .field("session_file", session_file)
            .finish_non_exhaustive()
    }
}

/// A scrape token is not typed, so it need not be short.
pub const SHORTEST_SCRAPE_TOKEN: usize = 16;

/// The user name of a scraper that knows basic authentication only.
const SCRAPER: &str = "prometheus";

/// Who is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Nobody,
    /// Nobody, with a token that is not good.
    Refused,
    Session,
    Token,
    Scraper,
}

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    WrongPassword,
    /// Too many attempts lately, or too many at once; another may be made after this time.
    TooMany(Duration),
    /// The system has no random numbers.
    Failed,
}

/// Knows who is asking and what they may see.
pub struct Auth {
    login: Option<Login>,
    /// Compared by its hash, so that the time says nothing of its length.
    scrape_token: Option<[u8; 32]>,
    metrics: MetricsAuth,
    port: u16,
    clock: Clock,
}

struct Login {
    password: PasswordHash,
    verifier: Verifier,
    throttle: Throttle,
    sessions: Sessions,
    tokens: Tokens,
}

impl Auth {
    /// Reads the file of sessions, if there is one.
    pub fn new(settings: &AuthSettings, clock: Clock) -> Self {
        let login = settings.password.clone().map(|password| Login {
            verifier: Verifier::default(),
            throttle: Throttle::default(),
            sessions: Sessions::load(settings.session_file.as_deref(), password.version()),
            tokens: Tokens::new(&settings.jwt_secret, password.version()),
            password,
        });
        Self {
            login,
            scrape_token: settings.scrape_token.as_ref().map(|token| digest(token.as_bytes())),
            metrics: settings.metrics,
            port: settings.cookie_port,
            clock,
        }
    }

    /// Whether there is a login at all.
    pub fn is_on(&self) -> bool {
        self.login.is_some()
    }

    /// Who is asking, by what the request brings. A token that is not good is not made up for by a cookie.
    pub fn identify(&self, headers: &HeaderMap, secure: bool) -> Who {
        match authorization(headers) {
            Some(Authorization::Bearer(token)) if self.is_scrape_token(token.as_bytes()) => Who::Scraper,
            Some(Authorization::Bearer(token)) => {
                let good = self.login.as_ref().is_some_and(|login| login.tokens.accepts(token, self.clock.now()));
                if good { Who::Token } else { Who::Refused }
            }
            Some(Authorization::Basic { user, password }) if user == SCRAPER && self.is_scrape_token(&password) => {
                Who::Scraper
            }
            // A proxy in front may have a password of its own; what it was is none of our business.
            Some(Authorization::Basic { .. }) | None => self.by_cookie(headers, secure),
        }
    }

    fn by_cookie(&self, headers: &HeaderMap, secure: bool) -> Who {
        let Some(login) = &self.login else { return Who::Nobody };
        let now = self.clock.now();
        let name = cookie::name(self.port, secure);
        match cookie::ids(headers, &name).into_iter().find_map(|id| login.sessions.touch(id, now)) {
            None => Who::Nobody,
            Some(write) => {
                if write {
                    let sessions = login.sessions.clone();
                    drop(tokio::task::spawn_blocking(move || sessions.save(now)));
                }
                Who::Session
            }
        }
    }

    fn is_scrape_token(&self, given: &[u8]) -> bool {
        self.scrape_token.is_some_and(|token| bool::from(token.ct_eq(&digest(given))))
    }

    /// Whether somebody may use a route.
    pub fn admits(&self, who: Who, access: Access) -> bool {
        let known = matches!(who, Who::Session | Who::Token);
        match access {
            Access::Open => true,
            Access::Login => known || !self.is_on(),
            Access::Scrape => {
                let open = match self.metrics {
                    MetricsAuth::None => true,
                    MetricsAuth::Inherit => !self.is_on(),
                    MetricsAuth::Token => false,
                };
                open || known || who == Who::Scraper
            }
        }
    }

    /// Compares the password and begins a session: the cookie for the client, which ends the session it may have had.
    /// Without a login there is nothing to begin.
    pub async fn log_in(
        &self,
        client: IpAddr,
        password: String,
        headers: &HeaderMap,
        secure: bool,
    ) -> Result<Option<HeaderValue>, LoginError> {
        let Some(login) = &self.login else { return Ok(None) };
        let attempt = login.throttle.begin(ClientKey::of(client), Instant::now()).map_err(LoginError::TooMany)?;
        match login.verifier.matches(&login.password, password).await {
            Err(password::Busy) => {
                login.throttle.forgive(attempt);
                return Err(LoginError::TooMany(Duration::from_secs(1)));
            }
            Ok(false) => return Err(LoginError::WrongPassword),
            Ok(true) => login.throttle.forgive(attempt),
        }
        for id in cookie::ids(headers, &cookie::name(self.port, secure)) {
            login.sessions.end(id);
        }
        let id = login.sessions.begin(self.clock.now()).ok_or(LoginError::Failed)?;
        self.save(login).await;
        cookie::set(self.port, secure, &id).map(Some).ok_or(LoginError::Failed)
    }

    /// Ends the sessions that a request brings; gives the cookie that ends it in the client too.
    pub async fn log_out(&self, headers: &HeaderMap, secure: bool) -> Option<HeaderValue> {
        if let Some(login) = &self.login {
            let ids = cookie::ids(headers, &cookie::name(self.port, secure));
            if ids.into_iter().filter(|id| login.sessions.end(id)).count() > 0 {
                self.save(login).await;
            }
        }
        cookie::clear(self.port, secure)
    }

    async fn save(&self, login: &Login) {
        let (sessions, now) = (login.sessions.clone(), self.clock.now());
        if let Err(error) = tokio::task::spawn_blocking(move || sessions.save(now)).await {
            tracing::warn!(%error, "writing the sessions");
        }
    }
}

enum Authorization<'a> {
    Bearer(&'a str),
    Basic { user: String, password: Vec<u8> },
}

/// What the one `Authorization` header says (RFC 6750, RFC 7617). Other schemes are a proxy's.
fn authorization(headers: &HeaderMap) -> Option<Authorization<'_>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else {
        // Two of them: nobody knows which counts.
        return Some(Authorization::Bearer(""));
    };
    let (scheme, credentials) = value.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Authorization::Bearer(credentials));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(credentials).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8_lossy(&decoded[..colon]).into_owned();
    Some(Authorization::Basic { user, password: decoded[colon + 1..].to_vec() })
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::UnixMillis;

    fn auth(password: bool, metrics: MetricsAuth) -> Auth {
        let settings = AuthSettings {
            password: password.then(|| PasswordHash::parse(&password::tests::cheap("correct horse")).unwrap()),
            jwt_secret: token::tests::SECRET.to_owned(),
            scrape_token: Some("scrape-scrape-scrape".to_owned()),
            metrics,
            cookie_port: 51888,
            ..AuthSettings::default()
        };
        Auth::new(&settings, Clock::fixed(UnixMillis(1_795_438_800_000)))
    }

    fn with(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        headers
    }

    fn basic(text: &str) -> HeaderMap {
        with(&format!("Basic {}", BASE64_STANDARD.encode(text)))
    }

    #[test]
    fn who_is_asking() {
        let auth = auth(true, MetricsAuth::Inherit);
        let check =
            |headers: &HeaderMap, expected: Who| assert_eq!(auth.identify(headers, false), expected, "{headers:?}");
        let tokens = Tokens::new(token::tests::SECRET, auth.login.as_ref().unwrap().password.version());
        let token = tokens.make(auth.clock.now(), 1).unwrap();
        check(&HeaderMap::new(), Who::Nobody);
        check(&with(&format!("Bearer {token}")), Who::Token);
        check(&with(&format!("bearer  {token}")), Who::Token);
        check(&with("Bearer scrape-scrape-scrape"), Who::Scraper);
        check(&with("Bearer scrape-scrape-scrap"), Who::Refused);
        check(&with("Bearer "), Who::Refused);
        check(&with(&token), Who::Nobody);
        check(&basic("prometheus:scrape-scrape-scrape"), Who::Scraper);
        check(&basic("somebody:scrape-scrape-scrape"), Who::Nobody);
        check(&basic("prometheus:correct horse"), Who::Nobody);
        check(&with("Basic !!"), Who::Nobody);
        check(&with("Digest x"), Who::Nobody);
        let mut two = with(&format!("Bearer {token}"));
        two.append(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        check(&two, Who::Refused);
    }

    #[test]
    fn what_everybody_may_see() {
        use Access::{Login, Open, Scrape};
        let all = [Who::Nobody, Who::Refused, Who::Scraper, Who::Session, Who::Token];
        let check = |password, metrics, access, expected: [bool; 5]| {
            let auth = auth(password, metrics);
            assert_eq!(all.map(|who| auth.admits(who, access)), expected, "{password} {metrics:?} {access:?}");
        };
        for metrics in [MetricsAuth::Inherit, MetricsAuth::Token, MetricsAuth::None] {
            check(true, metrics, Open, [true; 5]);
            check(true, metrics, Login, [false, false, false, true, true]);
            check(false, metrics, Login, [true; 5]);
        }
        check(true, MetricsAuth::Inherit, Scrape, [false, false, true, true, true]);
        check(false, MetricsAuth::Inherit, Scrape, [true; 5]);
        check(true, MetricsAuth::Token, Scrape, [false, false, true, true, true]);
        check(false, MetricsAuth::Token, Scrape, [false, false, true, true, true]);
        check(true, MetricsAuth::None, Scrape, [true; 5]);
    }
}
