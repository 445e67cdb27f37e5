//! Provisional tokens: read as signed, and never taken for another kind.

use queue_core::RoomId;
use queue_core::ticket::{ProvisionalToken, TokenError};

use super::fixture::{ALGORITHMS, NOW, admission, queue_token, ring, room};

fn token() -> ProvisionalToken {
    let queue = queue_token();
    ProvisionalToken {
        room: queue.room,
        visitor: queue.visitor,
        joined: queue.joined,
        issued_at: queue.issued_at,
        expires_at: queue.expires_at,
    }
}

/// What was signed is read back, until it ends and for its room only; no changed byte verifies (N15).
#[test]
fn a_provisional_token_says_what_was_signed() {
    for algorithm in ALGORITHMS {
        let ring = ring(algorithm);
        let signed = ring.sign_provisional(&token());
        assert_eq!(ring.verify_provisional(&signed, &room(), NOW), Ok(token()), "{algorithm}");
        let other = RoomId::new("another").unwrap();
        assert_eq!(ring.verify_provisional(&signed, &other, NOW), Err(TokenError::Audience));
        let late = token().expires_at + std::time::Duration::from_secs(3);
        assert_eq!(ring.verify_provisional(&signed, &room(), late), Err(TokenError::Expired));
        for at in 0..signed.len() {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert!(ring.verify_provisional(&changed, &room(), NOW).is_err(), "{algorithm}, byte {at}");
        }
    }
}

/// It claims nothing and passes nothing: each kind has its own keys and its own claims.
#[test]
fn kinds_are_not_exchanged() {
    for algorithm in ALGORITHMS {
        let ring = ring(algorithm);
        let (provisional, queue, ticket) =
            (ring.sign_provisional(&token()), ring.sign_queue_token(&queue_token()), ring.sign_admission(&admission()));
        assert_eq!(ring.verify_queue_token(&provisional, &room(), NOW), Err(TokenError::Kind), "{algorithm}");
        assert_eq!(ring.verify_admission(&provisional, &room(), NOW), Err(TokenError::Kind), "{algorithm}");
        assert_eq!(ring.verify_provisional(&queue, &room(), NOW), Err(TokenError::Kind), "{algorithm}");
        assert_eq!(ring.verify_provisional(&ticket, &room(), NOW), Err(TokenError::Kind), "{algorithm}");
        let (_, signature) = provisional.rsplit_once('.').unwrap();
        let (signed, _) = queue.rsplit_once('.').unwrap();
        let mixed = format!("{signed}.{signature}");
        assert_eq!(ring.verify_queue_token(&mixed, &room(), NOW), Err(TokenError::Signature), "{algorithm}");
    }
}
