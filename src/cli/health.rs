//! `healthcheck`: asks a running server; for containers and scripts.

use std::net::{SocketAddr, ToSocketAddrs};

use super::output::print;
use super::request;
use crate::app::AppError;

/// Asks `url`, or whether the server at `listen` is ready. `false`: it is not, and the reason was printed.
pub(super) fn run(listen: SocketAddr, url: Option<&str>) -> Result<bool, AppError> {
    let (address, path) = match url {
        None => (listen, "/-/ready".to_owned()),
        Some(url) => split(url).map_err(|reason| AppError::Other(anyhow::anyhow!("{url}: {reason}")))?,
    };
    let (words, well) = match request::get(address, &path) {
        Ok((200, _)) => ("ready\n".to_owned(), true),
        Ok((status, body)) => (format!("not ready ({status}): {}\n", super::output::clean(body.trim())), false),
        Err(error) => (format!("no answer from {address}: {error}; is `claude-token-monitor serve` running?\n"), false),
    };
    print(&words).map_err(|error| AppError::Other(error.into()))?;
    Ok(well)
}

/// The address and path of `http://host:port/path`.
fn split(url: &str) -> Result<(SocketAddr, String), String> {
    let rest = url.strip_prefix("http://").ok_or("expected http://HOST:PORT/PATH")?;
    let (authority, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let found = authority.to_socket_addrs().map_err(|error| error.to_string())?.next();
    Ok((found.ok_or("the name has no address")?, format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split() {
        let check = |url: &str, expected: Result<(&str, &str), &str>| {
            let expected = expected.map(|(address, path)| (address.parse().unwrap(), path.to_owned()));
            assert_eq!(split(url), expected.map_err(str::to_owned), "{url}");
        };
        check("http://127.0.0.1:51888/-/healthy", Ok(("127.0.0.1:51888", "/-/healthy")));
        check("http://127.0.0.1:1", Ok(("127.0.0.1:1", "/")));
        check("https://127.0.0.1:1", Err("expected http://HOST:PORT/PATH"));
    }
}
