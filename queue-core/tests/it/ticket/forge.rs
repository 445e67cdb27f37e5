//! Tokens signed with our real keys by another implementation, so that only what is under test is wrong with them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use queue_core::ticket::{Algorithm, PrivateKeySource};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::fixture::{ENTROPY, ISSUER, admission, queue_token, ring};

/// One kind of statement with everything needed to sign any text as one.
pub(crate) struct Forge {
    pub(crate) algorithm: jsonwebtoken::Algorithm,
    pub(crate) key: EncodingKey,
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Forge {
    /// Admission tickets of the ring of `algorithm`.
    pub(crate) fn admission(algorithm: Algorithm) -> Self {
        let ticket = admission();
        let claims = json!({
            "iss": ISSUER,
            "aud": ticket.room.as_str(),
            "sub": ticket.session.visitor.to_string(),
            "iat": ticket.issued_at.as_secs(),
            "nbf": ticket.session.started.as_secs(),
            "exp": ticket.expires_at.as_secs(),
            "jti": ticket.session.to_string(),
            "epoch": ticket.epoch.get(),
        });
        let (name, key) = private_key(algorithm);
        Self { algorithm: name, key, header: header(algorithm.name(), algorithm, "admission+jwt"), claims }
    }

    /// Queue tokens of the ring of `algorithm`, with the derived key worked out by hand (RFC 5869).
    pub(crate) fn queue(algorithm: Algorithm) -> Self {
        let token = queue_token();
        let score = token.place.score();
        let mut stand = token.visitor.as_bytes().to_vec();
        stand.extend(score.to_be_bytes());
        let claims = json!({
            "iss": ISSUER,
            "aud": token.room.as_str(),
            "sub": token.visitor.to_string(),
            "iat": token.issued_at.as_secs(),
            "nbf": token.issued_at.as_secs(),
            "exp": token.expires_at.as_secs(),
            "jti": URL_SAFE_NO_PAD.encode(stand),
            "epoch": token.place.epoch.get(),
            "place": score,
            "joined": token.joined.as_millis(),
        });
        let secret = derived(&private_bytes(algorithm), &format!("queue+jwt\0{}", key_id(algorithm)));
        Self {
            algorithm: jsonwebtoken::Algorithm::HS256,
            key: EncodingKey::from_secret(&secret),
            header: header("HS256", algorithm, "queue+jwt"),
            claims,
        }
    }

    /// The honest token.
    pub(crate) fn token(&self) -> String {
        self.sign(&self.header.to_string(), &self.claims.to_string())
    }

    /// With another header.
    pub(crate) fn with_header(&self, header: &str) -> String {
        self.sign(header, &self.claims.to_string())
    }

    /// With other claims.
    pub(crate) fn with_claims(&self, claims: &str) -> String {
        self.sign(&self.header.to_string(), claims)
    }

    /// With one claim replaced, or taken out by `None`.
    pub(crate) fn with_claim(&self, name: &str, value: Option<Value>) -> String {
        let mut claims = self.claims.clone();
        match value {
            Some(value) => claims[name] = value,
            None => {
                claims.as_object_mut().unwrap().remove(name).unwrap();
            }
        }
        self.with_claims(&claims.to_string())
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        format!("{message}.{}", self.signature(&message))
    }

    /// A signature over any text.
    pub(crate) fn signature(&self, message: &str) -> String {
        jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap()
    }
}

/// The `kid` of the ring of `algorithm`.
pub(crate) fn key_id(algorithm: Algorithm) -> String {
    ring(algorithm).keys().next().unwrap().0.to_string()
}

fn header(alg: &str, algorithm: Algorithm, typ: &str) -> Value {
    json!({ "typ": typ, "alg": alg, "kid": key_id(algorithm) })
}

/// The private key of the ring of `algorithm`, for the other implementation.
pub(crate) fn private_key(algorithm: Algorithm) -> (jsonwebtoken::Algorithm, EncodingKey) {
    let text = PrivateKeySource::generate_text(algorithm, ENTROPY).unwrap();
    let pem = text.expose_secret().as_bytes();
    match algorithm {
        Algorithm::EdDsa => (jsonwebtoken::Algorithm::EdDSA, EncodingKey::from_ed_pem(pem).unwrap()),
        Algorithm::Es256 => (jsonwebtoken::Algorithm::ES256, EncodingKey::from_ec_pem(pem).unwrap()),
        Algorithm::Hs256 => (jsonwebtoken::Algorithm::HS256, EncodingKey::from_secret(&ENTROPY)),
    }
}

/// Seed, scalar or secret of that key.
fn private_bytes(algorithm: Algorithm) -> [u8; 32] {
    match algorithm {
        Algorithm::EdDsa | Algorithm::Hs256 => ENTROPY,
        Algorithm::Es256 => derived(&ENTROPY, "P-256 scalar\0"),
    }
}

/// HKDF-SHA256 with our salt, one block.
fn derived(secret: &[u8], info: &str) -> [u8; 32] {
    let mac = |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let extracted = mac(b"usher ticket key, version 1", secret);
    mac(extracted.as_ref(), &[info.as_bytes(), &[1]].concat()).as_ref().try_into().unwrap()
}
