//! Under a good signature the claims still have to be exactly what the kind asks for, and agree with each other.

use queue_core::ticket::{Algorithm, TokenError};
use queue_core::{Epoch, RoomId, SessionId, VisitorId};
use serde_json::{Value, json};

use super::fixture::{ISSUER, NOW, admission, queue_token, ring, room};
use super::forge::Forge;

type Judge = fn(&str) -> Result<(), TokenError>;

/// Both kinds, each with the function that judges it.
fn kinds() -> [(Forge, Judge); 2] {
    let admission: Judge = |token| ring(Algorithm::EdDsa).verify_admission(token, &room(), NOW).map(drop);
    let queue: Judge = |token| ring(Algorithm::EdDsa).verify_queue_token(token, &room(), NOW).map(drop);
    [(Forge::admission(Algorithm::EdDsa), admission), (Forge::queue(Algorithm::EdDsa), queue)]
}

fn names(forge: &Forge) -> Vec<String> {
    forge.claims.as_object().unwrap().keys().cloned().collect()
}

/// Every claim is required, stands once, and nothing stands beside them.
#[test]
fn exactly_the_members_of_its_kind() {
    for (forge, verdict) in kinds() {
        assert_eq!(verdict(&forge.token()), Ok(()));
        let text = forge.claims.to_string();
        for name in names(&forge) {
            assert_eq!(verdict(&forge.with_claim(&name, None)), Err(TokenError::Malformed), "without {name}");
            let value = &forge.claims[&name];
            let twice = format!("{},\"{name}\":{value}}}", &text[..text.len() - 1]);
            assert_eq!(verdict(&forge.with_claims(&twice)), Err(TokenError::Malformed), "{name} twice");
            let (initial, tail) = name.split_at(1);
            let disguised = format!("{},\"\\u{:04x}{tail}\":{value}}}", &text[..text.len() - 1], initial.as_bytes()[0]);
            assert_eq!(verdict(&forge.with_claims(&disguised)), Err(TokenError::Malformed), "{name} in disguise");
            let upper = text.replacen(&format!("\"{name}\""), &format!("\"{}\"", name.to_uppercase()), 1);
            assert_eq!(verdict(&forge.with_claims(&upper)), Err(TokenError::Malformed), "{name} in capitals");
        }
        for extra in ["admin", "scope", "cnf", "", "typ"] {
            assert_eq!(verdict(&forge.with_claim(extra, Some(json!(1)))), Err(TokenError::Malformed), "{extra:?}");
        }
    }
}

/// A claim of another JSON type is refused, never converted: no numbers in quotes, no fractions, no lists of one.
#[test]
fn every_claim_has_its_type() {
    for (forge, verdict) in kinds() {
        for name in names(&forge) {
            let honest = forge.claims[&name].clone();
            let mut wrong = vec![json!(null), json!(true), json!([honest]), json!({ "value": honest }), json!(-1)];
            match &honest {
                Value::Number(number) => {
                    wrong.extend([json!(number.to_string()), json!(number.as_f64()), json!(1.5), json!("")]);
                }
                Value::String(_) => wrong.extend([json!(0), json!(1_796_122_800)]),
                other => panic!("no claim is {other}"),
            }
            for value in wrong {
                let token = forge.with_claim(&name, Some(value.clone()));
                assert_eq!(verdict(&token), Err(TokenError::Malformed), "{name}: {value}");
            }
            if let Value::Number(number) = honest {
                for spelling in
                    [format!("{number}e0"), format!("{number}.0"), format!("0{number}"), format!("+{number}")]
                {
                    let claims = forge.claims.to_string().replacen(&format!(":{number}"), &format!(":{spelling}"), 1);
                    assert_eq!(verdict(&forge.with_claims(&claims)), Err(TokenError::Malformed), "{name}: {spelling}");
                }
            }
        }
    }
}

/// The claims are one JSON object: not a list of the values in order, not empty, not cut, not followed by anything.
#[test]
fn the_claims_are_one_object() {
    for (forge, verdict) in kinds() {
        let text = forge.claims.to_string();
        let list = Value::from_iter(names(&forge).iter().map(|name| forge.claims[name].clone())).to_string();
        for claims in [
            "",
            "{}",
            "[]",
            "null",
            "\"\"",
            &list,
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}x"),
            &format!(" {text}"),
        ] {
            assert_eq!(verdict(&forge.with_claims(claims)), Err(TokenError::Malformed), "{claims}");
        }
    }
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    for (forge, verdict) in kinds() {
        assert!(verdict(&forge.with_claims(&deep)).is_err());
    }
}

/// Ids have one written form; anything else is no id, however close.
#[test]
fn ids_are_canonical() {
    let (forge, verdict) = kinds().into_iter().next().unwrap();
    let visitor = admission().session.visitor.to_string();
    let session = admission().session.to_string();
    // The last of 22 characters carries four spare bits.
    let look_alike = format!("{}{}", &visitor[..21], if visitor.ends_with('A') { 'B' } else { 'z' });
    for sub in
        ["", &visitor[1..], &format!("{visitor}="), &format!("{visitor}A"), &look_alike, "\u{e9}".repeat(11).as_str()]
    {
        assert_eq!(verdict(&forge.with_claim("sub", Some(json!(sub)))), Err(TokenError::Malformed), "{sub}");
    }
    for jti in ["", &session[4..], &format!("{session}AAAA"), &"_".repeat(32)] {
        assert_eq!(verdict(&forge.with_claim("jti", Some(json!(jti)))), Err(TokenError::Malformed), "{jti}");
    }
}

/// A ticket's session belongs to its visitor and began at its `nbf`.
#[test]
fn a_session_agrees_with_its_ticket() {
    let (forge, verdict) = kinds().into_iter().next().unwrap();
    let session = admission().session;
    let other = VisitorId::from_entropy([1; 16]);
    let later = SessionId::new(session.visitor, NOW);
    for (name, value) in [
        ("sub", json!(other.to_string())),
        ("jti", json!(SessionId::new(other, session.started).to_string())),
        ("jti", json!(later.to_string())),
        ("nbf", json!(session.started.as_secs() - 1)),
        ("epoch", json!(Epoch::MAX.get() + 1)),
    ] {
        assert_eq!(verdict(&forge.with_claim(name, Some(value))), Err(TokenError::Malformed), "{name}");
    }
}

/// A place agrees with its epoch, its visitor and its `jti`, and is one that a line can have.
#[test]
fn a_place_agrees_with_its_token() {
    let (forge, verdict) = kinds().into_iter().nth(1).unwrap();
    let place = queue_token().place;
    let score = place.score();
    for (name, value) in [
        ("place", json!(score - 1)),
        ("place", json!(score + (1 << 31))),
        ("place", json!(u64::from(place.epoch.get()) << 31)),
        ("place", json!(u64::MAX)),
        ("place", json!(0)),
        ("epoch", json!(place.epoch.get() + 1)),
        ("sub", json!(VisitorId::from_entropy([1; 16]).to_string())),
        ("jti", json!(admission().session.to_string())),
        ("nbf", json!(queue_token().issued_at.as_secs() - 1)),
    ] {
        assert_eq!(
            verdict(&forge.with_claim(name, Some(value.clone()))),
            Err(TokenError::Malformed),
            "{name}: {value}"
        );
    }
}

/// A statement is for one room of one issuer, letter by letter.
#[test]
fn room_and_issuer_are_exact() {
    for (forge, verdict) in kinds() {
        for aud in ["", "Concert", "concert ", "concert-2", "conce", "*"] {
            assert_eq!(verdict(&forge.with_claim("aud", Some(json!(aud)))), Err(TokenError::Audience), "{aud}");
        }
        for iss in ["", "https://tickets.example.com/", "https://TICKETS.example.com", "http://tickets.example.com"] {
            assert_eq!(verdict(&forge.with_claim("iss", Some(json!(iss)))), Err(TokenError::Issuer), "{iss}");
        }
    }
    let other = RoomId::new("opera").unwrap();
    let ring = ring(Algorithm::EdDsa);
    let (token, ticket) = (ring.sign_queue_token(&queue_token()), ring.sign_admission(&admission()));
    assert_eq!(ring.verify_queue_token(&token, &other, NOW), Err(TokenError::Audience));
    assert_eq!(ring.verify_admission(&ticket, &other, NOW), Err(TokenError::Audience));
    assert_eq!(ring.issuer(), ISSUER);
}

/// Whatever is wrong, the metric has one of four words for it.
#[test]
fn every_refusal_has_a_label() {
    use TokenError::*;
    for (error, label) in [
        (Malformed, "malformed"),
        (Kind, "malformed"),
        (UnknownKey, "signature"),
        (Signature, "signature"),
        (Issuer, "audience"),
        (Audience, "audience"),
        (NotYetValid, "expired"),
        (Expired, "expired"),
    ] {
        assert_eq!(error.label(), label);
    }
}
