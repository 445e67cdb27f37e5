//! The canonical host.

use std::borrow::Cow;
use std::fmt;

use http::header::HOST;
use http::{HeaderMap, Uri};

/// A host in lower case, with the port if one was named: as it goes upstream in `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicalHost<'r> {
    authority: Cow<'r, str>,
    name_length: usize,
    port: Option<u16>,
}

/// Why a host is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostRefusal {
    /// No `Host` field.
    #[error("a request must have a Host field")]
    Missing,
    /// Several `Host` fields.
    #[error("a request must have one Host field")]
    Several,
    /// Not a name or address, or a port out of 1..=65535.
    #[error("the host is not a name or address with an optional port")]
    Malformed,
    /// The target names another host than `Host`.
    #[error("the Host field names another host than the target")]
    Disagree,
}

/// The longest host in bytes: 253 of a name, and a port.
const LONGEST_HOST: usize = 260;

impl<'r> CanonicalHost<'r> {
    /// Name or address without port, in lower case; IPv6 in brackets.
    pub fn name(&self) -> &str {
        self.authority.get(..self.name_length).unwrap_or_default()
    }

    /// The port, if one was named.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Name and port as they go upstream.
    pub fn as_str(&self) -> &str {
        &self.authority
    }

    /// From the value of a `Host` field or an authority without user information.
    ///
    /// # Errors
    /// [`HostRefusal::Malformed`].
    pub fn parse(raw: &'r str) -> Result<Self, HostRefusal> {
        let (name, port) = split_port(raw)?;
        let well_formed = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_name(name),
        };
        if !well_formed || raw.len() > LONGEST_HOST {
            return Err(HostRefusal::Malformed);
        }
        let authority = if raw.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(raw.to_ascii_lowercase())
        } else {
            Cow::Borrowed(raw)
        };
        Ok(Self { authority, name_length: name.len(), port })
    }
}

impl fmt::Display for CanonicalHost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

/// The host of a request: the authority of an absolute target, else the `Host` field. Both must agree, and there must be
/// exactly one `Host` field, whatever the target (RFC 9112, 3.2).
///
/// # Errors
/// [`HostRefusal`].
pub fn host<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Result<CanonicalHost<'r>, HostRefusal> {
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next().ok_or(HostRefusal::Missing)?;
    if fields.next().is_some() {
        return Err(HostRefusal::Several);
    }
    let field = CanonicalHost::parse(field.to_str().map_err(|_| HostRefusal::Malformed)?)?;
    match uri.authority() {
        None => Ok(field),
        Some(authority) => {
            let target = CanonicalHost::parse(authority.as_str())?;
            if target == field { Ok(target) } else { Err(HostRefusal::Disagree) }
        }
    }
}

/// Name and port. The colons of an IPv6 address are inside brackets.
fn split_port(raw: &str) -> Result<(&str, Option<u16>), HostRefusal> {
    let colon = match raw.rfind(']') {
        Some(bracket) => raw.get(bracket..).and_then(|rest| rest.find(':')).map(|colon| bracket + colon),
        None => raw.find(':'),
    };
    let Some((name, port)) = colon.and_then(|colon| raw.split_at_checked(colon)) else { return Ok((raw, None)) };
    let digits = port.strip_prefix(':').unwrap_or_default();
    let port = digits.parse::<u16>().ok().filter(|port| *port > 0 && !digits.starts_with(['+', '0']));
    port.map(|port| (name, Some(port))).ok_or(HostRefusal::Malformed)
}

/// Labels of letters, digits, `-` and `_`, parted by single dots. A trailing dot names the same host in another spelling
/// and is refused: browsers send it only when somebody typed it.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.split('.').all(label)
}
