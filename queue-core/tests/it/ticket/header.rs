//! The header chooses nothing: attacks that work on verifiers which let it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use queue_core::ticket::{Algorithm, MAX_TOKEN_BYTES, TokenError};
use serde_json::{Value, json};

use super::fixture::{ALGORITHMS, NOW, admission, queue_token, ring, room};
use super::forge::{Forge, key_id};

fn verdict(token: &str) -> Result<(), TokenError> {
    ring(Algorithm::EdDsa).verify_admission(token, &room(), NOW).map(drop)
}

fn altered(name: &str, value: Value) -> String {
    let mut header = Forge::admission(Algorithm::EdDsa).header;
    header[name] = value;
    header.to_string()
}

/// Members beyond `alg`, `kid` and `typ` are refused even under a good signature: keys in the token, keys by URL,
/// certificate chains, extensions, compression, detached payloads, and whatever comes next.
#[test]
fn no_other_member_is_tolerated() {
    let forge = Forge::admission(Algorithm::EdDsa);
    assert_eq!(verdict(&forge.token()), Ok(()));
    let own_key = serde_json::from_str::<Value>(&ring(Algorithm::EdDsa).jwks()).unwrap()["keys"][0].clone();
    for (name, value) in [
        ("jwk", own_key),
        ("jku", json!("https://tickets.example.com/_usher/jwks.json")),
        ("x5u", json!("https://tickets.example.com/chain.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("nonce", json!("x")),
        ("", json!(null)),
    ] {
        assert_eq!(verdict(&forge.with_header(&altered(name, value))), Err(TokenError::Malformed), "{name}");
    }
}

/// `alg` is compared, never followed: none in any spelling, another algorithm, or a value that is no string.
#[test]
fn the_algorithm_is_the_keys_own() {
    let forge = Forge::admission(Algorithm::EdDsa);
    for alg in ["none", "None", "NONE", "nOnE", "", "HS256", "ES256", "RS256", "eddsa", "Ed25519", "EdDSA "] {
        let header = altered("alg", json!(alg));
        assert_eq!(verdict(&forge.with_header(&header)), Err(TokenError::UnknownKey), "{alg}");
        let unsigned =
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(forge.claims.to_string()));
        assert!(verdict(&unsigned).is_err(), "{alg}");
    }
    for alg in [json!(null), json!(1), json!(["EdDSA"]), json!({ "EdDSA": 1 })] {
        assert_eq!(verdict(&forge.with_header(&altered("alg", alg))), Err(TokenError::Malformed));
    }
}

/// The old trick: HS256 under the public key, in every form a public key is written in, is no ticket of an EdDSA or
/// ES256 ring.
#[test]
fn a_public_key_is_no_secret() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let jwks: Value = serde_json::from_str(&ring(algorithm).jwks()).unwrap();
        let key = &jwks["keys"][0];
        let (x, y) = (key["x"].as_str().unwrap(), key["y"].as_str().unwrap_or_default());
        let (raw_x, raw_y) = (URL_SAFE_NO_PAD.decode(x).unwrap(), URL_SAFE_NO_PAD.decode(y).unwrap());
        let point = [&[4], raw_x.as_slice(), raw_y.as_slice()].concat();
        for secret in [raw_x.as_slice(), &point, x.as_bytes(), key.to_string().as_bytes(), jwks.to_string().as_bytes()]
        {
            let mut forge = Forge::admission(algorithm);
            forge.algorithm = jsonwebtoken::Algorithm::HS256;
            forge.key = EncodingKey::from_secret(secret);
            for alg in ["HS256", algorithm.name()] {
                forge.header["alg"] = json!(alg);
                assert!(ring(algorithm).verify_admission(&forge.token(), &room(), NOW).is_err());
            }
        }
    }
}

/// `kid` is looked up in a table of names and nowhere else.
#[test]
fn an_unknown_key_is_no_key() {
    let forge = Forge::admission(Algorithm::EdDsa);
    let own = key_id(Algorithm::EdDsa);
    for kid in ["", "other", "../../../dev/null", "' OR 1=1 --", "http://127.0.0.1/key", &own[1..], &format!("{own} ")]
    {
        assert_eq!(verdict(&forge.with_header(&altered("kid", json!(kid)))), Err(TokenError::UnknownKey), "{kid}");
    }
    for kid in [json!(null), json!(0), json!([own])] {
        assert_eq!(verdict(&forge.with_header(&altered("kid", kid))), Err(TokenError::Malformed));
    }
}

/// A header says each thing once, says all of it, and is an object.
#[test]
fn the_header_has_exactly_its_members() {
    let forge = Forge::admission(Algorithm::EdDsa);
    let kid = key_id(Algorithm::EdDsa);
    let honest = format!(r#""alg":"EdDSA","kid":"{kid}","typ":"admission+jwt""#);
    assert_eq!(verdict(&forge.with_header(&format!("{{{honest}}}"))), Ok(()));
    for header in [
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        format!("{{{honest}"),
        format!("{{{honest}}}{{}}"),
        format!("{{{honest},}}"),
        format!(r#"{{"alg":"none",{honest}}}"#),
        format!(r#"{{{honest},"alg":"EdDSA"}}"#),
        format!(r#"{{{honest},"\u0061lg":"EdDSA"}}"#),
        format!(r#"{{{honest},"kid":"{kid}"}}"#),
        format!(r#"{{{honest},"typ":"admission+jwt"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#),
        r#"{"alg":"EdDSA","typ":"admission+jwt"}"#.to_owned(),
        format!(r#"{{"kid":"{kid}","typ":"admission+jwt"}}"#),
        format!(r#"["EdDSA","{kid}","admission+jwt"]"#),
        format!(r#"{{"alg":"EdDS\u0041","kid":"{kid}","typ":"admission+jwt"}}"#),
        format!("\u{feff}{{{honest}}}"),
        format!("{{{honest}{}}}", " ".repeat(100)),
    ] {
        assert_eq!(verdict(&forge.with_header(&header)), Err(TokenError::Malformed), "{header}");
    }
}

/// White space inside the signed JSON is part of what was signed: accepted, as RFC 8259 has it.
#[test]
fn white_space_is_signed_as_well() {
    let forge = Forge::admission(Algorithm::EdDsa);
    let kid = key_id(Algorithm::EdDsa);
    let header = format!("{{ \"alg\" : \"EdDSA\",\n\t\"kid\" : \"{kid}\",\r\n\"typ\":\"admission+jwt\" }}");
    assert_eq!(verdict(&forge.with_header(&header)), Ok(()));
    assert_eq!(verdict(&forge.with_claims(&format!("{:#}", forge.claims))), Ok(()));
}

/// The size limit is exact, and it counts what arrives, not what it decodes to.
#[test]
fn the_size_limit_is_exact() {
    let forge = Forge::admission(Algorithm::EdDsa);
    let room_left = (MAX_TOKEN_BYTES - forge.token().len()) * 3 / 4;
    let mut seen = Vec::new();
    for spaces in room_left - 3..=room_left + 3 {
        let claims = forge.claims.to_string().replacen('{', &format!("{{{}", " ".repeat(spaces)), 1);
        let token = forge.with_claims(&claims);
        let expected = if token.len() <= MAX_TOKEN_BYTES { Ok(()) } else { Err(TokenError::Malformed) };
        assert_eq!(verdict(&token), expected, "{} bytes", token.len());
        seen.push(token.len());
    }
    assert!(seen.contains(&MAX_TOKEN_BYTES) || seen.contains(&(MAX_TOKEN_BYTES - 1)), "{seen:?}");
    assert!(seen.iter().any(|length| (MAX_TOKEN_BYTES + 1..MAX_TOKEN_BYTES + 3).contains(length)), "{seen:?}");
}

/// A queue token is no admission ticket, and the other way round: neither as it is, nor with the other's `typ`, nor
/// with the other's claims under its own key.
#[test]
fn the_kinds_do_not_mix() {
    for algorithm in ALGORITHMS {
        let ring = ring(algorithm);
        let admitted = |token: &str| ring.verify_admission(token, &room(), NOW).map(drop);
        let queued = |token: &str| ring.verify_queue_token(token, &room(), NOW).map(drop);

        assert_eq!(admitted(&ring.sign_queue_token(&queue_token())), Err(TokenError::Kind), "{algorithm}");
        assert_eq!(queued(&ring.sign_admission(&admission())), Err(TokenError::Kind), "{algorithm}");

        let (mut queue, mut admission) = (Forge::queue(algorithm), Forge::admission(algorithm));
        std::mem::swap(&mut queue.header["typ"], &mut admission.header["typ"]);
        assert!(admitted(&queue.token()).is_err() && queued(&admission.token()).is_err(), "{algorithm}");
        std::mem::swap(&mut queue.header["alg"], &mut admission.header["alg"]);
        assert_eq!(admitted(&queue.token()), Err(signature_or_length(algorithm)), "{algorithm}");
        assert_eq!(queued(&admission.token()), Err(signature_or_length(algorithm)), "{algorithm}");

        let (mut queue, mut admission) = (Forge::queue(algorithm), Forge::admission(algorithm));
        std::mem::swap(&mut queue.claims, &mut admission.claims);
        assert_eq!(queued(&queue.token()), Err(TokenError::Malformed), "{algorithm}");
        assert!(admitted(&admission.token()).is_err(), "{algorithm}");
    }
    let mut forge = Forge::admission(Algorithm::EdDsa);
    for typ in ["JWT", "jwt", "at+jwt", "Admission+JWT", "admission", "application/admission+jwt", "provisional+jwt"] {
        forge.header["typ"] = json!(typ);
        assert_eq!(verdict(&forge.token()), Err(TokenError::Kind), "{typ}");
    }
}

/// HMAC tags have 32 bytes and the other signatures 64: for those the length already gives it away.
fn signature_or_length(algorithm: Algorithm) -> TokenError {
    if algorithm == Algorithm::Hs256 { TokenError::Signature } else { TokenError::Malformed }
}
