//! Signed statements: queue tokens (`queue+jwt`) say where a visitor stands, provisional tokens (`provisional+jwt`) when
//! somebody came while the store was away, admission tickets (`admission+jwt`) who may pass. Both are compact JSON Web Signatures with every freedom taken out.
//!
//! # What is accepted
//!
//! * At most [`MAX_TOKEN_BYTES`], measured before anything is decoded; canonical base64url only (no padding, no spare
//!   bits), so a statement has one written form. ES256 signatures have a second form, `(r, n − s)`: we write the lower
//!   `s` and refuse the higher.
//! * A header of exactly `alg`, `kid` and `typ`, each a string, each once. The key is found by `kid` in a table of at
//!   most [`MAX_KEYS`]; `alg` is compared with the key's own algorithm and chooses nothing; `typ` must be the kind
//!   that was asked for. `jwk`, `jku`, `x5u`, `x5c`, `crit`, `zip` and any other member are refused.
//! * Claims that are one JSON object with exactly the members of its kind, each of the right type, each once. Strings
//!   contain no escapes. White space between members is allowed: the signature covers it.
//! * `nbf` and `iat` not later, `exp` not earlier than `now`, within [`LEEWAY`]; `iss` and `aud` equal to what is
//!   expected; and the claims agree with each other: `place` with `epoch` and `jti`, `jti` with `sub` and `nbf`.
//!
//! # Keys
//!
//! Queue and provisional tokens are HS256, each with a key derived (HKDF-SHA256) from the private material of the ticket key of the same
//! `kid`: only gateways read them, and an EdDSA check would cost ten polls. Admission tickets use the configured
//! [`Algorithm`], because origins verify them with public keys ([`AdmissionVerifier`]).
//!
//! `jsonwebtoken` does what is cold: PEM, JWKS, thumbprints; it is also the independent judge in the tests. Its signers
//! and verifiers are not `Send`, take owned buffers and are rebuilt for every call, so signing and verifying use the
//! primitives of `aws-lc-rs` on keys that were parsed once. ES256 signing draws its nonce from that library's own
//! generator: it is the only entropy here that the caller does not supply.

mod algorithm;
mod claims;
mod compact;
mod error;
mod issuer;
mod jwks;
mod key;
mod key_id;
mod low_s;
mod ring;
mod source;
mod statement;
mod verifier;
#[cfg(test)]
mod wycheproof;

use std::time::Duration;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use error::{KeyError, TokenError};
pub use key_id::KeyId;
pub use ring::{KeyRing, KeyRingBuilder};
pub use source::PrivateKeySource;
pub use statement::{AdmissionTicket, ProvisionalToken, QueueToken};
pub use verifier::AdmissionVerifier;

/// How far two clocks may disagree: a statement is still good this long after its `exp`, and already good this long
/// before its `nbf`. A session's slot is free at `exp` + leeway, so the store counts with the same span.
pub const LEEWAY: Duration = Duration::from_secs(2);

/// The longest token that is looked at. The longest we write is shorter: see the bounds of issuer, room and key id.
pub const MAX_TOKEN_BYTES: usize = 1024;

/// The most keys a ring or a verifier holds: the current one, its predecessor, its successor, and one to spare for a
/// leaked key that is being replaced.
pub const MAX_KEYS: usize = 4;
