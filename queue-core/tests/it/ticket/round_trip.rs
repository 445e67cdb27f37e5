//! What is signed is what is read.

use queue_core::ticket::{AdmissionTicket, AdmissionVerifier, KeyId, KeyRing, MAX_TOKEN_BYTES, QueueToken};
use queue_core::ticket::{Algorithm, PrivateKeySource};
use queue_core::{Epoch, Place, RoomId, Sequence, SessionId, Timestamp, VisitorId};

use super::fixture::{ALGORITHMS, ISSUER, NOW, admission, queue_token, ring, room};

/// A place that was signed is read back unchanged, whatever signs the tickets.
#[test]
fn queue_tokens_say_what_was_signed() {
    for algorithm in ALGORITHMS {
        let ring = ring(algorithm);
        let token = ring.sign_queue_token(&queue_token());
        assert_eq!(ring.verify_queue_token(&token, &room(), NOW), Ok(queue_token()), "{algorithm}");
    }
}

/// A ticket is read back unchanged by the gateway, and by an origin that has only the published keys.
#[test]
fn admission_tickets_say_what_was_signed() {
    for algorithm in ALGORITHMS {
        let ring = ring(algorithm);
        let token = ring.sign_admission(&admission());
        assert_eq!(ring.verify_admission(&token, &room(), NOW), Ok(admission()), "{algorithm}");
        if algorithm != Algorithm::Hs256 {
            let origin = AdmissionVerifier::from_jwks(&ring.jwks(), ISSUER).unwrap();
            assert_eq!(origin.verify(&token, &room(), NOW), Ok(admission()), "{algorithm}");
        }
    }
}

/// Instants are cut to what the claims carry, and an end is never rounded up: a ticket must not outlive its slot.
#[test]
fn instants_are_rounded_down() {
    let ring = ring(Algorithm::EdDsa);
    let late = |whole: Timestamp| Timestamp::from_micros(whole.as_micros() + 999_999);
    let precise = AdmissionTicket {
        issued_at: late(admission().issued_at),
        expires_at: late(admission().expires_at),
        ..admission()
    };
    let token = ring.sign_admission(&precise);
    assert_eq!(ring.verify_admission(&token, &room(), late(NOW)), Ok(admission()));

    let precise = QueueToken {
        joined: Timestamp::from_micros(queue_token().joined.as_micros() + 999),
        expires_at: late(queue_token().expires_at),
        ..queue_token()
    };
    let token = ring.sign_queue_token(&precise);
    assert_eq!(ring.verify_queue_token(&token, &room(), late(NOW)), Ok(queue_token()));
}

/// The longest token that can be written is one that is still read: bounds of issuer, key id and room hold together.
#[test]
fn the_longest_statement_fits() {
    let issuer = "i".repeat(200);
    let id = KeyId::new(&"k".repeat(KeyId::MAX_LENGTH)).unwrap();
    let room = RoomId::new(&"r".repeat(RoomId::MAX_LENGTH)).unwrap();
    // The last instant of the year 9999, in seconds; no clock of ours goes further.
    let end = Timestamp::from_secs(253_402_300_799);
    let visitor = VisitorId::from_entropy([0xff; 16]);
    for algorithm in ALGORITHMS {
        let source = match algorithm {
            Algorithm::Hs256 => PrivateKeySource::HmacSecret(vec![1; 32].into()),
            _ => PrivateKeySource::Pem(PrivateKeySource::generate_text(algorithm, [1; 32]).unwrap()),
        };
        let ring = KeyRing::builder(&issuer, algorithm).key(id.clone(), source, None).build().unwrap();
        let place = Place { epoch: Epoch::MAX, sequence: Sequence::MAX };
        let token = QueueToken { room: room.clone(), visitor, place, joined: end, issued_at: end, expires_at: end };
        let ticket = AdmissionTicket {
            room: room.clone(),
            session: SessionId::new(visitor, end),
            issued_at: end,
            expires_at: end,
            epoch: Epoch::MAX,
        };
        let (queue, admission) = (ring.sign_queue_token(&token), ring.sign_admission(&ticket));
        assert!(queue.len() <= MAX_TOKEN_BYTES && admission.len() <= MAX_TOKEN_BYTES);
        assert_eq!(ring.verify_queue_token(&queue, &room, end), Ok(token));
        assert_eq!(ring.verify_admission(&admission, &room, end), Ok(ticket));
    }
}

/// Signing takes one allocation's worth of text: the string never had to grow.
#[test]
fn tokens_are_written_in_one_piece() {
    for algorithm in ALGORITHMS {
        let ring = ring(algorithm);
        for token in [ring.sign_queue_token(&queue_token()), ring.sign_admission(&admission())] {
            assert!(token.capacity() - token.len() <= 43, "{algorithm}: {} of {}", token.len(), token.capacity());
        }
    }
}
