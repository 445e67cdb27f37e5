//! What an origin behind the gateway verifies tickets with.

use std::fmt;

use secrecy::SecretSlice;

use super::claims::AdmissionClaims;
use super::compact::{self, ClaimsBuffer, Entry, KeyTable, Kind};
use super::issuer::Issuer;
use super::key::{SigningKey, VerifyingKey};
use super::{AdmissionTicket, Algorithm, KeyError, KeyId, PrivateKeySource, TokenError, jwks};
use crate::{RoomId, Timestamp};

/// Verifies admission tickets without being able to sign any, by the rules of [`super::KeyRing::verify_admission`].
/// Immutable: a fetched key set makes a new one.
pub struct AdmissionVerifier {
    issuer: Issuer,
    keys: KeyTable,
}

impl AdmissionVerifier {
    /// From the document that the gateway serves at `/_usher/jwks.json`. Keys for other uses are passed over.
    ///
    /// # Errors
    /// [`KeyError`] when the issuer is none, the document is not a key set, holds no or more than
    /// [`super::MAX_KEYS`] keys for tickets, one of them is malformed, or it holds a secret.
    pub fn from_jwks(jwks: &str, issuer: &str) -> Result<Self, KeyError> {
        let issuer = Issuer::new(issuer)?;
        Ok(Self::new(issuer, jwks::verifying_keys(jwks)?))
    }

    /// From the secret of an HS256 ring, which no document publishes. Whoever has it can sign as well.
    ///
    /// # Errors
    /// [`KeyError::Issuer`], or [`KeyError::SecretTooShort`] below 32 bytes.
    pub fn from_secret(id: KeyId, secret: SecretSlice<u8>, issuer: &str) -> Result<Self, KeyError> {
        let issuer = Issuer::new(issuer)?;
        let source = PrivateKeySource::HmacSecret(secret);
        let key = SigningKey::parse(&id, Algorithm::Hs256, &source)?.verifying().ok_or(KeyError::NoKeys)?;
        Ok(Self::new(issuer, vec![(id, key)]))
    }

    fn new(issuer: Issuer, keys: Vec<(KeyId, VerifyingKey)>) -> Self {
        let entries = keys.into_iter().map(|(id, key)| Entry::new(id, Kind::Admission, key, None)).collect();
        Self { issuer, keys: KeyTable { kind: Kind::Admission, entries } }
    }

    /// What an admission ticket for `room` says, if it is good at `now`.
    ///
    /// # Errors
    /// Why it is not; see [`TokenError`].
    pub fn verify(&self, token: &str, room: &RoomId, now: Timestamp) -> Result<AdmissionTicket, TokenError> {
        let mut buffer: ClaimsBuffer = [0; _];
        let claims: AdmissionClaims<'_> = compact::parse(self.keys.verified(token, now, &mut buffer)?)?;
        claims.check(self.issuer.as_str(), room, now)
    }
}

/// Shows names, never keys.
impl fmt::Debug for AdmissionVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionVerifier")
            .field("issuer", &self.issuer.as_str())
            .field("keys", &self.keys.entries.iter().map(Entry::id).collect::<Vec<_>>())
            .finish()
    }
}
