//! The path that a room guards, with everything under it.

use std::fmt;

use super::reserved;
use crate::canonical::{self, PathRefusal};

/// `/shop` holds `/shop` and `/shop/…`, not `/shopping`; case does not matter, because upstreams exist to which it does
/// not matter either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomPath {
    /// Canonical, without the trailing slash; empty for `/`.
    written: Box<str>,
    /// Decoded and case-folded.
    folded: Box<str>,
}

/// A text that no room can have as its path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRoomPath {
    /// No path.
    #[error("{0}")]
    Refused(#[from] PathRefusal),
    /// A path that requests never have, because theirs are canonical.
    #[error("write its canonical form, \"{0}\"")]
    NotCanonical(String),
    /// A star: a room's path holds what is under it anyway.
    #[error("a room guards everything under its path; write it without `*`")]
    Star,
    /// A path of the gateway itself.
    #[error("paths under /_usher/ are the gateway's own")]
    Reserved,
}

impl RoomPath {
    /// From its written form; one trailing slash is ignored.
    ///
    /// # Errors
    /// [`BadRoomPath`].
    pub fn parse(text: &str) -> Result<Self, BadRoomPath> {
        if text.contains('*') {
            return Err(BadRoomPath::Star);
        }
        let canonical = canonical::path(text)?;
        if !canonical.is_unchanged() {
            return Err(BadRoomPath::NotCanonical(canonical.to_string()));
        }
        let written = text.strip_suffix('/').unwrap_or(text);
        if reserved::is_reserved(written) || reserved::is_reserved(&format!("{written}/")) {
            return Err(BadRoomPath::Reserved);
        }
        let folded: String = canonical::decoded(written).flat_map(fold).collect();
        Ok(Self { written: written.into(), folded: folded.into() })
    }

    /// Whether a canonical path lies in the room.
    pub fn holds(&self, path: &str) -> bool {
        // Without percent signs every character is one byte that stands for itself.
        let encoded = path.as_bytes().contains(&b'%');
        if !encoded {
            let Some((start, rest)) = path.split_at_checked(self.folded.len()) else { return false };
            return start.eq_ignore_ascii_case(&self.folded) && (rest.is_empty() || rest.starts_with('/'));
        }
        let mut characters = canonical::decoded(path).flat_map(fold);
        self.folded.chars().all(|own| characters.next() == Some(own)) && matches!(characters.next(), None | Some('/'))
    }

    /// The path in its canonical form; `/` for the whole host.
    pub fn as_str(&self) -> &str {
        if self.written.is_empty() { "/" } else { &self.written }
    }

    /// What two paths have in common exactly when they hold the same.
    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }
}

impl fmt::Display for RoomPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a character becomes when case is ignored. By way of upper case, so that look-alikes with one upper-case form
/// (`ſ` and `s`) fold together.
fn fold(char: char) -> impl Iterator<Item = char> {
    char.to_uppercase().flat_map(char::to_lowercase)
}
