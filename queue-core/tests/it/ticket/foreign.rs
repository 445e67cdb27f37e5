//! Another implementation agrees: it reads what we sign, and we read what it signs.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Header, Validation, decode, decode_header, encode};
use queue_core::ticket::{Algorithm, TokenError};
use serde_json::Value;

use super::fixture::{ALGORITHMS, ENTROPY, ISSUER, NOW, admission, queue_token, ring, room};
use super::forge::Forge;

fn validation(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[room().as_str()]);
    validation.set_issuer(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    // It would ask the system clock; the instants of these tests are fixed.
    validation.validate_exp = false;
    validation
}

/// An origin in any language verifies our tickets: `jsonwebtoken` does, with nothing but the published keys, and finds
/// the claims of the contract, no more and no less.
#[test]
fn others_read_our_tickets() {
    for algorithm in ALGORITHMS {
        let (ring, forge) = (ring(algorithm), Forge::admission(algorithm));
        let token = ring.sign_admission(&admission());
        let header = decode_header(&token).unwrap();
        assert_eq!(serde_json::to_value(&header).unwrap(), forge.header, "{algorithm}");
        let key = match algorithm {
            Algorithm::Hs256 => DecodingKey::from_secret(&ENTROPY),
            _ => {
                let keys: JwkSet = serde_json::from_str(&ring.jwks()).unwrap();
                DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap()
            }
        };
        let read = decode::<Value>(&token, &key, &validation(forge.algorithm)).unwrap();
        assert_eq!(read.claims, forge.claims, "{algorithm}");
    }
}

/// Queue tokens are plain HS256 under the derived key, whatever the ticket key's algorithm: the derivation, the header
/// and the claims are formats that outlive a release.
#[test]
fn others_read_our_queue_tokens() {
    for algorithm in ALGORITHMS {
        let forge = Forge::queue(algorithm);
        let token = ring(algorithm).sign_queue_token(&queue_token());
        assert_eq!(serde_json::to_value(decode_header(&token).unwrap()).unwrap(), forge.header, "{algorithm}");
        let key = DecodingKey::from_secret(forge.key.as_bytes());
        let read = decode::<Value>(&token, &key, &validation(forge.algorithm)).unwrap();
        assert_eq!(read.claims, forge.claims, "{algorithm}");
    }
}

/// The same members in another order, with the same keys, are the same statement. Of an ES256 signature's two forms
/// only the lower `s` is ours: the other is refused, whoever made it.
#[test]
fn we_read_what_others_sign() {
    for algorithm in ALGORITHMS {
        let forge = Forge::queue(algorithm);
        let header: Header = serde_json::from_value(forge.header.clone()).unwrap();
        let token = encode(&header, &forge.claims, &forge.key).unwrap();
        assert_eq!(ring(algorithm).verify_queue_token(&token, &room(), NOW), Ok(queue_token()), "{algorithm}");

        let forge = Forge::admission(algorithm);
        let header: Header = serde_json::from_value(forge.header.clone()).unwrap();
        let (mut accepted, mut high) = (0, 0);
        // Each ES256 signature is low or high with even chances: 64 tries miss one of them once in 2^63 runs.
        for _ in 0..64 {
            let token = encode(&header, &forge.claims, &forge.key).unwrap();
            match ring(algorithm).verify_admission(&token, &room(), NOW) {
                Ok(ticket) => {
                    assert_eq!(ticket, admission());
                    accepted += 1;
                }
                Err(error) => {
                    assert_eq!((algorithm, error), (Algorithm::Es256, TokenError::Signature));
                    high += 1;
                }
            }
        }
        assert!(accepted > 0 && (high > 0) == (algorithm == Algorithm::Es256), "{algorithm}: {accepted} and {high}");
    }
}
