//! When a receiver wants to be asked again: `Retry-After` in both of its forms, RFC 9110 §10.2.3.

use std::time::Duration;

use hyper::header::{HeaderMap, RETRY_AFTER};

use crate::event::UnixMillis;

/// Nobody is believed to mean more than this.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The time that the receiver asks for, from `now`; at most an hour. A date that has passed means at once.
pub fn retry_after(headers: &HeaderMap, now: UnixMillis) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::from_millis(u64::try_from(date(value)? - now.0).unwrap_or(0)),
    };
    Some(wait.min(LONGEST))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in milliseconds since 1970. The two obsolete forms of RFC 9110 §5.6.7 are not sent by
/// anybody any more.
fn date(text: &str) -> Option<i64> {
    // Some compute the weekday wrong, and it says nothing new.
    let (_, text) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let at = jiff::civil::DateTime::strptime("%d %b %Y %H:%M:%S", text).ok()?;
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_understood() {
        let now = UnixMillis(784_111_777_000); // Sun, 06 Nov 1994 08:49:37 GMT
        let check = |value: &str, expected: Option<u64>| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().expect("a header"))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value}");
        };
        check("2", Some(2));
        check(" 120 ", Some(120));
        check("0", Some(0));
        check("999999", Some(3_600));
        check("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check("Sun, 06 Nov 1994 08:49:07 GMT", Some(0));
        check("Fri, 06 Nov 2094 08:49:37 GMT", Some(3_600));
        check("-1", None);
        check("soon", None);
        check("Sunday, 06-Nov-94 08:49:37 GMT", None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
