//! What the page shows in which phase: one table, for the template and for the page's script.

use super::view::{PageState, WaitingView};

/// An estimate (p90) below this is "almost your turn", in seconds.
const NEARLY_SECONDS: u64 = 120;

/// A phase of the page: the states of the position document, and those that only the page tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Lobby,
    Waiting,
    Nearly,
    Called,
    Admitted,
    Paused,
    Full,
    Closed,
    Ended,
    Left,
    Expired,
}

/// A part of the page that not every phase shows. The names are the ids of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Part {
    /// Opening time and countdown.
    Opening,
    /// Position, estimate, progress.
    Figures,
    /// What is good to know while waiting.
    Tips,
    /// Help and the way out.
    More,
}

impl Phase {
    pub(super) const ALL: [Phase; 11] = [
        Phase::Lobby,
        Phase::Waiting,
        Phase::Nearly,
        Phase::Called,
        Phase::Admitted,
        Phase::Paused,
        Phase::Full,
        Phase::Closed,
        Phase::Ended,
        Phase::Left,
        Phase::Expired,
    ];

    pub(super) fn of(view: &WaitingView<'_>) -> Self {
        match view.state {
            PageState::Lobby => Phase::Lobby,
            PageState::Waiting => match (view.position, view.estimate_seconds) {
                (Some(_), Some((_, p90))) if p90 < NEARLY_SECONDS => Phase::Nearly,
                _ => Phase::Waiting,
            },
            PageState::Called => Phase::Called,
            PageState::Paused => Phase::Paused,
            PageState::Full => Phase::Full,
            PageState::Closed => Phase::Closed,
            PageState::Ended => Phase::Ended,
            PageState::Left => Phase::Left,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Phase::Lobby => "lobby",
            Phase::Waiting => "waiting",
            Phase::Nearly => "nearly",
            Phase::Called => "called",
            Phase::Admitted => "admitted",
            Phase::Paused => "paused",
            Phase::Full => "full",
            Phase::Closed => "closed",
            Phase::Ended => "ended",
            Phase::Left => "left",
            Phase::Expired => "expired",
        }
    }

    pub(super) fn parts(self) -> &'static [Part] {
        match self {
            Phase::Lobby => &[Part::Opening, Part::Tips, Part::More],
            Phase::Waiting | Phase::Nearly | Phase::Paused => &[Part::Figures, Part::Tips, Part::More],
            Phase::Called => &[Part::More],
            Phase::Admitted | Phase::Full | Phase::Closed | Phase::Ended | Phase::Left | Phase::Expired => &[],
        }
    }

    pub(super) fn shows(self, part: Part) -> bool {
        self.parts().contains(&part)
    }

    /// Whether there is a button to press. Its label is the text `action-<phase>`.
    pub(super) fn has_action(self) -> bool {
        matches!(self, Phase::Called | Phase::Full | Phase::Closed | Phase::Ended | Phase::Left | Phase::Expired)
    }

    /// Whether looking again by itself can change anything: it must not rejoin for someone whose visit is over or
    /// who has just left.
    pub(super) fn refreshes(self) -> bool {
        matches!(self, Phase::Lobby | Phase::Waiting | Phase::Nearly | Phase::Called | Phase::Paused | Phase::Full)
    }
}
