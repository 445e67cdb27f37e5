//! Nothing that is printed shows a key, a secret or a whole id (N17).

use queue_core::ticket::{AdmissionVerifier, KeyId, PrivateKeySource};
use secrecy::{ExposeSecret as _, SecretString};

use super::fixture::{ALGORITHMS, ENTROPY, ISSUER, admission, queue_token, ring, visitor};

/// Rings, verifiers, sources and statements are printed by name.
#[test]
fn debug_output_shows_no_secret() {
    let id = KeyId::new("k").unwrap();
    for algorithm in ALGORITHMS {
        let text = PrivateKeySource::generate_text(algorithm, ENTROPY).unwrap();
        let source = PrivateKeySource::from_text(algorithm, &id, &text).unwrap();
        let ring = ring(algorithm);
        let origin = AdmissionVerifier::from_secret(id.clone(), ENTROPY.to_vec().into(), ISSUER).unwrap();
        let shown = format!("{ring:?} {source:?} {origin:?} {:?} {:?}", queue_token(), admission());
        assert!(shown.contains(ISSUER) && shown.contains(ring.keys().next().unwrap().0.as_str()));
        let body = text.expose_secret().lines().max_by_key(|line| line.len()).unwrap();
        assert!(body.len() >= 43 && !shown.contains(body));
        for leak in ["42, 42", "KioqKioq", "2a2a2a", &visitor().to_string(), &admission().session.to_string()] {
            assert!(!shown.contains(leak), "{leak} in {shown}");
        }
    }
}

/// A wrong key text is reported without a piece of it.
#[test]
fn errors_show_no_secret() {
    let text = SecretString::from("hunter2 hunter2 hunter2 hunter2 hunter2");
    let error = PrivateKeySource::from_text(queue_core::ticket::Algorithm::Hs256, &KeyId::new("k").unwrap(), &text)
        .map(drop)
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}
