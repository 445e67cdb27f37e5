//! Paths of a room that need no ticket.

use std::fmt;

use crate::canonical::{self, PathRefusal};

/// One path, or everything under one. Compared with regard to case: what only looks like it stays guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenPattern {
    /// This canonical path alone.
    Exact(Box<str>),
    /// Every path that begins with this canonical prefix, which ends in `/`.
    Under(Box<str>),
}

/// A text that is no open pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOpenPattern {
    /// A star that is not the whole last segment.
    #[error("`*` stands only at the end, after a slash: \"/assets/*\"")]
    Star,
    /// No path.
    #[error("{0}")]
    Refused(#[from] PathRefusal),
    /// A path that requests never have, because theirs are canonical.
    #[error("write its canonical form, \"{0}\"")]
    NotCanonical(String),
}

impl OpenPattern {
    /// From its written form.
    ///
    /// # Errors
    /// [`BadOpenPattern`].
    pub fn parse(text: &str) -> Result<Self, BadOpenPattern> {
        let (path, under) = match text.strip_suffix('*') {
            Some(prefix) if prefix.ends_with('/') => (prefix, true),
            Some(_) => return Err(BadOpenPattern::Star),
            None => (text, false),
        };
        if path.contains('*') {
            return Err(BadOpenPattern::Star);
        }
        let canonical = canonical::path(path)?;
        if !canonical.is_unchanged() {
            return Err(BadOpenPattern::NotCanonical(format!("{canonical}{}", if under { "*" } else { "" })));
        }
        Ok(if under { Self::Under(path.into()) } else { Self::Exact(path.into()) })
    }

    /// Whether this canonical path is open.
    pub fn opens(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == &**exact,
            Self::Under(prefix) => path.starts_with(&**prefix),
        }
    }

    /// The path, or the prefix with its slash.
    pub fn path(&self) -> &str {
        match self {
            Self::Exact(path) | Self::Under(path) => path,
        }
    }
}

impl fmt::Display for OpenPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.write_str(path),
            Self::Under(prefix) => write!(f, "{prefix}*"),
        }
    }
}
