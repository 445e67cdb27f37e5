//! Parsed keys: what signs and what verifies, built once and never per call.

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey,
};
use aws_lc_rs::{agreement, hkdf, hmac};
use jsonwebtoken::EncodingKey;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::{Algorithm, KeyError, KeyId, PrivateKeySource, low_s};

/// RFC 2104 and RFC 7518 ask for at least the length of the hash.
const MIN_SECRET_BYTES: usize = 32;

/// One salt for everything derived from a ticket key; `info` says what for.
const SALT: &[u8] = b"usher ticket key, version 1";

/// Signatures of all algorithms fit.
pub(super) const MAX_SIGNATURE_BYTES: usize = 64;

/// A private key, or an HMAC secret with the ready inner and outer state.
pub(super) enum SigningKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Hmac { key: Box<hmac::Key>, secret: Zeroizing<Vec<u8>> },
}

/// What checks signatures.
pub(super) enum VerifyingKey {
    Ed25519(ParsedPublicKey),
    P256(ParsedPublicKey),
    Hmac(Box<hmac::Key>),
}

/// The public half as it stands in a key set.
pub(super) enum PublicKey {
    Ed25519 { x: [u8; 32] },
    P256 { x: [u8; 32], y: [u8; 32] },
}

/// A signature on the stack.
pub(super) struct Signature {
    bytes: [u8; MAX_SIGNATURE_BYTES],
    length: usize,
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl From<&[u8]> for Signature {
    fn from(signature: &[u8]) -> Self {
        let mut bytes = [0; MAX_SIGNATURE_BYTES];
        bytes[..signature.len()].copy_from_slice(signature);
        Self { bytes, length: signature.len() }
    }
}

impl SigningKey {
    pub(super) fn parse(id: &KeyId, algorithm: Algorithm, source: &PrivateKeySource) -> Result<Self, KeyError> {
        let refused = || KeyError::NotAKey { id: id.clone(), algorithm };
        match (algorithm, source) {
            (Algorithm::EdDsa, PrivateKeySource::Pem(text)) => {
                let pkcs8 = EncodingKey::from_ed_pem(text.expose_secret().as_bytes()).map_err(|_| refused())?;
                Ed25519KeyPair::from_pkcs8(pkcs8.as_bytes()).map(Self::Ed25519).map_err(|_| refused())
            }
            (Algorithm::Es256, PrivateKeySource::Pem(text)) => {
                let pkcs8 = EncodingKey::from_ec_pem(text.expose_secret().as_bytes()).map_err(|_| refused())?;
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_bytes())
                    .map(Self::P256)
                    .map_err(|_| refused())
            }
            (Algorithm::Hs256, PrivateKeySource::HmacSecret(secret)) => {
                let secret = secret.expose_secret();
                if secret.len() < MIN_SECRET_BYTES {
                    return Err(KeyError::SecretTooShort(id.clone()));
                }
                Ok(Self::hmac(secret))
            }
            (Algorithm::EdDsa | Algorithm::Es256, PrivateKeySource::HmacSecret(_))
            | (Algorithm::Hs256, PrivateKeySource::Pem(_)) => Err(refused()),
        }
    }

    pub(super) fn from_entropy(algorithm: Algorithm, entropy: &[u8; 32]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::EdDsa => {
                Ed25519KeyPair::from_seed_unchecked(entropy).map(Self::Ed25519).map_err(|_| KeyError::Entropy)
            }
            Algorithm::Es256 => Self::p256_from_entropy(entropy),
            Algorithm::Hs256 => Ok(Self::hmac(entropy)),
        }
    }

    /// A scalar in range: one candidate in 2^32 is not, so a few candidates leave no real chance of failure.
    fn p256_from_entropy(entropy: &[u8; 32]) -> Result<Self, KeyError> {
        const CANDIDATES: u8 = 4;
        (0..CANDIDATES)
            .find_map(|candidate| {
                let scalar = derive(entropy, &[b"P-256 scalar", &[candidate]]);
                let private = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, &*scalar).ok()?;
                let public = private.compute_public_key().ok()?;
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                EcdsaKeyPair::from_private_key_and_public_key(algorithm, &*scalar, public.as_ref()).ok()
            })
            .map(Self::P256)
            .ok_or(KeyError::Entropy)
    }

    fn hmac(secret: &[u8]) -> Self {
        let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret));
        Self::Hmac { key, secret: Zeroizing::new(secret.to_vec()) }
    }

    /// The key of another purpose, from the private scalar, seed or secret: however the key was written down, the
    /// derived one is the same.
    ///
    /// # Errors
    /// [`KeyError::Entropy`] when the private half cannot be read, which does not happen to a key that was parsed.
    pub(super) fn derived(&self, purpose: &str, id: &KeyId) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        let info: &[&[u8]] = &[purpose.as_bytes(), b"\0", id.as_str().as_bytes()];
        match self {
            Self::Ed25519(pair) => {
                let seed = pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(|_| KeyError::Entropy)?;
                Ok(derive(seed.as_ref(), info))
            }
            Self::P256(pair) => {
                let scalar = pair.private_key().as_be_bytes().map_err(|_| KeyError::Entropy)?;
                Ok(derive(scalar.as_ref(), info))
            }
            Self::Hmac { secret, .. } => Ok(derive(secret, info)),
        }
    }

    /// Signs. A key that was parsed signs anything; only a failing allocation or generator inside the library could
    /// stop it.
    pub(super) fn sign(&self, message: &[u8]) -> Signature {
        match self {
            Self::Ed25519(pair) => Signature::from(pair.sign(message).as_ref()),
            Self::P256(pair) => {
                // The library ignores the generator it is given and draws the nonce from its own.
                let signature = pair.sign(&SystemRandom::new(), message).expect("a parsed P-256 key signs");
                let fixed = signature.as_ref().try_into().expect("r and s have 32 bytes each");
                Signature::from(low_s::lowered(fixed).as_slice())
            }
            Self::Hmac { key, .. } => Signature::from(hmac::sign(key, message).as_ref()),
        }
    }

    /// The public half; none for a secret that both sides share.
    pub(super) fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Ed25519(pair) => pair.public_key().as_ref().try_into().ok().map(|x| PublicKey::Ed25519 { x }),
            Self::P256(pair) => {
                let (_uncompressed, point) = pair.public_key().as_ref().split_first()?;
                let (x, y) = point.split_first_chunk()?;
                Some(PublicKey::P256 { x: *x, y: y.try_into().ok()? })
            }
            Self::Hmac { .. } => None,
        }
    }

    /// What checks this key's signatures; `None` does not happen to a key that was parsed.
    pub(super) fn verifying(&self) -> Option<VerifyingKey> {
        match self {
            Self::Hmac { key, .. } => Some(VerifyingKey::Hmac(key.clone())),
            Self::Ed25519(_) | Self::P256(_) => self.public()?.verifying(),
        }
    }

    /// As an unencrypted PKCS#8 document; none for an HMAC secret.
    pub(super) fn to_pkcs8(&self) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
        let document = match self {
            Self::Ed25519(pair) => pair.to_pkcs8v1(),
            Self::P256(pair) => pair.to_pkcs8v1(),
            Self::Hmac { .. } => return Ok(None),
        };
        document.map(|document| Some(Zeroizing::new(document.as_ref().to_vec()))).map_err(|_| KeyError::Entropy)
    }
}

impl PublicKey {
    /// Parses it; `None` when it is no point of the curve.
    pub(super) fn verifying(&self) -> Option<VerifyingKey> {
        match self {
            Self::Ed25519 { x } => ParsedPublicKey::new(&ED25519, x).ok().map(VerifyingKey::Ed25519),
            Self::P256 { x, y } => {
                let mut point = [0x04; 65];
                point[1..33].copy_from_slice(x);
                point[33..].copy_from_slice(y);
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok().map(VerifyingKey::P256)
            }
        }
    }
}

impl VerifyingKey {
    pub(super) fn from_derived(secret: &[u8; 32]) -> Self {
        Self::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// The one algorithm of this key.
    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::P256(_) => Algorithm::Es256,
            Self::Hmac(_) => Algorithm::Hs256,
        }
    }

    /// Whether the signature is this key's over the message, as the algorithm's standard has it.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) | Self::P256(key) => key.verify_sig(message, signature).is_ok(),
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }

    /// The same, in the one form that we write.
    pub(super) fn verifies_canonical(&self, message: &[u8], signature: &[u8]) -> bool {
        let one_form = match (self, signature.try_into()) {
            (Self::P256(_), Ok(fixed)) => low_s::is_low(fixed),
            (Self::P256(_), Err(_)) => false,
            (Self::Ed25519(_) | Self::Hmac(_), _) => true,
        };
        one_form && self.verifies(message, signature)
    }
}

/// HKDF-SHA256 (RFC 5869).
fn derive(secret: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, SALT)
        .extract(secret)
        .expand(info, hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(key.as_mut_slice()))
        .expect("32 bytes are one block of HKDF-SHA256");
    key
}
