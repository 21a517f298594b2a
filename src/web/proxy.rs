//! Who is really asking, where proxies stand in between. What a request says of its own way is believed only from the
//! configured proxies, read from our end: the first address that is not one of them is the client. Pure.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use warp::http::header::{self, HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The far end of a request, as far as the way to it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub client: IpAddr,
    /// A trusted proxy says that the client speaks TLS with it.
    pub https: bool,
}

/// A trusted proxy sent something that names no addresses, or two headers that disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proxy's forwarding headers cannot be understood")]
pub struct Malformed;

/// Where a request comes from, given who is connected and what the headers say.
pub fn origin(trusted: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> Result<Origin, Malformed> {
    let peer = peer.to_canonical();
    if !is_trusted(trusted, peer) {
        return Ok(Origin { client: peer, https: false });
    }
    let lists = (list(headers, &FORWARDED_FOR)?, forwarded(headers)?);
    let hops = match &lists {
        // Proxies set one of the two and pass the other on as the client sent it, so disagreement is forgery.
        (Some(plain), Some(standard)) => {
            let plain = addresses(plain)?;
            if client(trusted, &plain) != client(trusted, &standard.addresses) {
                return Err(Malformed);
            }
            plain
        }
        (Some(plain), None) => addresses(plain)?,
        (None, Some(standard)) => standard.addresses.clone(),
        (None, None) => Vec::new(),
    };
    let place = client(trusted, &hops);
    let standard_protos = lists.1.map(|standard| standard.protos).unwrap_or_default();
    let protos = match list(headers, &FORWARDED_PROTO)? {
        Some(protos) => protos.into_iter().map(str::to_ascii_lowercase).collect(),
        None => standard_protos,
    };
    if protos.iter().any(|proto| proto != "http" && proto != "https") {
        return Err(Malformed);
    }
    // One for each address if every proxy adds one; otherwise the nearest knows best.
    let proto = if protos.len() == hops.len() { place.map(|(index, _)| &protos[index]) } else { protos.last() };
    Ok(Origin {
        client: place.map_or(peer, |(_, address)| address),
        https: proto.is_some_and(|proto| proto == "https"),
    })
}

fn is_trusted(trusted: &[IpNet], address: IpAddr) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The right-most address that is no trusted proxy, or the left-most where all are; with its place.
fn client(trusted: &[IpNet], hops: &[IpAddr]) -> Option<(usize, IpAddr)> {
    let untrusted = hops.iter().enumerate().rev().find(|(_, address)| !is_trusted(trusted, **address));
    untrusted.or_else(|| hops.iter().enumerate().next()).map(|(index, address)| (index, *address))
}

/// The elements of a comma-separated header, over all its lines; `None` where it is not there.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<Vec<&'a str>>, Malformed> {
    let mut elements = Vec::new();
    for value in headers.get_all(name) {
        elements.extend(value.to_str().map_err(|_| Malformed)?.split(',').map(str::trim));
    }
    Ok((!elements.is_empty()).then_some(elements))
}

fn addresses(elements: &[&str]) -> Result<Vec<IpAddr>, Malformed> {
    elements.iter().map(|element| address(element)).collect()
}

/// An address, with or without a port.
fn address(text: &str) -> Result<IpAddr, Malformed> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let plain = text.parse::<IpAddr>().ok().or_else(bracketed);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    plain.or_else(with_port).map(|address| address.to_canonical()).ok_or(Malformed)
}

/// What `Forwarded` (RFC 7239) says.
struct Standard {
    addresses: Vec<IpAddr>,
    protos: Vec<String>,
}

fn forwarded(headers: &HeaderMap) -> Result<Option<Standard>, Malformed> {
    let Some(elements) = list(headers, &header::FORWARDED)? else { return Ok(None) };
    let mut standard = Standard { addresses: Vec::new(), protos: Vec::new() };
    for element in elements {
        for pair in element.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(Malformed)?;
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            match name.to_ascii_lowercase().as_str() {
                // A hidden name (`unknown`, `_x`) is no address: nothing to tell clients apart by.
                "for" => standard.addresses.push(address(value)?),
                "proto" => standard.protos.push(value.to_ascii_lowercase()),
                _ => {}
            }
        }
    }
    Ok(Some(standard))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(peer: &str, headers: &[(&'static str, &str)]) -> Result<(String, bool), Malformed> {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).to_vec();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        origin(&trusted, peer.parse().unwrap(), &map).map(|origin| (origin.client.to_string(), origin.https))
    }

    const FOR: &str = "x-forwarded-for";
    const PROTO: &str = "x-forwarded-proto";
    const STANDARD: &str = "forwarded";

    #[test]
    fn strangers_are_who_they_are() {
        let headers = [(FOR, "192.0.2.7"), (STANDARD, "for=192.0.2.7;proto=https"), (PROTO, "https")];
        assert_eq!(ask("192.0.2.1", &headers), Ok(("192.0.2.1".to_owned(), false)));
        assert_eq!(ask("192.0.2.1", &[(FOR, "nonsense")]), Ok(("192.0.2.1".to_owned(), false)));
        assert_eq!(ask("::ffff:192.0.2.1", &[]), Ok(("192.0.2.1".to_owned(), false)));
    }

    #[test]
    fn behind_proxies_the_first_stranger_from_the_right_asks() {
        fn check(headers: &[(&'static str, &str)], client: &str, https: bool) {
            assert_eq!(ask("10.0.0.1", headers), Ok((client.to_owned(), https)), "{headers:?}");
        }
        check(&[], "10.0.0.1", false);
        check(&[(FOR, "192.0.2.7")], "192.0.2.7", false);
        check(&[(FOR, "192.0.2.7"), (PROTO, "https")], "192.0.2.7", true);
        check(&[(FOR, "127.0.0.1, 192.0.2.7, 10.0.0.2")], "192.0.2.7", false);
        check(&[(FOR, "198.51.100.1"), (FOR, "192.0.2.7")], "192.0.2.7", false);
        check(&[(FOR, "10.0.0.3, 10.0.0.2")], "10.0.0.3", false);
        check(&[(FOR, "192.0.2.7:4711")], "192.0.2.7", false);
        check(&[(FOR, "[2001:db8::7]:4711")], "2001:db8::7", false);
        check(&[(FOR, "2001:db8::7, fd00::2")], "2001:db8::7", false);
        check(&[(FOR, "198.51.100.1, 192.0.2.7, 10.0.0.2"), (PROTO, "http, https, http")], "192.0.2.7", true);
        check(&[(FOR, "198.51.100.1, 192.0.2.7"), (PROTO, "HTTPS")], "192.0.2.7", true);
        check(&[(PROTO, "https")], "10.0.0.1", true);
        check(&[(STANDARD, "for=192.0.2.7;proto=https;by=10.0.0.1")], "192.0.2.7", true);
        check(&[(STANDARD, "For=\"[2001:db8::7]:80\", for=10.0.0.2")], "2001:db8::7", false);
        check(&[(FOR, "192.0.2.7"), (STANDARD, "for=192.0.2.7")], "192.0.2.7", false);
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for headers in [
            &[(FOR, "")][..],
            &[(FOR, "192.0.2.7,")],
            &[(FOR, "somebody")],
            &[(FOR, "192.0.2.7, 1.2.3")],
            &[(FOR, "192.0.2.7"), (PROTO, "gopher")],
            &[(STANDARD, "for=unknown")],
            &[(STANDARD, "for=_hidden")],
            &[(STANDARD, "192.0.2.7")],
            &[(FOR, "192.0.2.7"), (STANDARD, "for=198.51.100.1")],
        ] {
            assert_eq!(ask("10.0.0.1", headers), Err(Malformed), "{headers:?}");
        }
    }
}
