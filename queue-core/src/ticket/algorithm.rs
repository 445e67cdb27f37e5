//! Which algorithm signs admission tickets.

use std::fmt;
use std::str::FromStr;

/// The algorithm of a ticket key. A key has one; what a token's header says is only compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037): small, deterministic, the default.
    EdDsa,
    /// ECDSA over P-256 with SHA-256 (RFC 7518): the one most proxies and clouds can verify.
    Es256,
    /// HMAC with SHA-256 (RFC 7518): every verifier shares the secret, so every verifier can sign.
    Hs256,
}

/// A word that names none of the algorithms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the algorithm is one of EdDSA, ES256 and HS256, not {0:?}")]
pub struct UnknownAlgorithm(pub String);

impl Algorithm {
    /// Its name as header `alg`, in configuration and in JWKS.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
        }
    }

    /// The length of its signatures in bytes.
    pub(super) const fn signature_bytes(self) -> usize {
        match self {
            Self::EdDsa | Self::Es256 => 64,
            Self::Hs256 => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::EdDsa, Self::Es256, Self::Hs256]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| UnknownAlgorithm(name.to_owned()))
    }
}
