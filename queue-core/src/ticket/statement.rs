//! What is stated.

use crate::{Epoch, Place, RoomId, SessionId, Timestamp, VisitorId};

/// The signed statement of a place: whoever holds it keeps the place. Its `jti` names visitor and place, so it is the
/// same in every token for that place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueToken {
    /// The room, claim `aud`.
    pub room: RoomId,
    /// Who waits, claim `sub`.
    pub visitor: VisitorId,
    /// Where, claims `place` and `epoch`.
    pub place: Place,
    /// When the visitor joined, claim `joined`: whole milliseconds.
    pub joined: Timestamp,
    /// When it was signed, claims `iat` and `nbf`: whole seconds, rounded down.
    pub issued_at: Timestamp,
    /// When it ends, claim `exp`: whole seconds, rounded down.
    pub expires_at: Timestamp,
}

/// The signed statement that somebody came while no place could be given. Its `jti` is the visitor: it is redeemed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionalToken {
    /// The room, claim `aud`.
    pub room: RoomId,
    /// Who came, claims `sub` and `jti`.
    pub visitor: VisitorId,
    /// When the visitor came, by shared time as far as it was known, claim `joined`: whole milliseconds.
    pub joined: Timestamp,
    /// When it was signed, claims `iat` and `nbf`: whole seconds, rounded down.
    pub issued_at: Timestamp,
    /// When it ends, claim `exp`: whole seconds, rounded down.
    pub expires_at: Timestamp,
}

/// The signed right to pass: one visitor's membership of the cohort for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionTicket {
    /// The room, claim `aud`.
    pub room: RoomId,
    /// The session, claim `jti`; its visitor is claim `sub`, the whole second of its start claim `nbf`.
    pub session: SessionId,
    /// When it was signed, claim `iat`: whole seconds, rounded down.
    pub issued_at: Timestamp,
    /// When the session ends, claim `exp`: whole seconds, rounded down so that no ticket outlives its slot.
    pub expires_at: Timestamp,
    /// The epoch it was issued in.
    pub epoch: Epoch,
}
