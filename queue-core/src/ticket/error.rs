//! Why a key or a token is refused.

use super::issuer::Issuer;
use super::{Algorithm, KeyId, MAX_KEYS};

/// A key, a ring or a key document that cannot be used: a mistake of whoever configured it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a key id.
    #[error("a key id has 1 to {} characters of A-Z, a-z, 0-9, '_', '.' and '-'", KeyId::MAX_LENGTH)]
    KeyId,
    /// Two keys of one id.
    #[error("two keys are called {0}")]
    DuplicateKeyId(KeyId),
    /// Not an issuer.
    #[error("an issuer has 1 to {} printable ASCII characters without space, quote and backslash", Issuer::MAX_LENGTH)]
    Issuer,
    /// No key at all.
    #[error("there is no key")]
    NoKeys,
    /// More than [`MAX_KEYS`].
    #[error("there are more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// The text is not a private key of the algorithm: PKCS#8 in PEM for EdDSA and ES256, base64url for HS256.
    #[error("key {id} is not a private key for {algorithm}")]
    NotAKey {
        /// Which key.
        id: KeyId,
        /// What it was to be used for.
        algorithm: Algorithm,
    },
    /// An HMAC secret of fewer than 32 bytes.
    #[error("the secret of key {0} has fewer than 32 bytes")]
    SecretTooShort(KeyId),
    /// The entropy makes no key. Draw again; chances are below 2^-100.
    #[error("the entropy makes no key")]
    Entropy,
    /// The document is not a JSON Web Key Set that can be used.
    #[error("not a usable key set: {0}")]
    KeySet(&'static str),
}

/// Why a token is refused. For logs and metrics: to the outside all of these are one answer, so that nobody learns how
/// close a forgery came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// Too long, not three canonical base64url parts, or not exactly the members of its kind.
    #[error("the token is malformed")]
    Malformed,
    /// A statement of another kind.
    #[error("the token is of another kind")]
    Kind,
    /// No current key has this id and algorithm.
    #[error("the token names no current key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature does not fit")]
    Signature,
    /// Another issuer.
    #[error("the token has another issuer")]
    Issuer,
    /// Another room.
    #[error("the token is for another room")]
    Audience,
    /// Not good yet.
    #[error("the token is not yet good")]
    NotYetValid,
    /// No longer good.
    #[error("the token has expired")]
    Expired,
}

impl TokenError {
    /// The `result` label of `usher_ticket_verifications_total`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed | Self::Kind => "malformed",
            Self::UnknownKey | Self::Signature => "signature",
            Self::Issuer | Self::Audience => "audience",
            Self::NotYetValid | Self::Expired => "expired",
        }
    }
}
