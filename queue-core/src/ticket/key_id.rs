//! Which key.

use std::fmt;

use super::KeyError;

/// The name of a key, header `kid`: 1 to 64 characters of `[A-Za-z0-9_.-]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// The longest name; a thumbprint has 43 characters.
    pub const MAX_LENGTH: usize = 64;

    /// A key's name.
    ///
    /// # Errors
    /// [`KeyError::KeyId`] when it is empty, too long or has another character.
    pub fn new(name: &str) -> Result<Self, KeyError> {
        let fits = (1..=Self::MAX_LENGTH).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if fits { Ok(Self(name.into())) } else { Err(KeyError::KeyId) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key:{}", self.0)
    }
}
