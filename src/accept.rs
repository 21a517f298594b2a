//! What a client takes, as it says itself: lists with weights (RFC 9110, section 12.4.2).

use warp::http::header::{self, HeaderMap, HeaderName};

/// The entries of a list with their weights in thousandths. An unreadable weight is none at all.
pub fn weighted(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = (&str, u16)> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).map(|entry| {
        let weight = entry.split(';').skip(1).find_map(|part| part.trim().strip_prefix("q="));
        let weight = match weight.map(str::parse::<f32>) {
            None => 1000,
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
            Some(Ok(weight)) => (weight.clamp(0.0, 1.0) * 1000.0) as u16,
            Some(Err(_)) => 0,
        };
        (entry.trim(), weight)
    })
}

/// Whether the client takes one of these codings of a body. `x-gzip` is an old name of `gzip`.
pub fn takes(headers: &HeaderMap, codings: &[&str]) -> bool {
    let mut any = false;
    let mut refused = 0;
    for (entry, weight) in weighted(headers, header::ACCEPT_ENCODING) {
        let coding = entry.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match coding.strip_prefix("x-").unwrap_or(&coding) {
            "*" => any = weight > 0,
            coding if codings.contains(&coding) => {
                if weight > 0 {
                    return true;
                }
                refused += 1;
            }
            _ => {}
        }
    }
    any && refused < codings.len()
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    #[test]
    fn codings() {
        fn check(accept_encoding: &'static str, gzip: bool, either: bool) {
            let value = HeaderValue::from_static(accept_encoding);
            let headers: HeaderMap = [(header::ACCEPT_ENCODING, value)].into_iter().collect();
            assert_eq!(takes(&headers, &["gzip"]), gzip, "{accept_encoding}");
            assert_eq!(takes(&headers, &["gzip", "br"]), either, "{accept_encoding}");
        }
        assert!(!takes(&HeaderMap::new(), &["gzip"]));
        check("gzip", true, true);
        check("X-GZIP", true, true);
        check("br, gzip;q=0.5", true, true);
        check("br", false, true);
        check("*", true, true);
        check("gzip;q=0", false, false);
        check("*, gzip;q=0", false, true);
        check("gzip;q=0, br;q=0, *", false, false);
        check("identity", false, false);
        check("zstd;q=1.0, *;q=0", false, false);
        check("gzip;q=x", false, false);
        check("", false, false);
    }
}
