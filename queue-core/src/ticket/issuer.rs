//! Who signs: claim `iss`.

use super::KeyError;

/// 1 to [`Issuer::MAX_LENGTH`] printable ASCII characters without space, quote and backslash, so that JSON never
/// escapes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Issuer(Box<str>);

impl Issuer {
    /// What [`super::MAX_TOKEN_BYTES`] leaves beside the longest key id, room and numbers, rounded down.
    pub(super) const MAX_LENGTH: usize = 200;

    pub(super) fn new(issuer: &str) -> Result<Self, KeyError> {
        let fits = (1..=Self::MAX_LENGTH).contains(&issuer.len())
            && issuer.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        if fits { Ok(Self(issuer.into())) } else { Err(KeyError::Issuer) }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
