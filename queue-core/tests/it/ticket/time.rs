//! When a statement is good: from `nbf` until `exp`, each with the leeway, to the microsecond.

use std::time::Duration;

use queue_core::ticket::{AdmissionTicket, Algorithm, LEEWAY, QueueToken, TokenError};
use queue_core::{SessionId, Timestamp};

use super::fixture::{NOW, admission, queue_token, ring, room, visitor};

const TICK: Duration = Duration::from_micros(1);

/// Both kinds end at `exp` + leeway, and a microsecond earlier they were still good.
#[test]
fn statements_end_with_the_leeway() {
    let ring = ring(Algorithm::EdDsa);
    let ticket = ring.sign_admission(&admission());
    let end = admission().expires_at + LEEWAY;
    assert_eq!(ring.verify_admission(&ticket, &room(), end - TICK), Ok(admission()));
    assert_eq!(ring.verify_admission(&ticket, &room(), end), Err(TokenError::Expired));
    assert_eq!(ring.verify_admission(&ticket, &room(), Timestamp::from_micros(u64::MAX)), Err(TokenError::Expired));

    let token = ring.sign_queue_token(&queue_token());
    let end = queue_token().expires_at + LEEWAY;
    assert_eq!(ring.verify_queue_token(&token, &room(), end - TICK), Ok(queue_token()));
    assert_eq!(ring.verify_queue_token(&token, &room(), end), Err(TokenError::Expired));
}

/// A session that has not begun admits nobody, and neither does a statement from the future.
#[test]
fn statements_begin_with_the_leeway() {
    let ring = ring(Algorithm::EdDsa);
    let start = Timestamp::from_secs(NOW.as_secs() + 3_600);
    for (started, issued_at) in [(start, admission().issued_at), (admission().session.started, start)] {
        let ticket = AdmissionTicket {
            session: SessionId::new(visitor(), started),
            issued_at,
            expires_at: start + Duration::from_secs(60),
            ..admission()
        };
        let signed = ring.sign_admission(&ticket);
        let early = start - LEEWAY;
        assert_eq!(ring.verify_admission(&signed, &room(), early - TICK), Err(TokenError::NotYetValid));
        assert_eq!(ring.verify_admission(&signed, &room(), early), Ok(ticket));
        assert_eq!(ring.verify_admission(&signed, &room(), Timestamp::ZERO), Err(TokenError::NotYetValid));
    }
    let token = QueueToken { issued_at: start, ..queue_token() };
    let signed = ring.sign_queue_token(&token);
    assert_eq!(ring.verify_queue_token(&signed, &room(), start - LEEWAY - TICK), Err(TokenError::NotYetValid));
    assert_eq!(ring.verify_queue_token(&signed, &room(), start - LEEWAY), Ok(token));
}

/// The contract allows at most five seconds; whole seconds, so that claims and stores can count with it.
#[test]
fn the_leeway_is_short_and_whole() {
    assert!(LEEWAY <= Duration::from_secs(5) && LEEWAY.subsec_nanos() == 0);
}
