//! Queue tokens and admission tickets on the wire: read from headers and cookies, written as cookies, kept from upstreams.

mod cookies;
mod strip;

pub use cookies::{CookieSecurity, RoomCookies};
pub use strip::strip;

use http::{HeaderMap, HeaderName};

/// The header that carries a queue token, for apps.
pub const USHER_TOKEN: HeaderName = HeaderName::from_static("usher-token");
/// The header that carries an admission ticket, for apps and toward the upstream.
pub const USHER_TICKET: HeaderName = HeaderName::from_static("usher-ticket");

/// What a request shows as one of its credentials. Not verified yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'r> {
    /// Nothing.
    Absent,
    /// One.
    Shown(&'r str),
    /// Several: somebody else may have set one of them, so none counts.
    Several,
    /// Bytes that no token or ticket has.
    Malformed,
}

impl<'r> Credential<'r> {
    fn from_bytes(bytes: &'r [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) => Self::Shown(text),
            _ => Self::Malformed,
        }
    }

    /// The one in a header, which wins over cookies: other sites cannot make a browser send it.
    fn from_header(headers: &'r HeaderMap, name: &HeaderName) -> Self {
        let mut fields = headers.get_all(name).iter();
        match (fields.next(), fields.next()) {
            (None, _) => Self::Absent,
            (Some(field), None) => Self::from_bytes(field.as_bytes()),
            (Some(_), Some(_)) => Self::Several,
        }
    }
}
