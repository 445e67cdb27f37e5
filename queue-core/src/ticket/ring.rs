//! The keys of a gateway: signs with the current one, accepts all that are not retired.

use std::fmt;

use zeroize::Zeroizing;

use super::claims::{AdmissionClaims, ProvisionalClaims, QueueClaims};
use super::compact::{self, ClaimsBuffer, Entry, KeyTable, Kind};
use super::issuer::Issuer;
use super::key::{SigningKey, VerifyingKey};
use super::{
    AdmissionTicket, Algorithm, KeyError, KeyId, MAX_KEYS, PrivateKeySource, ProvisionalToken, QueueToken, TokenError,
    jwks,
};
use crate::{RoomId, Timestamp};

/// Up to [`MAX_KEYS`] ticket keys of one issuer and one algorithm. Immutable: a rotation builds a new ring.
pub struct KeyRing {
    issuer: Issuer,
    algorithm: Algorithm,
    queue: Signer,
    provisional: Signer,
    admission: Signer,
    queue_keys: KeyTable,
    provisional_keys: KeyTable,
    admission_keys: KeyTable,
    published: Vec<Published>,
}

/// The current key of one kind with the header of all its tokens.
struct Signer {
    header: Box<str>,
    key: SigningKey,
}

/// What the key set shows of a key.
struct Published {
    jwk: Option<jsonwebtoken::jwk::Jwk>,
    not_after: Option<Timestamp>,
}

/// Collects keys for a [`KeyRing`].
pub struct KeyRingBuilder {
    issuer: String,
    algorithm: Algorithm,
    keys: Vec<(KeyId, PrivateKeySource, Option<Timestamp>)>,
}

impl KeyRingBuilder {
    /// Adds a key. The first one signs; the others are only accepted. From `not_after` on, a key is retired: nothing
    /// it signed is accepted, whatever its `exp`. Leave it open for the signing key, and for its predecessor set it
    /// to the last `exp` it signed plus [`super::LEEWAY`], so that a rotation refuses nothing valid.
    #[must_use]
    pub fn key(mut self, id: KeyId, source: PrivateKeySource, not_after: Option<Timestamp>) -> Self {
        self.keys.push((id, source, not_after));
        self
    }

    /// Parses the keys.
    ///
    /// # Errors
    /// The first [`KeyError`] found: a bad issuer, no key, too many, two of one id, or one that is not a private key
    /// of the ring's algorithm.
    pub fn build(self) -> Result<KeyRing, KeyError> {
        let issuer = Issuer::new(&self.issuer)?;
        if self.keys.len() > MAX_KEYS {
            return Err(KeyError::TooManyKeys);
        }
        let mut keys = Vec::with_capacity(self.keys.len());
        for (id, source, not_after) in &self.keys {
            if keys.iter().any(|key: &RingKey| key.id == *id) {
                return Err(KeyError::DuplicateKeyId(id.clone()));
            }
            let key = SigningKey::parse(id, self.algorithm, source)?;
            keys.push(RingKey { id: id.clone(), key, not_after: *not_after });
        }
        KeyRing::assemble(issuer, self.algorithm, keys)
    }
}

struct RingKey {
    id: KeyId,
    key: SigningKey,
    not_after: Option<Timestamp>,
}

impl KeyRing {
    /// Starts a ring of keys of `algorithm` that sign for `issuer`.
    pub fn builder(issuer: &str, algorithm: Algorithm) -> KeyRingBuilder {
        KeyRingBuilder { issuer: issuer.to_owned(), algorithm, keys: Vec::new() }
    }

    /// A ring of one new key that is written down nowhere, for a store that forgets as well. The key comes from
    /// `entropy`, 32 random bytes; its id is its thumbprint (RFC 7638), or for HS256 a value derived from the secret.
    ///
    /// # Errors
    /// [`KeyError::Issuer`], or [`KeyError::Entropy`] when these bytes make no key.
    pub fn generate(issuer: &str, algorithm: Algorithm, entropy: [u8; 32]) -> Result<Self, KeyError> {
        let issuer = Issuer::new(issuer)?;
        let key = SigningKey::from_entropy(algorithm, &Zeroizing::new(entropy))?;
        let id = jwks::generated_id(&key)?;
        Self::assemble(issuer, algorithm, vec![RingKey { id, key, not_after: None }])
    }

    fn assemble(issuer: Issuer, algorithm: Algorithm, keys: Vec<RingKey>) -> Result<Self, KeyError> {
        let mut queue_keys = KeyTable { kind: Kind::Queue, entries: Vec::with_capacity(keys.len()) };
        let mut provisional_keys = KeyTable { kind: Kind::Provisional, entries: Vec::with_capacity(keys.len()) };
        let mut admission_keys = KeyTable { kind: Kind::Admission, entries: Vec::with_capacity(keys.len()) };
        let mut published = Vec::with_capacity(keys.len());
        for RingKey { id, key, not_after } in &keys {
            for table in [&mut queue_keys, &mut provisional_keys] {
                let derived = VerifyingKey::from_derived(&*key.derived(table.kind.name(), id)?);
                table.entries.push(Entry::new(id.clone(), table.kind, derived, *not_after));
            }
            let public = key.verifying().ok_or_else(|| KeyError::NotAKey { id: id.clone(), algorithm })?;
            admission_keys.entries.push(Entry::new(id.clone(), Kind::Admission, public, *not_after));
            published.push(Published { jwk: key.public().map(|public| jwks::jwk(&public, id)), not_after: *not_after });
        }

        let RingKey { id, key, .. } = keys.into_iter().next().ok_or(KeyError::NoKeys)?;
        let derived = |kind: Kind| {
            let signing = SigningKey::from_entropy(Algorithm::Hs256, &*key.derived(kind.name(), &id)?)?;
            Ok::<_, KeyError>(Signer { header: compact::encoded_header(Algorithm::Hs256, &id, kind), key: signing })
        };
        let (queue, provisional) = (derived(Kind::Queue)?, derived(Kind::Provisional)?);
        Ok(Self {
            issuer,
            algorithm,
            queue,
            provisional,
            admission: Signer { header: compact::encoded_header(algorithm, &id, Kind::Admission), key },
            queue_keys,
            provisional_keys,
            admission_keys,
            published,
        })
    }

    /// The algorithm of its admission tickets.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Who signs.
    pub fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    /// Its keys, the signing one first, each with the instant it retires.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, Option<Timestamp>)> {
        self.admission_keys.entries.iter().zip(&self.published).map(|(entry, key)| (entry.id(), key.not_after))
    }

    /// The JSON Web Key Set (RFC 7517) of all public keys. An HS256 ring has none: its set is empty.
    pub fn jwks(&self) -> String {
        jwks::document(self.published.iter().filter_map(|key| key.jwk.as_ref()))
    }

    /// The same without the keys that are retired at `now`: what origins should verify with.
    pub fn jwks_at(&self, now: Timestamp) -> String {
        let current = self.published.iter().filter(|key| key.not_after.is_none_or(|end| now < end));
        jwks::document(current.filter_map(|key| key.jwk.as_ref()))
    }

    /// Signs a place.
    pub fn sign_queue_token(&self, token: &QueueToken) -> String {
        compact::sign(&self.queue.header, &QueueClaims::new(self.issuer.as_str(), token), &self.queue.key)
    }

    /// What a queue token for `room` says, if it is good at `now`.
    ///
    /// # Errors
    /// Why it is not; see [`TokenError`].
    pub fn verify_queue_token(&self, token: &str, room: &RoomId, now: Timestamp) -> Result<QueueToken, TokenError> {
        let mut buffer: ClaimsBuffer = [0; _];
        let claims: QueueClaims<'_> = compact::parse(self.queue_keys.verified(token, now, &mut buffer)?)?;
        claims.check(self.issuer.as_str(), room, now)
    }

    /// Signs that somebody came while no place could be given.
    pub fn sign_provisional(&self, token: &ProvisionalToken) -> String {
        let claims = ProvisionalClaims::new(self.issuer.as_str(), token);
        compact::sign(&self.provisional.header, &claims, &self.provisional.key)
    }

    /// What a provisional token for `room` says, if it is good at `now`.
    ///
    /// # Errors
    /// Why it is not; see [`TokenError`].
    pub fn verify_provisional(
        &self,
        token: &str,
        room: &RoomId,
        now: Timestamp,
    ) -> Result<ProvisionalToken, TokenError> {
        let mut buffer: ClaimsBuffer = [0; _];
        let claims: ProvisionalClaims<'_> = compact::parse(self.provisional_keys.verified(token, now, &mut buffer)?)?;
        claims.check(self.issuer.as_str(), room, now)
    }

    /// Signs the right to pass.
    pub fn sign_admission(&self, ticket: &AdmissionTicket) -> String {
        compact::sign(&self.admission.header, &AdmissionClaims::new(self.issuer.as_str(), ticket), &self.admission.key)
    }

    /// What an admission ticket for `room` says, if it is good at `now`. Whether its session has ended is for the
    /// caller to know.
    ///
    /// # Errors
    /// Why it is not; see [`TokenError`].
    pub fn verify_admission(&self, token: &str, room: &RoomId, now: Timestamp) -> Result<AdmissionTicket, TokenError> {
        let mut buffer: ClaimsBuffer = [0; _];
        let claims: AdmissionClaims<'_> = compact::parse(self.admission_keys.verified(token, now, &mut buffer)?)?;
        claims.check(self.issuer.as_str(), room, now)
    }
}

/// Shows names, never keys.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("issuer", &self.issuer())
            .field("algorithm", &self.algorithm)
            .field("keys", &self.keys().map(|(id, _)| id).collect::<Vec<_>>())
            .finish()
    }
}
