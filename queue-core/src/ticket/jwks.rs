//! Key sets (RFC 7517): what a gateway publishes and an origin reads.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk,
    JwkSet, KeyAlgorithm, OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse, ThumbprintHash,
};

use super::key::{PublicKey, SigningKey, VerifyingKey};
use super::{KeyError, KeyId, MAX_KEYS};

/// The largest document that is parsed: four keys of ours take less than 1 KiB, the rest is room for foreign ones.
const MAX_DOCUMENT_BYTES: usize = 16 * 1024;

/// The purpose of the value that names an HS256 key.
const ID_PURPOSE: &str = "kid";

/// A public key as it is published.
pub(super) fn jwk(public: &PublicKey, id: &KeyId) -> Jwk {
    let (key_algorithm, algorithm) = match public {
        PublicKey::Ed25519 { x } => (
            KeyAlgorithm::EdDSA,
            AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
                key_type: OctetKeyPairType::OctetKeyPair,
                curve: EllipticCurve::Ed25519,
                x: URL_SAFE_NO_PAD.encode(x),
            }),
        ),
        PublicKey::P256 { x, y } => (
            KeyAlgorithm::ES256,
            AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
                key_type: EllipticCurveKeyType::EC,
                curve: EllipticCurve::P256,
                x: URL_SAFE_NO_PAD.encode(x),
                y: URL_SAFE_NO_PAD.encode(y),
            }),
        ),
    };
    let common = CommonParameters {
        public_key_use: Some(PublicKeyUse::Signature),
        key_algorithm: Some(key_algorithm),
        key_id: Some(id.to_string()),
        ..CommonParameters::default()
    };
    Jwk { common, algorithm }
}

/// The document of these keys.
pub(super) fn document<'a>(keys: impl Iterator<Item = &'a Jwk>) -> String {
    let set = JwkSet { keys: keys.cloned().collect() };
    serde_json::to_string(&set).expect("a key set is JSON")
}

/// The id of a key that nobody named: its thumbprint. A secret has no public thumbprint to show; a derived value tells
/// it from others and says nothing of it.
pub(super) fn generated_id(key: &SigningKey) -> Result<KeyId, KeyError> {
    let unnamed = KeyId::new("unnamed")?;
    match key.public() {
        Some(public) => {
            KeyId::new(&jwk(&public, &unnamed).thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::Entropy)?)
        }
        None => KeyId::new(&URL_SAFE_NO_PAD.encode(&key.derived(ID_PURPOSE, &unnamed)?[..16])),
    }
}

/// The keys of a document that can verify our tickets. Keys of other types and uses are passed over, as RFC 7517 asks;
/// one that claims to be ours and is not well-formed refuses the document, and so does a secret in public.
pub(super) fn verifying_keys(document: &str) -> Result<Vec<(KeyId, VerifyingKey)>, KeyError> {
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(KeyError::KeySet("the document is too long"));
    }
    let set: JwkSet = serde_json::from_str(document).map_err(|_| KeyError::KeySet("the document is not a key set"))?;
    let mut keys: Vec<(KeyId, VerifyingKey)> = Vec::with_capacity(set.keys.len().min(MAX_KEYS));
    for jwk in &set.keys {
        let Some(public) = public_key(jwk)? else { continue };
        let id = jwk.common.key_id.as_deref().ok_or(KeyError::KeySet("a key has no id"))?;
        let id = KeyId::new(id)?;
        if keys.iter().any(|(other, _)| *other == id) {
            return Err(KeyError::DuplicateKeyId(id));
        }
        let key = public.verifying().ok_or(KeyError::KeySet("a key is not a point of its curve"))?;
        keys.push((id, key));
    }
    match keys.len() {
        0 => Err(KeyError::NoKeys),
        1..=MAX_KEYS => Ok(keys),
        _ => Err(KeyError::TooManyKeys),
    }
}

/// The key if it is of a type we sign with, meant for signatures, and either names our algorithm for that type or none.
fn public_key(jwk: &Jwk) -> Result<Option<PublicKey>, KeyError> {
    let for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature))
        && jwk.common.key_operations.as_ref().is_none_or(|all| all.contains(&jsonwebtoken::jwk::KeyOperations::Verify));
    let is_for = |algorithm| jwk.common.key_algorithm.is_none_or(|named| named == algorithm);
    match &jwk.algorithm {
        AlgorithmParameters::OctetKey(_) => Err(KeyError::KeySet("a secret key stands in a public document")),
        _ if !for_signatures => Ok(None),
        AlgorithmParameters::OctetKeyPair(key)
            if key.curve == EllipticCurve::Ed25519 && is_for(KeyAlgorithm::EdDSA) =>
        {
            Ok(Some(PublicKey::Ed25519 { x: coordinate(&key.x)? }))
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 && is_for(KeyAlgorithm::ES256) => {
            Ok(Some(PublicKey::P256 { x: coordinate(&key.x)?, y: coordinate(&key.y)? }))
        }
        _ => Ok(None),
    }
}

fn coordinate(text: &str) -> Result<[u8; 32], KeyError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(KeyError::KeySet("a coordinate is not 32 bytes of base64url"))
}
