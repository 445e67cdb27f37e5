//! A key's content: is it one, and of the right algorithm? Told here, before anything listens.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use queue_core::Timestamp;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

use super::TicketAlgorithm;

/// A key that signs tickets.
#[derive(Clone, Debug)]
pub struct TicketKey {
    /// Its `kid`.
    pub id: String,
    /// The secret itself.
    pub material: KeyMaterial,
    /// When tickets of this key end being accepted.
    pub not_after: Option<Timestamp>,
}

/// The secret of a key. It cannot be printed.
#[derive(Clone, Debug)]
pub enum KeyMaterial {
    /// A PKCS#8 private key in PEM, of the configured algorithm.
    Pem(SecretString),
    /// At least 32 bytes for HMAC.
    Secret(SecretSlice<u8>),
}

/// The shortest HMAC secret, RFC 7518, 3.2: as long as the hash.
const SHORTEST_SECRET: usize = 32;

/// The algorithm identifiers of PKCS#8 keys in DER: Ed25519 (RFC 8410), and EC on P-256 (RFC 5480).
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03,
    0x01, 0x07,
];
/// The identifier stands after the outer header and the version: at most 9 bytes in.
const IDENTIFIER_WITHIN: usize = 9;

/// The content of a key file as a key of `algorithm`.
pub(super) fn material(algorithm: TicketAlgorithm, content: &SecretString) -> Result<KeyMaterial, String> {
    match algorithm {
        TicketAlgorithm::Hs256 => secret(content.expose_secret()).map(KeyMaterial::Secret),
        TicketAlgorithm::EdDsa => pem(content, ED25519, "an Ed25519 key (openssl genpkey -algorithm ed25519)"),
        TicketAlgorithm::Es256 => {
            pem(content, P256, "a P-256 key (openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256)")
        }
    }
}

fn pem(content: &SecretString, identifier: &[u8], wanted: &str) -> Result<KeyMaterial, String> {
    let text = content.expose_secret();
    let body = text
        .strip_prefix("-----BEGIN PRIVATE KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PRIVATE KEY-----"))
        .ok_or_else(|| format!("is not one PKCS#8 private key in PEM (BEGIN PRIVATE KEY); expected {wanted}"))?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).map_err(|_| "is broken: its base64 cannot be read")?);
    let fits = (0..=IDENTIFIER_WITHIN).any(|at| der.get(at..).is_some_and(|rest| rest.starts_with(identifier)));
    if fits {
        Ok(KeyMaterial::Pem(content.clone()))
    } else {
        Err(format!("is a key of another algorithm; expected {wanted}"))
    }
}

/// The bytes that the base64 in `text` stands for, enough of them for HMAC-SHA256.
pub(in crate::config) fn secret(text: &str) -> Result<SecretSlice<u8>, String> {
    let wanted = "expected one line of base64 that stands for 32 or more random bytes (openssl rand -base64 32)";
    let bytes = [URL_SAFE_NO_PAD, STANDARD, STANDARD_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
        .ok_or_else(|| format!("is not base64; {wanted}"))?;
    let length = bytes.len();
    let bytes = SecretSlice::from(bytes);
    if length < SHORTEST_SECRET { Err(format!("is too short; {wanted}")) } else { Ok(bytes) }
}
