//! `healthcheck`: asks a running server; for containers and scripts.

use std::net::{SocketAddr, ToSocketAddrs};

use super::output::print;
use super::request::{self, Target};
use crate::app::AppError;

/// Asks `url`, or whether the server at `listen` is ready. `false`: it is not, and the reason was printed.
pub(super) fn run(listen: SocketAddr, tls: bool, url: Option<&str>) -> Result<bool, AppError> {
    let (server, path) = match url {
        None => (Target { address: listen, tls }, "/-/ready".to_owned()),
        Some(url) => split(url).map_err(|reason| AppError::Other(anyhow::anyhow!("{url}: {reason}")))?,
    };
    let (words, well) = match request::get(server, &path) {
        Ok((200, _)) => ("ready\n".to_owned(), true),
        Ok((status, body)) => (format!("not ready ({status}): {}\n", super::output::clean(body.trim())), false),
        Err(error) => {
            let address = server.address;
            (format!("no answer from {address}: {error}; is `claude-token-monitor serve` running?\n"), false)
        }
    };
    print(&words).map_err(|error| AppError::Other(error.into()))?;
    Ok(well)
}

/// The server and the path of `http://host:port/path`.
fn split(url: &str) -> Result<(Target, String), String> {
    let (tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err("expected http://HOST:PORT/PATH, or https:// for this machine".to_owned()),
    };
    let (authority, path) = rest.split_once('/').map_or((rest, String::new()), |(host, path)| (host, path.to_owned()));
    let found = authority.to_socket_addrs().map_err(|error| error.to_string())?.next();
    let server = Target { address: found.ok_or("the name has no address")?, tls };
    Ok((server, format!("/{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split() {
        let check = |url: &str, expected: Result<(&str, &str), &str>| {
            let expected = expected.map(|(address, path)| {
                let server = Target { address: address.parse().unwrap(), tls: url.starts_with("https") };
                (server, path.to_owned())
            });
            assert_eq!(split(url), expected.map_err(str::to_owned), "{url}");
        };
        check("http://127.0.0.1:51888/-/healthy", Ok(("127.0.0.1:51888", "/-/healthy")));
        check("http://127.0.0.1:1", Ok(("127.0.0.1:1", "/")));
        check("https://127.0.0.1:1/x", Ok(("127.0.0.1:1", "/x")));
        check("127.0.0.1:1", Err("expected http://HOST:PORT/PATH, or https:// for this machine"));
    }
}
