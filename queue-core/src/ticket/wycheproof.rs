//! Project Wycheproof's JSON Web Signature vectors against our keys, key sets and decoder, below the rules that are
//! ours alone (exact header members, claims, the lower `s`). A vector is accepted exactly when it is marked valid and
//! its key is one of our algorithms; where we differ, the difference is listed with its reason.

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::key::{SigningKey, VerifyingKey};
use super::{Algorithm, KeyId, KeyRing, PrivateKeySource, compact, jwks};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    public: Option<Value>,
    private: Option<Value>,
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    tc_id: u64,
    comment: String,
    /// A string, or for one vector the JSON serialization. Encryption vectors have none.
    jws: Option<Value>,
    result: String,
}

/// The header of the vectors: theirs has no `typ`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
}

/// What a file must come to, so that an empty or changed file cannot pass unseen.
struct Tally {
    file: &'static str,
    vectors: usize,
    accepted: usize,
    /// Vectors that we judge otherwise than marked, whether we accept them, and why.
    differing: &'static [(u64, bool, &'static str)],
}

const TALLIES: [Tally; 3] = [
    Tally {
        file: "json_web_signature_test.json",
        vectors: 401,
        accepted: 12,
        differing: &[
            (367, true, "marked invalid for its padding, but the text is vector 357, letter by letter"),
            (370, true, "marked invalid for its padding, but the text is vector 357, letter by letter"),
            (372, false, "has '?' inside its header: no base64url (RFC 7515, section 2)"),
            (373, false, "has '?' inside its payload: no base64url (RFC 7515, section 2)"),
        ],
    },
    Tally { file: "json_web_key_test.json", vectors: 26, accepted: 2, differing: &[] },
    Tally { file: "json_web_crypto_test.json", vectors: 83, accepted: 3, differing: &[] },
];

/// G18: others' collected attacks on signatures, key sets and encodings end as the collection says.
#[test]
fn vectors_are_judged_as_marked() {
    let Some(folder) = folder() else { return };
    for tally in TALLIES {
        let text = fs::read_to_string(folder.join(tally.file)).expect(tally.file);
        let file: File = serde_json::from_str(&text).expect(tally.file);
        assert_eq!(file.number_of_tests, tally.vectors, "{}", tally.file);
        let (mut seen, mut accepted) = (0, 0);
        for group in &file.test_groups {
            let keys = group.public.as_ref().or(group.private.as_ref()).expect("a group has keys");
            let keys = usable_keys(keys);
            for vector in &group.tests {
                seen += 1;
                let Some(jws) = &vector.jws else { continue };
                let accepts = jws.as_str().is_some_and(|jws| verdict(&keys, jws) == Some(true));
                let differs = tally.differing.iter().find(|(id, ..)| *id == vector.tc_id);
                let expected = differs.map_or(vector.result == "valid" && !keys.is_empty(), |(_, accept, _)| *accept);
                assert_eq!(accepts, expected, "{} {}: {}", tally.file, vector.tc_id, vector.comment);
                accepted += usize::from(accepts);
            }
        }
        println!("{}: {seen} vectors, {accepted} accepted", tally.file);
        assert_eq!((seen, accepted), (tally.vectors, tally.accepted), "{}", tally.file);
    }
}

/// The folder of the vectors: `USHER_WYCHEPROOF`, which then must exist, or the place beside the repository.
fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("USHER_WYCHEPROOF").map(PathBuf::from);
    let must_exist = named.is_some();
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/wycheproof");
    let folder = named.unwrap_or_else(|| beside.into());
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(!must_exist, "USHER_WYCHEPROOF names no folder: {}", folder.display());
    eprintln!("SKIPPED: no Wycheproof vectors at {} (set USHER_WYCHEPROOF)", folder.display());
    None
}

/// The keys of a group as a ring or an origin would take them; none when either refuses or they are not ours.
fn usable_keys(keys: &Value) -> Vec<(KeyId, VerifyingKey)> {
    let set = if keys.get("keys").is_some() { keys.clone() } else { json!({ "keys": [keys] }) };
    let keys = set["keys"].as_array().expect("a key set has keys");
    if keys.iter().all(|key| key["kty"] == "oct") {
        return shared_secrets(keys).unwrap_or_default();
    }
    jwks::verifying_keys(&set.to_string()).unwrap_or_default()
}

/// Secrets for HS256, accepted as a ring.
fn shared_secrets(keys: &[Value]) -> Option<Vec<(KeyId, VerifyingKey)>> {
    let mut builder = KeyRing::builder("wycheproof", Algorithm::Hs256);
    let mut parsed = Vec::new();
    for key in keys {
        if key["alg"] != "HS256" || key["use"] != "sig" {
            return None;
        }
        let id = KeyId::new(key["kid"].as_str()?).ok()?;
        let secret = URL_SAFE_NO_PAD.decode(key["k"].as_str()?).ok()?;
        let source = PrivateKeySource::HmacSecret(secret.clone().into());
        parsed.push((id.clone(), SigningKey::parse(&id, Algorithm::Hs256, &source).ok()?.verifying()?));
        builder = builder.key(id, PrivateKeySource::HmacSecret(secret.into()), None);
    }
    builder.build().ok().map(|_| parsed)
}

/// The verdict, by the decoder and the keys of the product; `None` where the shape alone refuses it.
fn verdict(keys: &[(KeyId, VerifyingKey)], jws: &str) -> Option<bool> {
    let (signed, signature) = jws.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let mut bytes = [0; 1024];
    let header: Header<'_> = compact::parse(compact::decode(header, &mut bytes).ok()?).ok()?;
    let (_, key) = keys.iter().find(|(id, key)| id.as_str() == header.kid && key.algorithm().name() == header.alg)?;
    compact::decode(payload, &mut [0; 1024]).ok()?;
    let mut bytes = [0; 128];
    let signature = compact::decode(signature, &mut bytes).ok()?;
    let fits = signature.len() == key.algorithm().signature_bytes();
    Some(fits && key.verifies(signed.as_bytes(), signature))
}
