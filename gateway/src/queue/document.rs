//! The position document: what people and programs read.

use queue_core::Timestamp;
use queue_core::pacing::Estimate;
use serde::{Serialize, Serializer};

use super::whole_seconds;

/// How a visitor stands with a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Before the opening.
    Lobby,
    /// In the line.
    Waiting,
    /// It is this visitor's turn.
    Called,
    /// In.
    Admitted,
    /// The session is over.
    Ended,
    /// An operator stopped the calls.
    Paused,
    /// The line has its greatest length; said of the room, not of anyone in it.
    Full,
    /// The room is closed.
    Closed,
}

/// Why a position is higher than the one shown before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moved {
    /// Somebody ahead who had fallen silent came back to the old place.
    Returned,
    /// The line was restored after a loss of data.
    Restored,
}

/// A wait between its median and its ninetieth percentile, whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EstimatedWait {
    /// Half of the visitors wait no longer.
    pub p50: u64,
    /// Nine in ten visitors wait no longer.
    pub p90: u64,
}

impl From<Estimate> for EstimatedWait {
    fn from(estimate: Estimate) -> Self {
        Self { p50: whole_seconds(estimate.p50), p90: whole_seconds(estimate.p90) }
    }
}

/// What people and programs read about their place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PositionDocument<'a> {
    /// The room's name.
    pub room: &'a str,
    /// How the visitor stands.
    pub state: State,
    /// 1 + how many still wait ahead; `null` when there is none.
    pub position: Option<u64>,
    /// How many wait.
    pub line_length: u32,
    /// How long it will take; `null` while nobody is called.
    pub estimated_wait_seconds: Option<EstimatedWait>,
    /// When to ask again, whole seconds.
    pub poll_after_seconds: u64,
    /// When the visitor joined.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "instant")]
    pub joined_at: Option<Timestamp>,
    /// When this was true.
    #[serde(serialize_with = "text")]
    pub updated_at: Timestamp,
    /// The store is away or calls are held: this is the last that is known.
    pub degraded: bool,
    /// The queue token, where it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The admission ticket, once admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// When the session ends.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "instant")]
    pub session_ends_at: Option<Timestamp>,
    /// When the room opens, in the lobby.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "instant")]
    pub opens_at: Option<Timestamp>,
    /// The operator's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'a str>,
    /// Why the position is higher than the one last shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
}

fn text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[expect(clippy::ref_option, reason = "serde hands the field by reference")]
fn instant<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other people's programs read these members by these names.
    #[test]
    fn reads_as_the_contract_says() {
        let document = PositionDocument {
            room: "concert",
            state: State::Waiting,
            position: Some(1_234),
            line_length: 50_035,
            estimated_wait_seconds: Some(EstimatedWait { p50: 420, p90: 510 }),
            poll_after_seconds: 12,
            joined_at: Some(Timestamp::from_millis(1_796_122_800_123)),
            updated_at: Timestamp::from_millis(1_796_122_989_500),
            degraded: false,
            token: None,
            ticket: None,
            session_ends_at: None,
            opens_at: None,
            message: None,
            moved: None,
        };
        assert_eq!(
            serde_json::to_string(&document).unwrap(),
            r#"{"room":"concert","state":"waiting","position":1234,"line_length":50035,"estimated_wait_seconds":{"p50":420,"p90":510},"poll_after_seconds":12,"joined_at":"2026-12-01T11:00:00.123Z","updated_at":"2026-12-01T11:03:09.500Z","degraded":false}"#
        );
    }
}
