//! Tokens and tickets as a test reads and mints them.

use std::time::Duration;

use gateway::{clock, entropy};
use queue_core::ticket::{AdmissionTicket, KeyRing, QueueToken};
use queue_core::{Epoch, Place, RoomId, Sequence, SessionId, Timestamp, VisitorId};

use super::setup::room;

/// What a token says, by the ring that signed it.
pub(crate) fn read_token(ring: &KeyRing, token: &str) -> QueueToken {
    ring.verify_queue_token(token, &room(), clock::now()).unwrap()
}

/// What a ticket says, by the ring that signed it.
pub(crate) fn read_ticket(ring: &KeyRing, ticket: &str) -> AdmissionTicket {
    ring.verify_admission(ticket, &room(), clock::now()).unwrap()
}

/// A ticket that nobody was given, for `life` from now; negative lives ended in the past.
pub(crate) fn ticket(room: &RoomId, began: Timestamp, life: Duration) -> AdmissionTicket {
    let visitor = VisitorId::from_entropy(entropy::draw());
    AdmissionTicket {
        room: room.clone(),
        session: SessionId::new(visitor, began),
        issued_at: began,
        expires_at: began + life,
        epoch: Epoch::begin(began, None),
    }
}

/// A token that nobody was given.
pub(crate) fn token(room: &RoomId, issued_at: Timestamp, life: Duration) -> QueueToken {
    QueueToken {
        room: room.clone(),
        visitor: VisitorId::from_entropy(entropy::draw()),
        place: Place { epoch: Epoch::begin(issued_at, None), sequence: Sequence::new(1).unwrap() },
        joined: issued_at,
        issued_at,
        expires_at: issued_at + life,
    }
}
