//! The headers that every answer carries, errors included.

use std::sync::LazyLock;

use warp::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Nothing but our own files runs, styles, loads or connects; nobody frames the pages.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; manifest-src 'self'; object-src 'none'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

const SECURITY: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Other sites learn nothing. Without any referrer, browsers would send our own forms with the origin `null`.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
         microphone=(), midi=(), payment=(), usb=()",
    ),
    // The filter of old browsers could be turned against a page; off is the safe setting.
    (header::X_XSS_PROTECTION, "0"),
];

/// The same as they are sent: copied whole, which costs less than putting them in one by one.
static READY: LazyLock<HeaderMap> = LazyLock::new(|| {
    let mut ready = HeaderMap::with_capacity(2 * SECURITY.len());
    for (name, value) in SECURITY {
        ready.insert(name, HeaderValue::from_static(value));
    }
    ready.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ready
});

/// A year of TLS only. Not for subdomains: they may be somebody else's.
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// Adds them. What a handler said about caching stays; without a word nothing is kept. `encrypted`: the client speaks TLS
/// with a host that is ours alone, and shall never do otherwise again. On this machine that would lock out the servers of
/// other programs.
pub fn secure(headers: &mut HeaderMap, encrypted: bool) {
    let said = std::mem::replace(headers, READY.clone());
    let mut ours = false;
    let mut last = header::CACHE_CONTROL;
    for (name, value) in said {
        // A name comes with the first of its values.
        if let Some(name) = name {
            ours = SECURITY.iter().any(|(ours, _)| *ours == name);
            if name == header::CACHE_CONTROL {
                headers.remove(&name);
            }
            last = name;
        }
        if !ours {
            headers.append(last.clone(), value);
        }
    }
    if encrypted {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT_SECURITY));
    }
}
