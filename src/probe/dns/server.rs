//! How a resolver to ask is written.
//! Comes in: text, such as `192.0.2.53`, `tls://192.0.2.53#dns.example` or `https://192.0.2.53/dns-query#dns.example`.
//! Goes out: where the resolver is, and how it is asked. A resolver is named by its address: to look up its name there
//! would have to be one already.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use rustls::pki_types::ServerName;

const DNS_PORT: u16 = 53;
const TLS_PORT: u16 = 853;
const HTTPS_PORT: u16 = 443;
/// What nearly all servers take (RFC 8484 §4.1.1 has it in its examples).
const PATH: &str = "/dns-query";

/// A recursive resolver, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Server {
    /// Over UDP, and over TCP what does not fit a datagram.
    Plain(SocketAddr),
    /// Over TLS (RFC 7858).
    Tls {
        /// Where it is.
        address: SocketAddr,
        /// What its certificate must be valid for: a host name, or the address itself.
        name: Box<str>,
    },
    /// Over HTTP/2 (RFC 8484).
    Https {
        /// Where it is.
        address: SocketAddr,
        /// What its certificate must be valid for: a host name, or the IPv4 address itself.
        name: Box<str>,
        /// Where on the server questions are taken.
        path: Box<str>,
    },
}

/// A text that names no resolver; says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// No address, and no scheme before one.
    #[error(
        "not an address; write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53, and for an encrypted one \
         tls://192.0.2.53#dns.example or https://192.0.2.53/dns-query#dns.example"
    )]
    Plain,
    /// No address behind `tls://`.
    #[error(
        "no address behind tls://; write tls://192.0.2.53, tls://192.0.2.53:853#dns.example or tls://[2001:db8::53]"
    )]
    Tls,
    /// No address behind `https://`.
    #[error(
        "no address behind https://; write https://192.0.2.53/dns-query, https://192.0.2.53:443/dns-query#dns.example or \
         https://[2001:db8::53]/dns-query#dns.example"
    )]
    Https,
    /// An IPv6 address alone cannot stand in an HTTP/2 request of ours.
    #[error(
        "an IPv6 address behind https:// needs the server's name: write https://[2001:db8::53]/dns-query#dns.example"
    )]
    Nameless,
    /// A path no request can have.
    #[error("no path of an https:// resolver; write https://192.0.2.53/dns-query")]
    Path,
    /// A name no certificate can have.
    #[error("behind # stands no host name; write the name in the server's certificate, such as #dns.example")]
    Name,
}

impl Server {
    /// Where it is.
    pub const fn address(&self) -> SocketAddr {
        match self {
            Self::Plain(address) | Self::Tls { address, .. } | Self::Https { address, .. } => *address,
        }
    }
}

impl From<SocketAddr> for Server {
    fn from(address: SocketAddr) -> Self {
        Self::Plain(address)
    }
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return endpoint(text, DNS_PORT).map(Self::Plain).ok_or(ServerError::Plain);
        };
        let (place, name) = match rest.split_once('#') {
            Some((place, name)) => (place, Some(host(name)?)),
            None => (rest, None),
        };
        if scheme.eq_ignore_ascii_case("tls") {
            let address = endpoint(place, TLS_PORT).ok_or(ServerError::Tls)?;
            return Ok(Self::Tls { address, name: name.unwrap_or_else(|| itself(address)) });
        }
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(ServerError::Plain);
        }
        let (place, path) = match place.find('/').and_then(|at| place.split_at_checked(at)) {
            Some((place, path)) => (place, path),
            None => (place, PATH),
        };
        let address = endpoint(place, HTTPS_PORT).ok_or(ServerError::Https)?;
        if !path.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%?".contains(&octet)) {
            return Err(ServerError::Path);
        }
        let name = match name {
            Some(name) if name.contains(':') => return Err(ServerError::Nameless),
            None if address.is_ipv6() => return Err(ServerError::Nameless),
            Some(name) => name,
            None => itself(address),
        };
        Ok(Self::Https { address, name, path: path.into() })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, name) = match self {
            Self::Plain(address) => return address.fmt(f),
            Self::Tls { address, name } => {
                write!(f, "tls://{address}")?;
                (address, name)
            }
            Self::Https { address, name, path } => {
                write!(f, "https://{address}{path}")?;
                (address, name)
            }
        };
        if *name == itself(*address) { Ok(()) } else { write!(f, "#{name}") }
    }
}

/// An address with or without a port; brackets are needed only between an IPv6 address and its port.
fn endpoint(text: &str, port: u16) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = || bare.parse::<IpAddr>().map(|address| SocketAddr::new(address, port));
    text.parse().or_else(|_| address()).ok()
}

/// What a certificate is compared with.
fn host(text: &str) -> Result<Box<str>, ServerError> {
    ServerName::try_from(text).map_err(|_| ServerError::Name)?;
    Ok(text.into())
}

/// The name of a server that has none.
fn itself(address: SocketAddr) -> Box<str> {
    address.ip().to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, ServerError> {
        text.parse::<Server>().map(|server| server.to_string())
    }

    #[test]
    fn a_resolver_needs_no_port_and_may_be_ipv6() {
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1:53"),
            ("127.0.0.1:5300", "127.0.0.1:5300"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:5300", "[::1]:5300"),
            ("tls://127.0.0.1", "tls://127.0.0.1:853"),
            ("tls://127.0.0.1:8853#dns.example", "tls://127.0.0.1:8853#dns.example"),
            ("TLS://[2001:db8::1]", "tls://[2001:db8::1]:853"),
            ("tls://2001:db8::1#dns.example", "tls://[2001:db8::1]:853#dns.example"),
            ("tls://127.0.0.1#127.0.0.2", "tls://127.0.0.1:853#127.0.0.2"),
            ("tls://127.0.0.1#127.0.0.1", "tls://127.0.0.1:853"),
            ("https://127.0.0.1", "https://127.0.0.1:443/dns-query"),
            ("https://127.0.0.1/", "https://127.0.0.1:443/"),
            ("https://127.0.0.1:8443/a/b?c=d#dns.example", "https://127.0.0.1:8443/a/b?c=d#dns.example"),
            ("https://[::1]/dns-query#dns.example", "https://[::1]:443/dns-query#dns.example"),
            ("https://[::1]:8443/dns-query#dns.example", "https://[::1]:8443/dns-query#dns.example"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(shown), "{text}");
            assert_eq!(read(shown).as_deref(), Ok(shown), "what is shown can be typed");
        }
    }

    #[test]
    fn what_is_no_resolver_is_answered_with_what_to_write() {
        for (text, error) in [
            ("", ServerError::Plain),
            ("dns.example", ServerError::Plain),
            ("127.0.0.1#dns.example", ServerError::Plain),
            ("127.0.0.1:99999", ServerError::Plain),
            ("quic://127.0.0.1", ServerError::Plain),
            ("tls://", ServerError::Tls),
            ("tls://dns.example", ServerError::Tls),
            ("tls://127.0.0.1/dns-query", ServerError::Tls),
            ("tls://127.0.0.1#", ServerError::Name),
            ("tls://127.0.0.1#not a name", ServerError::Name),
            ("https://dns.example/dns-query", ServerError::Https),
            ("https:///dns-query", ServerError::Https),
            ("https://127.0.0.1/dns query", ServerError::Path),
            ("https://127.0.0.1/dns-query{?dns}", ServerError::Path),
            ("https://[::1]/dns-query", ServerError::Nameless),
            ("https://[::1]/dns-query#::1", ServerError::Nameless),
        ] {
            assert_eq!(read(text), Err(error.clone()), "{text}");
            assert!(error.to_string().contains("write "), "{error}");
        }
    }
}
