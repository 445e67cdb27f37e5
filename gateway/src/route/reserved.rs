//! The gateway's own paths.

use queue_core::RoomId;

use super::RoomIndex;

/// Under this prefix every path is the gateway's own, on every host.
pub const RESERVED_PREFIX: &str = "/_usher/";

/// What a path under [`RESERVED_PREFIX`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// `/_usher/{room}/join`
    Join(RoomIndex),
    /// `/_usher/{room}/position`
    Position(RoomIndex),
    /// `/_usher/{room}/leave`
    Leave(RoomIndex),
    /// `/_usher/{room}/events`
    Events(RoomIndex),
    /// `/_usher/{room}`
    State(RoomIndex),
    /// `/_usher/{room}/draw`
    Draw(RoomIndex),
    /// `/_usher/jwks.json`
    Jwks,
    /// Nothing that exists.
    Unknown,
}

impl Reserved {
    /// What a canonical path is about; `None` when it is not reserved. Rooms are found by `room`.
    pub(super) fn parse(path: &str, room: impl Fn(&str) -> Option<RoomIndex>) -> Option<Self> {
        if !is_reserved(path) {
            return None;
        }
        let rest = path.get(RESERVED_PREFIX.len()..).unwrap_or_default();
        let (name, action) = match rest.split_once('/') {
            Some((name, action)) => (name, Some(action)),
            None => (rest, None),
        };
        if name == "jwks.json" && action.is_none() {
            return Some(Self::Jwks);
        }
        // Longer names are not worth a look-up.
        let room = if name.len() <= RoomId::MAX_LENGTH { room(name) } else { None };
        Some(match (room, action) {
            (None, _) => Self::Unknown,
            (Some(room), None) => Self::State(room),
            (Some(room), Some("join")) => Self::Join(room),
            (Some(room), Some("position")) => Self::Position(room),
            (Some(room), Some("leave")) => Self::Leave(room),
            (Some(room), Some("events")) => Self::Events(room),
            (Some(room), Some("draw")) => Self::Draw(room),
            (Some(_), Some(_)) => Self::Unknown,
        })
    }
}

/// Whether a canonical path is the gateway's own. Another case of the prefix is too: it must not reach an upstream.
pub(super) fn is_reserved(path: &str) -> bool {
    let bare = RESERVED_PREFIX.trim_end_matches('/');
    let start = path.get(..bare.len()).is_some_and(|start| start.eq_ignore_ascii_case(bare));
    start && matches!(path.as_bytes().get(bare.len()), None | Some(b'/'))
}
