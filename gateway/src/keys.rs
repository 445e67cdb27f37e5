//! From the config's keys to the ring that signs and verifies.

use queue_core::ticket::{Algorithm, KeyError, KeyId, KeyRing, PrivateKeySource};

use crate::config::{KeyMaterial, TicketAlgorithm, Tickets};
use crate::entropy;

/// The ring of the config's keys; with none configured, a key of this process's own.
///
/// # Errors
/// When a key cannot be read or does not fit the algorithm.
pub fn ring(tickets: &Tickets) -> Result<KeyRing, KeyError> {
    let algorithm = match tickets.algorithm {
        TicketAlgorithm::EdDsa => Algorithm::EdDsa,
        TicketAlgorithm::Es256 => Algorithm::Es256,
        TicketAlgorithm::Hs256 => Algorithm::Hs256,
    };
    if tickets.keys.is_empty() {
        return KeyRing::generate(&tickets.issuer, algorithm, entropy::draw());
    }
    let mut builder = KeyRing::builder(&tickets.issuer, algorithm);
    for key in &tickets.keys {
        let id = KeyId::new(&key.id)?;
        let source = match key.material.clone() {
            KeyMaterial::Pem(pem) => PrivateKeySource::Pem(pem),
            KeyMaterial::Secret(secret) => PrivateKeySource::HmacSecret(secret),
        };
        builder = builder.key(id, source, key.not_after);
    }
    builder.build()
}
