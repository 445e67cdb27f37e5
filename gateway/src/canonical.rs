//! One canonical host and path: what is decided on is what is sent upstream, byte for byte.
//!
//! Two parsers that read a path differently are the cheapest way around a guard. So there is one reading: percent
//! encoding is undone once, dot segments are resolved, slashes merged, what is left is written in one way; whatever
//! another parser could read differently (encoded slashes, backslashes, double encoding, parameters after `;`, control
//! bytes, ill-formed UTF-8) is refused. A request that is canonical already is borrowed, not copied.

mod host;
mod path;
mod percent;

pub use host::{CanonicalHost, HostRefusal, host};
pub use path::{CanonicalPath, PathRefusal, path};

use http::{HeaderMap, Uri};

/// The characters that a canonical path stands for.
pub(crate) fn decoded(canonical: &str) -> impl Iterator<Item = char> {
    let mut rest = canonical.as_bytes();
    std::iter::from_fn(move || {
        let decoded = percent::decode(rest).ok()??;
        rest = rest.get(decoded.width..)?;
        Some(decoded.char)
    })
}

/// The target of a request in its one canonical reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical<'r> {
    /// The host that was asked, and the port if one was named.
    pub host: CanonicalHost<'r>,
    /// The path.
    pub path: CanonicalPath<'r>,
    /// The query without `?`, as it came: no decision depends on it.
    pub query: Option<&'r str>,
}

/// Why a target has no canonical reading. All are answered `400`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The host.
    #[error(transparent)]
    Host(#[from] HostRefusal),
    /// The path.
    #[error(transparent)]
    Path(#[from] PathRefusal),
}

impl<'r> Canonical<'r> {
    /// The target of a request in origin form (`/path`, host from `Host`) or absolute form (`http://host/path`, which wins).
    ///
    /// # Errors
    /// [`Refusal`] when it could be read in more than one way.
    pub fn of(uri: &'r Uri, headers: &'r HeaderMap) -> Result<Self, Refusal> {
        Ok(Self { host: host(uri, headers)?, path: path(uri.path())?, query: uri.query() })
    }

    /// Path and query as they go upstream.
    pub fn path_and_query(&self) -> std::borrow::Cow<'_, str> {
        match self.query {
            None => self.path.as_str().into(),
            Some(query) => format!("{}?{query}", self.path).into(),
        }
    }

    /// Whether path and query are, byte for byte, those of the request.
    pub const fn is_unchanged(&self) -> bool {
        self.path.is_unchanged()
    }
}
