//! The PROXY protocol (versions 1 and 2): a balancer in front says whose connection it passes on.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ppp::{HeaderResult, PartialResult as _, v1, v2};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::client_addr::TrustedProxies;

/// The longest header read, in bytes: version 1 has at most 107, version 2 16 and its addresses; what balancers add (TLS
/// facts, ids) takes a few hundred.
const LONGEST: usize = 2 * 1024;

/// Why a connection cannot be told whose it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyHeaderError {
    /// The peer may not speak for others.
    #[error("the peer is not in trusted_proxies")]
    Untrusted,
    /// Not a header, or a longer one than is read.
    #[error("what came first is no PROXY protocol header")]
    Malformed,
    /// The connection ended first.
    #[error("the connection broke before the header was whole")]
    Broken(#[from] io::Error),
}

/// Reads the header that `peer` must send first, and nothing beyond it. Returns whose connection it is: the peer's own
/// where the header says so (a balancer's health check).
pub(super) async fn read(
    stream: &mut TcpStream,
    peer: SocketAddr,
    balancers: &TrustedProxies,
) -> Result<SocketAddr, ProxyHeaderError> {
    if !balancers.trusts(peer.ip()) {
        return Err(ProxyHeaderError::Untrusted);
    }
    let mut header = Vec::with_capacity(v1::PROTOCOL_PREFIX.len() + 107);
    let mut ahead = [0; LONGEST];
    loop {
        let seen = stream.peek(&mut ahead).await?;
        if seen == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let known = header.len();
        header.extend_from_slice(ahead.get(..seen).unwrap_or_default());
        let parsed = parse(&header);
        // Only what belongs to the header is taken from the socket: what follows is TLS or HTTP.
        let length = match &parsed {
            Parsed::Whole { length, .. } => *length,
            Parsed::Incomplete => header.len(),
            Parsed::Malformed => return Err(ProxyHeaderError::Malformed),
        };
        let taken = length.saturating_sub(known).min(seen);
        stream.read_exact(ahead.get_mut(..taken).unwrap_or_default()).await?;
        match parsed {
            Parsed::Whole { source, .. } => return Ok(source.unwrap_or(peer)),
            _ if header.len() >= LONGEST => return Err(ProxyHeaderError::Malformed),
            _ => {}
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    /// Its length in bytes, and the client if it names one.
    Whole {
        length: usize,
        source: Option<SocketAddr>,
    },
    /// More bytes are needed.
    Incomplete,
    Malformed,
}

/// The longest header of version 1, in bytes.
const LONGEST_TEXT: usize = 107;

fn parse(bytes: &[u8]) -> Parsed {
    // Half an address of version 1 looks like a wrong one to the parser: its line is read whole first.
    let prefix = v1::PROTOCOL_PREFIX.as_bytes();
    let is_text = bytes.starts_with(prefix) || prefix.starts_with(bytes);
    if is_text && !bytes.windows(2).any(|end| end == b"\r\n") {
        return if bytes.len() < LONGEST_TEXT { Parsed::Incomplete } else { Parsed::Malformed };
    }
    match HeaderResult::parse(bytes) {
        HeaderResult::V2(Ok(header)) => Parsed::Whole { length: header.len(), source: source_v2(&header) },
        HeaderResult::V1(Ok(header)) => Parsed::Whole { length: header.header.len(), source: source_v1(&header) },
        other if other.is_incomplete() => Parsed::Incomplete,
        _ => Parsed::Malformed,
    }
}

const fn source_v1(header: &v1::Header<'_>) -> Option<SocketAddr> {
    match header.addresses {
        v1::Addresses::Tcp4(ip) => Some(SocketAddr::new(IpAddr::V4(ip.source_address), ip.source_port)),
        v1::Addresses::Tcp6(ip) => Some(SocketAddr::new(IpAddr::V6(ip.source_address), ip.source_port)),
        v1::Addresses::Unknown => None,
    }
}

fn source_v2(header: &v2::Header<'_>) -> Option<SocketAddr> {
    match (header.command, header.addresses) {
        (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
            Some(SocketAddr::new(IpAddr::V4(ip.source_address), ip.source_port))
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
            Some(SocketAddr::new(IpAddr::V6(ip.source_address), ip.source_port))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(address: &str, length: usize) -> Parsed {
        Parsed::Whole { length, source: Some(address.parse().unwrap()) }
    }

    /// Both versions name the client, and nothing behind the header is taken for it.
    #[test]
    fn both_versions_name_the_client() {
        let text = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
        assert_eq!(parse(&[text, &b"GET / HTTP/1.1\r\n"[..]].concat()), named("192.0.2.7:56324", text.len()));
        for cut in 1..text.len() {
            assert_eq!(parse(&text[..cut]), Parsed::Incomplete, "{cut}");
        }
        let text = b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n";
        assert_eq!(parse(text), named("[2001:db8::7]:56324", text.len()));
        let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        binary.extend([192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb]);
        let length = binary.len();
        binary.extend(b"\x16\x03\x01");
        assert_eq!(parse(&binary), named("192.0.2.7:56324", length));
        for cut in 1..length {
            assert_eq!(parse(&binary[..cut]), Parsed::Incomplete, "{cut}");
        }
    }

    /// A balancer that speaks for itself, or cannot say, is itself the client.
    #[test]
    fn a_balancer_may_speak_for_itself() {
        let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
        assert_eq!(parse(local), Parsed::Whole { length: 16, source: None });
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Parsed::Whole { length: 15, source: None });
    }

    /// What is no header is refused, not served.
    #[test]
    fn anything_else_is_malformed() {
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PROXY TCP4 a b c d\r\n", b"\x16\x03\x01\x02\0\x01\0"] {
            assert_eq!(parse(bytes), Parsed::Malformed, "{bytes:?}");
        }
    }
}
