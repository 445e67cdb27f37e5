//! Which room.

use std::fmt;
use std::sync::Arc;

/// The name of a room: 1 to 32 characters of `[a-z0-9-]`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(Arc<str>);

/// A name that no room can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a room's name has 1 to 32 characters of a-z, 0-9 and '-', not {0:?}")]
pub struct BadRoomName(pub String);

impl RoomId {
    /// The longest name.
    pub const MAX_LENGTH: usize = 32;

    /// A room's name.
    ///
    /// # Errors
    /// [`BadRoomName`] when it is empty, too long or has another character.
    pub fn new(name: &str) -> Result<Self, BadRoomName> {
        let fits = (1..=Self::MAX_LENGTH).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(name.into())) } else { Err(BadRoomName(name.to_owned())) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "room:{}", self.0)
    }
}
