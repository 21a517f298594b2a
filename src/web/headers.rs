//! The headers that every answer carries, errors included.

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

/// A year of TLS only. Not for subdomains: they may be somebody else's.
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// Adds them. What a handler said about caching stays; without a word nothing is kept. `encrypted`: the client speaks TLS
/// with a host that is ours alone, and shall never do otherwise again. On this machine that would lock out the servers of
/// other programs.
pub fn secure(headers: &mut HeaderMap, encrypted: bool) {
    if encrypted {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT_SECURITY));
    }
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
