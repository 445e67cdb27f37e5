//! Keys, statements and instants that the ticket tests share.

use std::time::Duration;

use queue_core::ticket::{AdmissionTicket, Algorithm, KeyRing, QueueToken};
use queue_core::{Epoch, Place, RoomId, Sequence, SessionId, Timestamp, VisitorId};

pub(crate) const ISSUER: &str = "https://tickets.example.com";
pub(crate) const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256];

/// Makes every generated key of these tests.
pub(crate) const ENTROPY: [u8; 32] = [42; 32];

/// 2026-12-01T11:00:00.123456Z.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_796_122_800_123_456);

pub(crate) fn room() -> RoomId {
    RoomId::new("concert").unwrap()
}

pub(crate) fn ring(algorithm: Algorithm) -> KeyRing {
    KeyRing::generate(ISSUER, algorithm, ENTROPY).unwrap()
}

pub(crate) fn visitor() -> VisitorId {
    VisitorId::from_entropy(*b"\xff\xfe-sixteen-bytes")
}

/// Whole seconds and milliseconds, as far as each is written.
pub(crate) fn queue_token() -> QueueToken {
    QueueToken {
        room: room(),
        visitor: visitor(),
        place: Place { epoch: Epoch::new(48_162).unwrap(), sequence: Sequence::new(1_234).unwrap() },
        joined: Timestamp::from_millis(NOW.as_millis() - 60_000),
        issued_at: Timestamp::from_secs(NOW.as_secs()),
        expires_at: Timestamp::from_secs(NOW.as_secs() + 86_400),
    }
}

/// A session that began half a minute ago and was renewed now.
pub(crate) fn admission() -> AdmissionTicket {
    AdmissionTicket {
        room: room(),
        session: SessionId::new(visitor(), NOW - Duration::from_secs(30)),
        issued_at: Timestamp::from_secs(NOW.as_secs()),
        expires_at: Timestamp::from_secs(NOW.as_secs() + 300),
        epoch: Epoch::new(48_162).unwrap(),
    }
}
