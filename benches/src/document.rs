//! The waiting room's answers as a visitor reads them.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use crate::http::Answer;

/// Where a visitor stands, as the room says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Before an opening.
    Lobby,
    /// In line.
    Waiting,
    /// It is this visitor's turn, and there is no slot yet.
    Called,
    /// In.
    Admitted,
    /// The session is over.
    Ended,
    /// Nobody is called at the moment.
    Paused,
    /// The line is full.
    Full,
    /// The room is closed.
    Closed,
    /// A word the crowd does not know.
    #[serde(other)]
    Unknown,
}

/// The position document.
#[derive(Clone, Debug, Deserialize)]
pub struct Position {
    /// Where the visitor stands.
    pub state: State,
    /// 1 + how many wait ahead.
    #[serde(default)]
    pub position: Option<u64>,
    /// When to ask again, seconds.
    #[serde(default)]
    pub poll_after_seconds: Option<f64>,
    /// The queue token.
    #[serde(default)]
    pub token: Option<String>,
    /// The admission ticket.
    #[serde(default)]
    pub ticket: Option<String>,
    /// Why the position grew.
    #[serde(default)]
    pub moved: Option<String>,
    /// The store is away; the position is the last one known.
    #[serde(default)]
    pub degraded: bool,
}

impl Position {
    /// When to ask again; `fallback` when the room does not say.
    pub fn poll_after(&self, fallback: Duration) -> Duration {
        let told = self.poll_after_seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        told.map_or(fallback, |seconds| Duration::from_secs_f64(seconds.min(3_600.0)))
    }
}

/// What an answer of the waiting room means.
#[derive(Clone, Debug)]
pub enum Word {
    /// A position document, whatever the status it came with.
    Position(Box<Position>),
    /// Too many requests: come back then.
    RateLimited(Duration),
    /// The room is closed or full, and said so.
    Refused(State),
    /// The token was not accepted.
    BadToken,
    /// The server failed.
    Failed(StatusCode),
    /// Not the waiting room's word: the booking API's answer, or one the contract does not know.
    Other(StatusCode),
}

/// How long to wait after a refusal that does not say.
const RETRY_WHEN_NOT_TOLD: Duration = Duration::from_secs(1);

impl Word {
    /// Reads an answer of a `/_usher/` path, or the refusal of a guarded one.
    pub fn of(answer: &Answer) -> Self {
        let position = || answer.json::<Position>().map(Box::new);
        match answer.status {
            StatusCode::OK | StatusCode::CREATED => position().map_or(Self::Other(answer.status), Self::Position),
            StatusCode::TOO_MANY_REQUESTS => match (position(), problem(answer)) {
                (Some(position), _) => Self::Position(position),
                // In line again, though the room does not say where: no use in asking the same again.
                (None, Some(kind)) if kind.ends_with("/queued") => Self::Other(answer.status),
                _ => Self::RateLimited(answer.retry_after().unwrap_or(RETRY_WHEN_NOT_TOLD)),
            },
            StatusCode::GONE => Self::Refused(State::Closed),
            StatusCode::UNAUTHORIZED => Self::BadToken,
            StatusCode::SERVICE_UNAVAILABLE => match position().map(|position| position.state) {
                Some(state @ (State::Full | State::Closed | State::Paused)) => Self::Refused(state),
                _ => match problem(answer) {
                    Some(kind) if kind.ends_with("full") => Self::Refused(State::Full),
                    Some(kind) if kind.ends_with("closed") => Self::Refused(State::Closed),
                    _ => Self::Failed(answer.status),
                },
            },
            status if status.is_server_error() => Self::Failed(status),
            status => Self::Other(status),
        }
    }
}

/// The `type` of a problem document (RFC 9457).
pub fn problem(answer: &Answer) -> Option<String> {
    #[derive(Deserialize)]
    struct Problem {
        r#type: String,
    }
    answer.json::<Problem>().map(|problem| problem.r#type)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;

    fn word(status: u16, body: &str) -> Word {
        let (sent, answered) = (Moment::START, Moment::START);
        let status = StatusCode::from_u16(status).unwrap();
        let headers = [("retry-after", "3")].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Word::of(&Answer {
            status,
            headers: headers.into_iter().collect(),
            body: body.to_owned().into(),
            sent,
            answered,
        })
    }

    /// One status means several things; taken for another, a visitor would ask for ever or give up too early.
    #[test]
    fn reads_refusals_by_their_type() {
        let queued = r#"{"type":"https://x/queued","state":"waiting","position":3,"poll_after_seconds":2.5}"#;
        let Word::Position(position) = word(429, queued) else { panic!("a position") };
        assert_eq!((position.state, position.position), (State::Waiting, Some(3)));
        assert_eq!(position.poll_after(Duration::ZERO), Duration::from_millis(2_500));
        assert!(matches!(word(429, r#"{"type":"https://x/queued"}"#), Word::Other(_)));
        let limited = word(429, r#"{"type":"https://x/rate-limited"}"#);
        assert!(matches!(limited, Word::RateLimited(wait) if wait == Duration::from_secs(3)), "{limited:?}");
        assert!(matches!(word(503, r#"{"type":"https://x/line-full"}"#), Word::Refused(State::Full)));
        assert!(matches!(word(503, ""), Word::Failed(_)));
        assert!(matches!(word(410, ""), Word::Refused(State::Closed)));
        assert!(matches!(word(401, ""), Word::BadToken));
        assert!(
            matches!(word(200, r#"{"state":"dancing"}"#), Word::Position(position) if position.state == State::Unknown)
        );
    }
}
