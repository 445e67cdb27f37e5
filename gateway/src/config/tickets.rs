//! `[tickets]`: who signs, how, and with which keys.

mod key;

pub use key::{KeyMaterial, TicketKey};

use queue_core::Timestamp;

use super::reader::{Field, Reader, choice, section};
use super::secret::{SecretFile, Url};
use key::material;
pub(super) use key::secret;

section! {
    /// Who signs the tickets, how, and with which keys.
    TicketsSection, "[tickets]" {
        /// The `iss` of queue tokens and tickets: the gateway's public URL.
        issuer: Url,
        /// How admission tickets are signed. Origins verify them: EdDSA and ES256 need only public keys there.
        algorithm: TicketAlgorithm = "EdDSA",
        /// The keys, newest first: the first signs, all verify. None: generated at start, for memory stores only.
        key: Vec<Field<KeySection>>,
    }
}

section! {
    /// A key that signs tickets.
    KeySection, "[[tickets.key]]" {
        /// Its `kid`, 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'.
        id: String,
        /// PKCS#8 PEM for EdDSA and ES256; for HS256 one line of base64 that stands for 32 or more bytes.
        private_key_file: SecretFile,
        /// When tickets of this key end being accepted.
        not_after: Option<Timestamp>,
    }
}

choice! {
    /// How admission tickets are signed.
    pub enum TicketAlgorithm ("EdDSA, ES256, HS256") {
        /// Ed25519.
        EdDsa = "EdDSA",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// HMAC with SHA-256: the upstream needs the same secret.
        Hs256 = "HS256",
    }
}

/// Who signs the tickets, how, and with which keys.
#[derive(Clone, Debug)]
pub struct Tickets {
    /// The `iss` of queue tokens and tickets.
    pub issuer: String,
    /// How admission tickets are signed.
    pub algorithm: TicketAlgorithm,
    /// At most [`Tickets::MOST_KEYS`], newest first; empty: to be generated.
    pub keys: Vec<TicketKey>,
}

impl Tickets {
    /// The most keys at once: the newest, the one before, and room for a rotation in flight.
    pub const MOST_KEYS: usize = 4;
}

impl TicketsSection {
    /// The tickets' settings, unless something was told about them.
    pub(super) fn resolve(&self, shared: bool, now: Timestamp, reader: &mut Reader<'_, '_>) -> Option<Tickets> {
        let algorithm = self.algorithm.copied();
        let fields = self.key.get().map_or(&[][..], Vec::as_slice);
        if shared && self.key.get().is_some_and(Vec::is_empty) {
            reader.findings.error(
                &self.key.spot,
                "missing [[tickets.key]]: gateways that share a store must share their keys, so none are generated",
            );
        }
        if let Some(beyond) = fields.get(Tickets::MOST_KEYS) {
            reader.findings.error(&beyond.spot, format!("at most {} keys at once", Tickets::MOST_KEYS));
        }
        reader.tell_twice(
            fields.iter().filter_map(Field::get).filter_map(|key| Some((key.id.get()?.as_str(), &key.id.spot))),
        );
        let issuer = self.issuer.get().map(|url| url.0.clone());
        if issuer.as_ref().is_some_and(String::is_empty) {
            reader.findings.error(&self.issuer.spot, "must not be empty");
        }
        let keys: Vec<_> = fields.iter().filter_map(|key| resolve_key(key.get()?, algorithm?, now, reader)).collect();
        Some(Tickets { issuer: issuer?, algorithm: algorithm?, keys })
    }
}

fn resolve_key(
    key: &KeySection,
    algorithm: TicketAlgorithm,
    now: Timestamp,
    reader: &mut Reader<'_, '_>,
) -> Option<TicketKey> {
    /// Long enough for a thumbprint (43 characters) with a prefix.
    const LONGEST_ID: usize = 64;
    let fits = |id: &String| {
        (1..=LONGEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    if key.id.get().is_some_and(|id| !fits(id)) {
        let problem = format!("must be 1 to {LONGEST_ID} characters of A-Z, a-z, 0-9, '.', '_' and '-'");
        reader.findings.error(&key.id.spot, problem);
    }
    let not_after = key.not_after.given().copied();
    if not_after.is_some_and(|end| end <= now) {
        reader.findings.error(&key.not_after.spot, "the key is no longer valid; remove it or move not_after");
    }
    let material = match material(algorithm, &key.private_key_file.get()?.content) {
        Ok(material) => Some(material),
        Err(problem) => {
            reader.findings.error(&key.private_key_file.spot, problem);
            None
        }
    };
    Some(TicketKey { id: key.id.get()?.clone(), material: material?, not_after })
}
