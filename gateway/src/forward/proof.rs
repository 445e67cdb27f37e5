//! The signed proof that a request came through this gateway, so that an origin need not serve anybody else.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use queue_core::Timestamp;

/// Toward the upstream: `t=<unix seconds>,v1=<signature>`.
pub const USHER_PROOF: HeaderName = HeaderName::from_static("usher-proof");

/// The secret that gateway and origin share.
pub struct ProofKey(hmac::Key);

impl ProofKey {
    /// A key of these secret bytes, 32 or more.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Sets the proof: base64url without padding of the HMAC-SHA256 over four lines without an end after the last: the
    /// time as in `t`, the method, path and query as sent, and `X-Request-Id` as sent. None of the four can hold a line
    /// end, so no two requests sign the same text; a dot, which both a path and an id can hold, would not do.
    pub fn sign(
        &self,
        headers: &mut HeaderMap,
        method: &Method,
        path_and_query: &str,
        request_id: &HeaderValue,
        now: Timestamp,
    ) {
        let seconds = now.as_secs().to_string();
        let mut context = hmac::Context::with_key(&self.0);
        for part in [seconds.as_bytes(), b"\n", method.as_str().as_bytes(), b"\n", path_and_query.as_bytes(), b"\n"] {
            context.update(part);
        }
        context.update(request_id.as_bytes());
        let mut proof = String::with_capacity(LENGTH);
        proof.push_str("t=");
        proof.push_str(&seconds);
        proof.push_str(",v1=");
        URL_SAFE_NO_PAD.encode_string(context.sign(), &mut proof);
        // Digits, letters, '-', '_', '=' and ',' only.
        if let Ok(value) = HeaderValue::try_from(proof) {
            headers.insert(USHER_PROOF, value);
        }
    }
}

/// `t=`, ten digits, `,v1=`, and 43 characters that stand for 32 bytes.
const LENGTH: usize = 2 + 10 + 4 + 43;

/// Shows no secret.
impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Origins compute the same by other means. This one was made with
    /// `printf '1700000000\nPOST\n/v1/holds?x=1\nedge.1' | openssl dgst -sha256 -mac HMAC -macopt key:0123456789abcdef0123456789abcdef -binary | basenc --base64url`.
    #[test]
    fn a_proof_is_what_openssl_makes() {
        let key = ProofKey::new(b"0123456789abcdef0123456789abcdef");
        let mut headers = HeaderMap::new();
        let id = HeaderValue::from_static("edge.1");
        key.sign(&mut headers, &Method::POST, "/v1/holds?x=1", &id, Timestamp::from_secs(1_700_000_000));
        assert_eq!(headers[USHER_PROOF], "t=1700000000,v1=PJQEDQFil6sUaHL_KQNFkVQPnAEas11vWlB9bvaPjv0");
        assert_eq!(headers[USHER_PROOF].len(), LENGTH);
    }
}
