//! What a page shows: plain values, as the position document has them.

/// The state of the room and the visitor, in the words of the position document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageState {
    /// Before the opening; the order is drawn later.
    Lobby,
    /// In line.
    Waiting,
    /// It is this visitor's turn, to be claimed.
    Called,
    /// Nobody is let in at the moment.
    Paused,
    /// No places are given; this visitor has none.
    Full,
    /// The room is closed; no places are given.
    Closed,
    /// The visitor's session is over.
    Ended,
    /// The visitor gave up the place: the answer to the leave form of a browser without scripts.
    Left,
}

/// Why a position grew, in the words of the position document's `moved`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MoveReason {
    /// Someone ahead came back to the place they had.
    Returned,
    /// People with priority joined ahead.
    Lane,
    /// An operator changed the order.
    Operator,
    /// The line was restored after a loss.
    Restored,
}

/// One visitor's waiting page.
#[derive(Clone, Copy, Debug)]
pub struct WaitingView<'a> {
    /// Name of the room, shown and used in the page's addresses.
    pub room: &'a str,
    /// What is going on.
    pub state: PageState,
    /// 1 + how many wait ahead; `None` while there is no place yet.
    pub position: Option<u64>,
    /// How many wait in all.
    pub line_length: Option<u64>,
    /// The estimated wait in seconds, p50 and p90; `None` while it is not known.
    pub estimate_seconds: Option<(u64, u64)>,
    /// When to ask again, in seconds (at least 1 is used). Without scripts the page reloads at this interval.
    pub poll_after_seconds: u64,
    /// How long a turn is held once offered, in seconds.
    pub claim_window_seconds: u64,
    /// When this was true: RFC 3339.
    pub updated_at: &'a str,
    /// When the visitor joined: RFC 3339.
    pub joined_at: Option<&'a str>,
    /// When the doors open: RFC 3339, shown in its own offset until a script knows the visitor's.
    pub opens_at: Option<&'a str>,
    /// Why the position is higher than the one shown before.
    pub moved: Option<MoveReason>,
    /// The store is away, so the figures may be old.
    pub degraded: bool,
    /// Calls are held after a loss of data.
    pub held: bool,
    /// The operator's words, as plain text.
    pub message: Option<&'a str>,
    /// Where "enter", "check now" and "join again" lead. Empty is the address of this page itself, which is right
    /// except where that address is not the guarded one (the answer to the leave form).
    pub entry: &'a str,
}

/// A page that says a request failed.
#[derive(Clone, Copy, Debug)]
pub struct ErrorView<'a> {
    /// The status of the answer; 429, 502, 503 and 504 have words of their own.
    pub status: u16,
    /// The seconds of the answer's `Retry-After`.
    pub retry_after_seconds: Option<u64>,
    /// The operator's words, as plain text.
    pub message: Option<&'a str>,
}

impl MoveReason {
    pub(super) fn key(self) -> &'static str {
        match self {
            MoveReason::Returned => "moved-returned",
            MoveReason::Lane => "moved-lane",
            MoveReason::Operator => "moved-operator",
            MoveReason::Restored => "moved-restored",
        }
    }
}
