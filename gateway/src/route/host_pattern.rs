//! The hosts of a room.

use std::fmt;

use crate::canonical::CanonicalHost;

/// One host, or every host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `*`.
    Any,
    /// This name or address, in lower case and without port.
    Exact(Box<str>),
}

/// A text that is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected \"*\" or a host without port such as \"tickets.example.com\" (other scripts in their xn-- form)")]
pub struct BadHostPattern;

impl HostPattern {
    /// From its written form.
    ///
    /// # Errors
    /// [`BadHostPattern`].
    pub fn parse(text: &str) -> Result<Self, BadHostPattern> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let host = CanonicalHost::parse(text).map_err(|_| BadHostPattern)?;
        if host.port().is_some() { Err(BadHostPattern) } else { Ok(Self::Exact(host.name().into())) }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
        }
    }
}
