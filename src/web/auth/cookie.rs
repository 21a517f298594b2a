//! The cookie of a session. Cookies know no ports, so its name holds ours; over TLS it has the prefix that keeps other
//! hosts and other paths from setting it (RFC 6265bis, section 4.1.3.2).

use warp::http::{HeaderMap, HeaderValue, header};

use super::session::ABSOLUTE_MS;

/// A neighbour on another port can set cookies of any name for us; more than these are not looked at.
const MOST: usize = 8;

/// The cookie's name on this server.
pub fn name(port: u16, secure: bool) -> String {
    if secure { format!("__Host-ctm_{port}_sid") } else { format!("ctm_{port}_sid") }
}

/// Every session id that a request brings.
pub fn ids<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, value)| *known == name && !value.is_empty() && value.len() <= 64)
        .map(|(_, value)| value)
        .take(MOST)
        .collect()
}

/// Gives a client its session.
pub fn set(port: u16, secure: bool, id: &str) -> Option<HeaderValue> {
    value(port, secure, id, ABSOLUTE_MS / 1000)
}

/// Takes it away.
pub fn clear(port: u16, secure: bool) -> Option<HeaderValue> {
    value(port, secure, "", 0)
}

fn value(port: u16, secure: bool, id: &str, seconds: i64) -> Option<HeaderValue> {
    let secured = if secure { "; Secure" } else { "" };
    let text = format!("{}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secured}", name(port, secure));
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_among_other_cookies() {
        fn check(lines: &[&'static str], expected: &[&str]) {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_static(line));
            }
            assert_eq!(ids(&headers, "ctm_1_sid"), expected, "{lines:?}");
        }
        check(&[], &[]);
        check(&["ctm_1_sid=a"], &["a"]);
        check(&["x=y; ctm_1_sid=a; ctm_2_sid=b", "ctm_1_sid=c"], &["a", "c"]);
        check(&["ctm_1_sid=;ctm_1_sid;=x;;CTM_1_SID=b"], &[]);
        check(
            &[
                "ctm_1_sid=a;ctm_1_sid=a;ctm_1_sid=a;ctm_1_sid=a;ctm_1_sid=a;ctm_1_sid=a;ctm_1_sid=a;ctm_1_sid=a;ctm_1_sid=a",
            ],
            &["a"; MOST],
        );
    }

    #[test]
    fn attributes() {
        let text = set(51888, false, "ab").unwrap();
        assert_eq!(text, "ctm_51888_sid=ab; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict");
        let text = clear(51888, true).unwrap();
        assert_eq!(text, "__Host-ctm_51888_sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict; Secure");
    }
}
