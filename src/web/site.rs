//! Names of servers and of sites, normalised so that what looks different and means the same compares equal, and nothing
//! else does. Pure.

use std::net::{IpAddr, Ipv4Addr};

/// What stands for no port at all.
pub(super) fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// `scheme://host[:port]`: where pages come from (RFC 6454).
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) https: bool,
    pub(super) authority: Authority,
}

impl Site {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (https, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return None,
        };
        Some(Self { https, authority: Authority::parse(rest)? })
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.authority.name.is_loopback()
    }

    fn port(&self) -> u16 {
        self.authority.port.unwrap_or_else(|| default_port(self.https))
    }

    /// Whether a request that names its host so is one to this site.
    pub(super) fn is_at(&self, asked: &Authority) -> bool {
        self.authority.name == asked.name && asked.port.unwrap_or_else(|| default_port(self.https)) == self.port()
    }
}

impl PartialEq for Site {
    fn eq(&self, other: &Self) -> bool {
        self.https == other.https && self.authority.name == other.authority.name && self.port() == other.port()
    }
}

/// `host[:port]`, normalised for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    pub(super) name: Name,
    pub(super) port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Ip(IpAddr),
    /// Lower case, without the trailing dot of a fully qualified name.
    Dns(String),
}

impl Name {
    pub(super) fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(address) => address.to_canonical().is_loopback(),
            Self::Dns(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

impl Authority {
    /// Strict: no user, no path, no empty port. An address in any but its usual form stays a name, and so is never
    /// taken for that address.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parsed: warp::http::uri::Authority = text.parse().ok()?;
        if parsed.as_str().contains('@') {
            return None;
        }
        let host = parsed.host();
        let port = match parsed.as_str().strip_prefix(host)? {
            "" => None,
            rest => {
                Some(rest.strip_prefix(':').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?)
            }
        };
        let name = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => Name::Ip(IpAddr::V6(inner.parse().ok()?)),
            None => match host.parse::<Ipv4Addr>() {
                Ok(address) => Name::Ip(address.into()),
                Err(_) => Name::Dns(dns_name(host)?),
            },
        };
        Some(Self { name, port })
    }
}

/// A name as the domain name system has them, with the underscore that some networks use.
fn dns_name(host: &str) -> Option<String> {
    let name = host.strip_suffix('.').unwrap_or(host);
    let labels_are_sound = name
        .split('.')
        .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    labels_are_sound.then(|| name.to_ascii_lowercase())
}
