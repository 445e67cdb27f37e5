//! Key sets: public keys and nothing but public keys, and what an origin takes from one.

use std::time::Duration;

use queue_core::ticket::{AdmissionVerifier, Algorithm, KeyError, KeyId, KeyRing, PrivateKeySource, TokenError};
use serde_json::{Value, json};

use super::fixture::{ENTROPY, ISSUER, NOW, admission, queue_token, ring, room};

fn set(ring: &KeyRing) -> Value {
    serde_json::from_str(&ring.jwks()).unwrap()
}

fn verifier(set: &Value) -> Result<AdmissionVerifier, KeyError> {
    AdmissionVerifier::from_jwks(&set.to_string(), ISSUER)
}

/// The document holds exactly the public members: a private one would hand out the right to sign.
#[test]
fn only_public_members_are_published() {
    let key = &set(&ring(Algorithm::EdDsa))["keys"][0];
    let names: Vec<_> = key.as_object().unwrap().keys().collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!((&key["alg"], &key["kty"], &key["crv"]), (&json!("EdDSA"), &json!("OKP"), &json!("Ed25519")));

    let key = &set(&ring(Algorithm::Es256))["keys"][0];
    let names: Vec<_> = key.as_object().unwrap().keys().collect();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!((&key["alg"], &key["kty"], &key["crv"]), (&json!("ES256"), &json!("EC"), &json!("P-256")));
}

/// A shared secret never appears, not even by name.
#[test]
fn secrets_are_not_published() {
    assert_eq!(set(&ring(Algorithm::Hs256)), json!({ "keys": [] }));
    assert_eq!(verifier(&set(&ring(Algorithm::Hs256))).map(drop), Err(KeyError::NoKeys));
}

/// A retired key leaves the set that origins fetch, at the instant gateways stop accepting it.
#[test]
fn retired_keys_are_not_published() {
    let retires = NOW + Duration::from_secs(60);
    let source = |seed| PrivateKeySource::Pem(PrivateKeySource::generate_text(Algorithm::EdDsa, [seed; 32]).unwrap());
    let ring = KeyRing::builder(ISSUER, Algorithm::EdDsa)
        .key(KeyId::new("new").unwrap(), source(1), None)
        .key(KeyId::new("old").unwrap(), source(2), Some(retires))
        .build()
        .unwrap();
    let published = |document: String| {
        let set: Value = serde_json::from_str(&document).unwrap();
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(published(ring.jwks_at(NOW)), ["new", "old"]);
    assert_eq!(published(ring.jwks_at(retires)), ["new"]);
    assert_eq!(published(ring.jwks()), ["new", "old"]);
}

/// An origin that shares the HS256 secret verifies with it; with another secret it refuses.
#[test]
fn an_origin_may_share_the_secret() {
    let ring = ring(Algorithm::Hs256);
    let id = ring.keys().next().unwrap().0;
    let ticket = ring.sign_admission(&admission());
    let origin = |secret: [u8; 32]| AdmissionVerifier::from_secret(id.clone(), secret.to_vec().into(), ISSUER).unwrap();
    assert_eq!(origin(ENTROPY).verify(&ticket, &room(), NOW), Ok(admission()));
    assert_eq!(origin([0; 32]).verify(&ticket, &room(), NOW), Err(TokenError::Signature));
    assert_eq!(origin(ENTROPY).verify(&ring.sign_queue_token(&queue_token()), &room(), NOW), Err(TokenError::Kind));
    assert_eq!(
        AdmissionVerifier::from_secret(id.clone(), vec![0; 31].into(), ISSUER).map(drop),
        Err(KeyError::SecretTooShort(id.clone()))
    );
}

/// Keys for other uses, of other types and curves are passed over, so that a set may grow; ours still verifies.
#[test]
fn foreign_keys_are_passed_over() {
    let ring = ring(Algorithm::EdDsa);
    let ticket = ring.sign_admission(&admission());
    let own = set(&ring)["keys"][0].clone();
    let altered = |name: &str, value: Value| {
        let mut key = own.clone();
        key["kid"] = json!("other");
        key[name] = value;
        key
    };
    for foreign in [
        altered("use", json!("enc")),
        altered("key_ops", json!(["sign"])),
        altered("alg", json!("ES256")),
        altered("alg", json!("Ed448")),
        altered("crv", json!("P-256")),
        json!({ "kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB" }),
        json!({ "kty": "EC", "crv": "P-384", "kid": "p384", "x": "AA", "y": "AA" }),
        json!({ "kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA" }),
    ] {
        let origin = verifier(&json!({ "keys": [foreign, own] })).unwrap();
        assert_eq!(origin.verify(&ticket, &room(), NOW), Ok(admission()));
        assert_eq!(verifier(&json!({ "keys": [foreign] })).map(drop), Err(KeyError::NoKeys), "{foreign}");
    }
}

/// A set that is broken, ambiguous, too large or leaks a secret is refused as a whole: an origin keeps its last one.
#[test]
fn bad_sets_are_refused() {
    let own = set(&ring(Algorithm::EdDsa))["keys"][0].clone();
    let altered = |name: &str, value: Value| {
        let mut key = own.clone();
        key[name] = value;
        key
    };
    let refused = |keys: Value| verifier(&json!({ "keys": keys })).map(drop).unwrap_err();
    assert_eq!(refused(json!([])), KeyError::NoKeys);
    assert!(matches!(refused(json!([own, own])), KeyError::DuplicateKeyId(_)));
    assert_eq!(refused(json!([altered("kid", json!("a/b"))])), KeyError::KeyId);
    assert_eq!(refused(json!(["0", "1", "2", "3", "4"].map(|id| altered("kid", json!(id))))), KeyError::TooManyKeys);
    let secret =
        json!({ "kty": "oct", "kid": "s", "alg": "HS256", "k": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE" });
    assert!(matches!(refused(json!([own, secret])), KeyError::KeySet(_)));
    for x in ["", "AAAA", "!", &format!("{}=", own["x"].as_str().unwrap())] {
        assert!(matches!(refused(json!([altered("x", json!(x))])), KeyError::KeySet(_)), "{x}");
    }
    let mut unnamed = own.clone();
    unnamed.as_object_mut().unwrap().remove("kid");
    assert!(matches!(refused(json!([unnamed])), KeyError::KeySet(_)));

    let mut off_curve = set(&ring(Algorithm::Es256))["keys"][0].clone();
    off_curve["y"] = off_curve["x"].clone();
    assert!(matches!(refused(json!([off_curve])), KeyError::KeySet(_)));

    let padded = format!("{{\"keys\":[{own}],\"pad\":\"{}\"}}", "x".repeat(16 * 1024));
    for document in ["", "[]", "{}", "null", "{\"keys\":{}}", "{\"keys\":[", padded.as_str()] {
        let result = AdmissionVerifier::from_jwks(document, ISSUER).map(drop);
        assert!(matches!(result, Err(KeyError::KeySet(_))), "{result:?}");
    }
    assert_eq!(AdmissionVerifier::from_jwks(&ring(Algorithm::EdDsa).jwks(), "").map(drop), Err(KeyError::Issuer));
}

/// An origin refuses what a gateway refuses: other rooms, ended tickets, queue tokens, keys it does not know.
#[test]
fn an_origin_is_as_strict_as_a_gateway() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let ring = ring(algorithm);
        let origin = AdmissionVerifier::from_jwks(&ring.jwks(), ISSUER).unwrap();
        let ticket = ring.sign_admission(&admission());
        let other = queue_core::RoomId::new("opera").unwrap();
        assert_eq!(origin.verify(&ticket, &other, NOW), Err(TokenError::Audience));
        let late = admission().expires_at + queue_core::ticket::LEEWAY;
        assert_eq!(origin.verify(&ticket, &room(), late), Err(TokenError::Expired));
        let token = ring.sign_queue_token(&queue_token());
        assert_eq!(origin.verify(&token, &room(), NOW), Err(TokenError::Kind));
        let stranger = KeyRing::generate(ISSUER, algorithm, [1; 32]).unwrap().sign_admission(&admission());
        assert_eq!(origin.verify(&stranger, &room(), NOW), Err(TokenError::UnknownKey));
        let elsewhere = AdmissionVerifier::from_jwks(&ring.jwks(), "https://elsewhere.example").unwrap();
        assert_eq!(elsewhere.verify(&ticket, &room(), NOW), Err(TokenError::Issuer));
    }
}
