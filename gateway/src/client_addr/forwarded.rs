//! The hops that `X-Forwarded-For` and `Forwarded` (RFC 7239) name.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

/// The hops kept, counted from the right: real chains have two or three, a forged field may have thousands.
const MOST_HOPS: usize = 16;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The right-most hops of a field. A hop that is no address (`unknown`, `_hidden`, rubbish) is `None`.
pub(super) struct Hops {
    ring: [Option<IpAddr>; MOST_HOPS],
    seen: usize,
}

impl Hops {
    /// The hops of `X-Forwarded-For`; `None` without the field.
    pub(super) fn of_x_forwarded_for(headers: &HeaderMap) -> Option<Self> {
        let mut hops = Self::none();
        for field in headers.get_all(X_FORWARDED_FOR) {
            for element in field.as_bytes().split(|byte| *byte == b',') {
                hops.push(std::str::from_utf8(element).ok().and_then(|text| address(text.trim())));
            }
        }
        hops.any()
    }

    /// The hops of `Forwarded`; `None` without the field.
    pub(super) fn of_forwarded(headers: &HeaderMap) -> Option<Self> {
        let mut hops = Self::none();
        for field in headers.get_all(FORWARDED) {
            let mut rest = field.as_bytes();
            loop {
                let (element, after) = split_outside_quotes(rest, b',');
                hops.push(hop_of_element(element));
                match after {
                    Some(after) => rest = after,
                    None => break,
                }
            }
        }
        hops.any()
    }

    /// The hops, nearest first.
    pub(super) fn nearest_first(&self) -> impl Iterator<Item = Option<IpAddr>> {
        let kept = self.seen.min(MOST_HOPS);
        (1..=kept).map(|back| self.ring.get((self.seen - back) % MOST_HOPS).copied().flatten())
    }

    const fn none() -> Self {
        Self { ring: [None; MOST_HOPS], seen: 0 }
    }

    fn push(&mut self, hop: Option<IpAddr>) {
        if let Some(slot) = self.ring.get_mut(self.seen % MOST_HOPS) {
            *slot = hop;
        }
        self.seen += 1;
    }

    fn any(self) -> Option<Self> {
        (self.seen > 0).then_some(self)
    }
}

/// The `for` of one element; `None` when it has none, or several.
fn hop_of_element(element: &[u8]) -> Option<IpAddr> {
    let mut rest = element;
    let mut hop = None;
    loop {
        let (pair, after) = split_outside_quotes(rest, b';');
        let pair = std::str::from_utf8(pair).ok()?.trim();
        if let Some((name, value)) = pair.split_once('=')
            && name.eq_ignore_ascii_case("for")
        {
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            if hop.replace(address(value)?).is_some() {
                return None;
            }
        }
        match after {
            Some(after) => rest = after,
            None => return hop,
        }
    }
}

/// What stands before the first `separator` that is not in quotes, and what after it.
fn split_outside_quotes(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.iter().position(|byte| {
        let found = *byte == separator && !quoted;
        if *byte == b'"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && *byte == b'\\' && !escaped;
        found
    });
    match end.and_then(|end| text.split_at_checked(end)) {
        Some((before, after)) => (before, after.get(1..)),
        None => (text, None),
    }
}

/// An address with or without port; IPv6 with a port is in brackets.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Some(bare) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return bare.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip())
}
