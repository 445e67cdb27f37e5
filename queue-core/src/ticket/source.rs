//! Where a private key comes from, and how it is written down.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use zeroize::Zeroizing;

use super::key::SigningKey;
use super::{Algorithm, KeyError, KeyId};

/// A private key before it is parsed. Printing it shows no secret; dropping it overwrites it.
#[derive(Debug)]
pub enum PrivateKeySource {
    /// An unencrypted PKCS#8 private key in PEM, for EdDSA (Ed25519) and ES256 (P-256):
    /// `openssl genpkey -algorithm ed25519` writes one.
    Pem(SecretString),
    /// At least 32 random bytes, for HS256.
    HmacSecret(SecretSlice<u8>),
}

impl PrivateKeySource {
    /// From the text of a private key file: PEM for EdDSA and ES256; for HS256 one line of base64url without padding.
    /// White space around it is ignored.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`], naming `id`, when an HS256 text is not base64url. PEM is judged when the ring is built.
    pub fn from_text(algorithm: Algorithm, id: &KeyId, text: &SecretString) -> Result<Self, KeyError> {
        let text = text.expose_secret().trim();
        if algorithm != Algorithm::Hs256 {
            return Ok(Self::Pem(text.into()));
        }
        URL_SAFE_NO_PAD
            .decode(text)
            .map(|secret| Self::HmacSecret(secret.into()))
            .map_err(|_| KeyError::NotAKey { id: id.clone(), algorithm })
    }

    /// The text of a new private key file, as [`PrivateKeySource::from_text`] reads it; all of the key comes from
    /// `entropy`, 32 random bytes.
    ///
    /// # Errors
    /// [`KeyError::Entropy`] when these bytes make no key.
    pub fn generate_text(algorithm: Algorithm, entropy: [u8; 32]) -> Result<SecretString, KeyError> {
        let entropy = Zeroizing::new(entropy);
        match SigningKey::from_entropy(algorithm, &entropy)?.to_pkcs8()? {
            Some(document) => Ok(pem(&document).into()),
            None => Ok(URL_SAFE_NO_PAD.encode(*entropy).into()),
        }
    }
}

/// PKCS#8 as PEM (RFC 7468): lines of 64 characters between the markers.
fn pem(document: &[u8]) -> String {
    const LINE: usize = 64;
    let body = Zeroizing::new(STANDARD.encode(document));
    let mut text = String::with_capacity(body.len() + body.len() / LINE + 64);
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}
