//! Bearer tokens for programs: JWT, signed with HMAC-SHA-256 and nothing else (RFC 7519, and RFC 8725 for what to refuse).
//! A token carries the version of the password it was made under, so a new password ends them all.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::password::hex;
use crate::event::UnixMillis;

/// Issuer and audience: this program, both times.
const NAME: &str = "claude-token-monitor";

/// How far clocks may be apart, in seconds.
const LEEWAY: u64 = 30;

/// No token of ours is longer, in bytes.
const LONGEST: usize = 4096;

/// The shortest key, in bytes: as long as what the hash gives (RFC 7518, section 3.2).
pub const SHORTEST_SECRET: usize = 32;

/// What a token says. Every part has to be there.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// Seconds since 1970, all three.
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
    key_version: String,
}

/// Makes and checks tokens.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    key_version: String,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens")
    }
}

/// Why a text is no key to sign with. The text itself is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    #[error("it is shorter than {SHORTEST_SECRET} bytes; leave it out, and one is made, or use `openssl rand -hex 32`")]
    TooShort,
    #[error("it is an example that everybody knows; leave it out, and one is made, or use `openssl rand -hex 32`")]
    Known,
}

/// A token cannot be made: the system has no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signing a token failed")]
pub struct CannotSign;

/// Whether a key is worth signing with.
pub fn check_secret(secret: &str) -> Result<(), WeakSecret> {
    const EXAMPLES: [&str; 7] = [
        "your-secret",
        "your_secret",
        "changeme",
        "change-me",
        "change_me",
        "placeholder",
        "0123456789abcdef0123456789abcdef",
    ];
    let lower = secret.to_ascii_lowercase();
    let one_letter = secret.bytes().all(|byte| Some(byte) == secret.bytes().next());
    match () {
        () if secret.len() < SHORTEST_SECRET => Err(WeakSecret::TooShort),
        () if one_letter || EXAMPLES.iter().any(|example| lower.contains(example)) => Err(WeakSecret::Known),
        () => Ok(()),
    }
}

impl Tokens {
    /// `secret` has passed [`check_secret`].
    pub fn new(secret: &str, key_version: String) -> Self {
        let secret = secret.as_bytes();
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), key_version }
    }

    /// A new token, good for so many minutes.
    pub fn make(&self, now: UnixMillis, minutes: u32) -> Result<String, CannotSign> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| CannotSign)?;
        let now = seconds(now);
        let claims = Claims {
            iss: NAME.to_owned(),
            aud: NAME.to_owned(),
            iat: now,
            nbf: now,
            exp: now + u64::from(minutes) * 60,
            jti: hex(&id),
            key_version: self.key_version.clone(),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|_| CannotSign)
    }

    /// Whether a token is ours, whole, and good now.
    pub fn accepts(&self, token: &str, now: UnixMillis) -> bool {
        if token.len() > LONGEST {
            return false;
        }
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_required_spec_claims(&["exp", "nbf", "iss", "aud"]);
        rules.set_issuer(&[NAME]);
        rules.set_audience(&[NAME]);
        // The times are checked below, by our own clock.
        rules.validate_exp = false;
        let Ok(token) = jsonwebtoken::decode::<Claims>(token, &self.decoding, &rules) else { return false };
        let (claims, now) = (token.claims, seconds(now));
        let begun = claims.nbf.max(claims.iat) <= now.saturating_add(LEEWAY);
        let over = claims.exp.saturating_add(LEEWAY) <= now;
        begun && !over && !claims.jti.is_empty() && claims.key_version == self.key_version
    }
}

fn seconds(at: UnixMillis) -> u64 {
    u64::try_from(at.0 / 1000).unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) const SECRET: &str = "fM3v9qTn8yCw2RkLx5ZbHd7PjEoUa1Gs";
    const NOW: UnixMillis = UnixMillis(1_795_438_800_000);

    fn tokens() -> Tokens {
        Tokens::new(SECRET, "v1".to_owned())
    }

    fn signed(header: &Header, claims: &Value, secret: &str) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    fn claims() -> Value {
        let now = seconds(NOW);
        json!({
            "iss": NAME, "aud": NAME, "iat": now, "nbf": now, "exp": now + 60, "jti": "1", "key_version": "v1",
        })
    }

    /// A token of every kind that must not be accepted, by name.
    pub(crate) fn refused(now: UnixMillis, key_version: &str) -> Vec<(&'static str, String)> {
        let now = seconds(now);
        let hs256 = Header::new(Algorithm::HS256);
        let with = |change: &[(&str, Value)]| {
            let mut claims = json!({
                "iss": NAME, "aud": NAME, "iat": now, "nbf": now, "exp": now + 600, "jti": "1",
                "key_version": key_version,
            });
            for (name, value) in change {
                if value.is_null() {
                    claims.as_object_mut().unwrap().remove(*name);
                } else {
                    claims[*name] = value.clone();
                }
            }
            claims
        };
        let part = |value: &Value| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, value.to_string());
        let good = signed(&hs256, &with(&[]), SECRET);
        let mut list = vec![
            ("no token at all", "nonsense".to_owned()),
            ("alg=none", format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&with(&[])))),
            ("HS512", signed(&Header::new(Algorithm::HS512), &with(&[]), SECRET)),
            ("another key", signed(&hs256, &with(&[]), "another key that is long enough!")),
            ("a cut signature", good.chars().take(good.len() - 1).collect()),
            ("longer than any", format!("{good}{}", "x".repeat(LONGEST))),
        ];
        let changes: [(&'static str, &[(&str, Value)]); 14] = [
            ("expired", &[("exp", json!(now - 31))]),
            ("future nbf", &[("nbf", json!(now + 31))]),
            ("future iat", &[("iat", json!(now + 31))]),
            ("exp as text", &[("exp", json!((now + 600).to_string()))]),
            ("exp as fraction", &[("exp", json!(1e300))]),
            ("nbf as list", &[("nbf", json!([now]))]),
            ("another issuer", &[("iss", json!("somebody"))]),
            ("another audience", &[("aud", json!("somebody"))]),
            ("several audiences", &[("aud", json!([NAME, "somebody"]))]),
            ("old key_version", &[("key_version", json!("old"))]),
            ("no exp", &[("exp", Value::Null)]),
            ("no nbf", &[("nbf", Value::Null)]),
            ("no jti", &[("jti", Value::Null)]),
            ("empty jti", &[("jti", json!(""))]),
        ];
        list.extend(changes.map(|(name, change)| (name, signed(&hs256, &with(change), SECRET))));
        list
    }

    #[test]
    fn x5_only_our_own_fresh_tokens_are_accepted() {
        assert!(tokens().accepts(&signed(&Header::new(Algorithm::HS256), &claims(), SECRET), NOW));
        for (name, token) in refused(NOW, "v1") {
            assert!(!tokens().accepts(&token, NOW), "{name}");
        }
    }

    #[test]
    fn a_token_lasts_as_long_as_it_says() {
        let token = tokens().make(NOW, 2).unwrap();
        let at = |second: i64| UnixMillis(NOW.0 + second * 1000);
        assert!(tokens().accepts(&token, NOW));
        assert!(tokens().accepts(&token, at(-30)), "another clock");
        assert!(!tokens().accepts(&token, at(-31)));
        assert!(tokens().accepts(&token, at(120 + 29)));
        assert!(!tokens().accepts(&token, at(120 + 30)));
        assert_ne!(token, tokens().make(NOW, 2).unwrap());
        assert!(!Tokens::new(SECRET, "v2".to_owned()).accepts(&token, NOW), "the password has changed");
    }

    #[test]
    fn weak_secrets() {
        assert_eq!(check_secret("short"), Err(WeakSecret::TooShort));
        assert_eq!(check_secret(&"x".repeat(31)), Err(WeakSecret::TooShort));
        assert_eq!(check_secret(&"x".repeat(64)), Err(WeakSecret::Known));
        assert_eq!(check_secret("your-secret-key-here-your-secret-key-here"), Err(WeakSecret::Known));
        assert_eq!(check_secret(SECRET), Ok(()));
    }
}
