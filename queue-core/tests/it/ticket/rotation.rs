//! Rotation refuses nothing valid and accepts nothing retired; rings that cannot work are not built.

use std::time::Duration;

use queue_core::ticket::{Algorithm, KeyError, KeyId, KeyRing, MAX_KEYS, PrivateKeySource, TokenError};
use secrecy::{ExposeSecret as _, SecretString};

use super::fixture::{ALGORITHMS, ISSUER, NOW, admission, queue_token, room};

fn id(name: &str) -> KeyId {
    KeyId::new(name).unwrap()
}

fn source(algorithm: Algorithm, seed: u8) -> PrivateKeySource {
    let text = PrivateKeySource::generate_text(algorithm, [seed; 32]).unwrap();
    // As editors and shells leave files.
    let text = SecretString::from(format!("\n{}\r\n", text.expose_secret()));
    PrivateKeySource::from_text(algorithm, &id("any"), &text).unwrap()
}

/// Old tokens stay good under a new signing key, until the old key retires; the new key is accepted by gateways that
/// have not switched yet.
#[test]
fn old_keys_verify_until_they_retire() {
    for algorithm in ALGORITHMS {
        let retires = NOW + Duration::from_secs(60);
        let before = KeyRing::builder(ISSUER, algorithm)
            .key(id("old"), source(algorithm, 1), None)
            .key(id("new"), source(algorithm, 2), None)
            .build()
            .unwrap();
        let after = KeyRing::builder(ISSUER, algorithm)
            .key(id("new"), source(algorithm, 2), None)
            .key(id("old"), source(algorithm, 1), Some(retires))
            .build()
            .unwrap();
        let dropped = KeyRing::builder(ISSUER, algorithm).key(id("new"), source(algorithm, 2), None).build().unwrap();
        let names: Vec<_> = after.keys().map(|(id, end)| (id.as_str(), end)).collect();
        assert_eq!(names, [("new", None), ("old", Some(retires))]);

        let (old_ticket, old_token) = (before.sign_admission(&admission()), before.sign_queue_token(&queue_token()));
        let (new_ticket, new_token) = (after.sign_admission(&admission()), after.sign_queue_token(&queue_token()));
        let last = retires - Duration::from_micros(1);
        assert_eq!(after.verify_admission(&old_ticket, &room(), last), Ok(admission()), "{algorithm}");
        assert_eq!(after.verify_queue_token(&old_token, &room(), last), Ok(queue_token()), "{algorithm}");
        for (ring, now) in [(&after, retires), (&dropped, NOW)] {
            assert_eq!(ring.verify_admission(&old_ticket, &room(), now), Err(TokenError::UnknownKey), "{algorithm}");
            assert_eq!(ring.verify_queue_token(&old_token, &room(), now), Err(TokenError::UnknownKey), "{algorithm}");
        }
        for ring in [&before, &after, &dropped] {
            assert_eq!(ring.verify_admission(&new_ticket, &room(), retires), Ok(admission()), "{algorithm}");
            assert_eq!(ring.verify_queue_token(&new_token, &room(), retires), Ok(queue_token()), "{algorithm}");
        }
    }
}

/// Another key under the same name verifies nothing of ours: neither tickets nor the queue tokens derived from it.
#[test]
fn the_same_name_is_not_the_same_key() {
    for algorithm in ALGORITHMS {
        let [ours, theirs] = [1, 2].map(|seed| {
            KeyRing::builder(ISSUER, algorithm).key(id("k"), source(algorithm, seed), None).build().unwrap()
        });
        let (ticket, token) = (theirs.sign_admission(&admission()), theirs.sign_queue_token(&queue_token()));
        assert_eq!(ours.verify_admission(&ticket, &room(), NOW), Err(TokenError::Signature), "{algorithm}");
        assert_eq!(ours.verify_queue_token(&token, &room(), NOW), Err(TokenError::Signature), "{algorithm}");
    }
}

/// One key under two names derives two queue keys: the name is part of the derivation.
#[test]
fn queue_keys_depend_on_the_name() {
    let [a, b] = ["a", "b"].map(|name| {
        let source = source(Algorithm::EdDsa, 1);
        KeyRing::builder(ISSUER, Algorithm::EdDsa).key(id(name), source, None).build().unwrap()
    });
    let signature = |ring: &KeyRing| ring.sign_queue_token(&queue_token()).rsplit_once('.').unwrap().1.to_owned();
    assert_ne!(signature(&a), signature(&b));
}

/// A ring that cannot work is refused with the reason, before anything is signed.
#[test]
fn bad_rings_are_not_built() {
    let ed = Algorithm::EdDsa;
    let built = |builder: queue_core::ticket::KeyRingBuilder| builder.build().map(drop);
    assert_eq!(built(KeyRing::builder(ISSUER, ed)), Err(KeyError::NoKeys));

    let mut many = KeyRing::builder(ISSUER, ed);
    for n in 0..=MAX_KEYS {
        many = many.key(id(&n.to_string()), source(ed, 1), None);
    }
    assert_eq!(built(many), Err(KeyError::TooManyKeys));

    let twice = KeyRing::builder(ISSUER, ed).key(id("k"), source(ed, 1), None).key(id("k"), source(ed, 2), None);
    assert_eq!(built(twice), Err(KeyError::DuplicateKeyId(id("k"))));

    for issuer in ["", "two words", "quo\"te", "back\\slash", "caf\u{e9}", "new\nline", &"i".repeat(201)] {
        let ring = KeyRing::builder(issuer, ed).key(id("k"), source(ed, 1), None);
        assert_eq!(built(ring), Err(KeyError::Issuer), "{issuer:?}");
        assert_eq!(KeyRing::generate(issuer, ed, [1; 32]).map(drop), Err(KeyError::Issuer), "{issuer:?}");
    }
    for name in ["", "a/b", "a b", "caf\u{e9}", "a\"", &"k".repeat(65)] {
        assert_eq!(KeyId::new(name), Err(KeyError::KeyId), "{name:?}");
    }
}

/// A key of one algorithm is no key of another, and texts that are no keys are refused without being repeated.
#[test]
fn a_key_is_of_its_algorithm() {
    for algorithm in ALGORITHMS {
        for other in ALGORITHMS.into_iter().filter(|other| *other != algorithm) {
            let result = KeyRing::builder(ISSUER, algorithm).key(id("k"), source(other, 1), None).build().map(drop);
            assert_eq!(result, Err(KeyError::NotAKey { id: id("k"), algorithm }), "{other} as {algorithm}");
        }
    }
    let pem = PrivateKeySource::generate_text(Algorithm::EdDsa, [1; 32]).unwrap();
    let pem = pem.expose_secret();
    let body_cut = pem.replacen("MC4CAQ", "MC4CAg", 1);
    assert_ne!(body_cut, pem);
    for text in ["", "secret", &pem[..pem.len() / 2], &pem.replace("PRIVATE", "PUBLIC"), &body_cut] {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let source = PrivateKeySource::Pem(SecretString::from(text));
            let error = KeyRing::builder(ISSUER, algorithm).key(id("k"), source, None).build().map(drop).unwrap_err();
            assert_eq!(error, KeyError::NotAKey { id: id("k"), algorithm });
            assert!(text.is_empty() || !error.to_string().contains(text));
        }
    }
}

/// HS256 secrets have at least 32 bytes, and their text is canonical base64url.
#[test]
fn short_secrets_are_refused() {
    let ring = |bytes: usize| {
        let source = PrivateKeySource::HmacSecret(vec![7; bytes].into());
        KeyRing::builder(ISSUER, Algorithm::Hs256).key(id("k"), source, None).build().map(drop)
    };
    assert_eq!(ring(31), Err(KeyError::SecretTooShort(id("k"))));
    assert_eq!(ring(0), Err(KeyError::SecretTooShort(id("k"))));
    assert_eq!((ring(32), ring(33), ring(200)), (Ok(()), Ok(()), Ok(())));
    for text in ["not base64url!", "AAAA=", "AAAAAB"] {
        let error = PrivateKeySource::from_text(Algorithm::Hs256, &id("k"), &SecretString::from(text)).map(drop);
        assert_eq!(error, Err(KeyError::NotAKey { id: id("k"), algorithm: Algorithm::Hs256 }));
    }
}

/// A generated key file holds the same key as a generated ring: what one signs the other reads.
#[test]
fn key_files_and_generated_rings_agree() {
    for algorithm in ALGORITHMS {
        let generated = KeyRing::generate(ISSUER, algorithm, [9; 32]).unwrap();
        let id = generated.keys().next().unwrap().0.clone();
        let filed = KeyRing::builder(ISSUER, algorithm).key(id, source(algorithm, 9), None).build().unwrap();
        let (ticket, token) = (filed.sign_admission(&admission()), filed.sign_queue_token(&queue_token()));
        assert_eq!(generated.verify_admission(&ticket, &room(), NOW), Ok(admission()), "{algorithm}");
        assert_eq!(generated.verify_queue_token(&token, &room(), NOW), Ok(queue_token()), "{algorithm}");
        assert_eq!(generated.jwks(), filed.jwks());
    }
}

/// Names of algorithms are exact, both ways.
#[test]
fn algorithms_have_names() {
    for algorithm in ALGORITHMS {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    for name in ["eddsa", "Ed25519", "none", "RS256", ""] {
        assert!(name.parse::<Algorithm>().is_err());
    }
}
