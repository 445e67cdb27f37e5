//! What can go wrong with an upstream: whose fault, which metric label, which status, and whether again can help.

use std::io;
use std::time::Duration;

use http::StatusCode;

use crate::body::BodyError;
use crate::problem::ProblemKind;

/// Why an exchange with an upstream failed. The text is for logs; clients see the [`ProblemKind`].
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection could be made.
    #[error("cannot connect to {endpoint}")]
    Connect {
        /// Host and port.
        endpoint: String,
        /// What the system said.
        source: io::Error,
    },
    /// No connection was made in time.
    #[error("connecting to {endpoint} took too long")]
    ConnectTimeout {
        /// Host and port.
        endpoint: String,
    },
    /// The head of the answer did not come in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer's body paused for too long.
    #[error("the answer stalled")]
    BodyTimeout,
    /// The answer was not whole in time, however steadily it came.
    #[error("the answer took too long as a whole")]
    TotalTimeout,
    /// The connection broke before the answer was whole. The request may have had an effect.
    #[error("the connection broke")]
    Reset(#[source] hyper::Error),
    /// No connection became free in time.
    #[error("no connection became free in time")]
    PoolWait,
    /// As many requests as allowed already wait for a connection.
    #[error("too many requests wait for a connection")]
    PoolFull,
    /// All endpoints are ejected: nobody is asked.
    #[error("all endpoints failed and are not asked for another {} ms", retry_after.as_millis())]
    Ejected {
        /// When the next may be tried.
        retry_after: Duration,
    },
    /// The upstream spoke something that is not HTTP/1.1, or switched protocols unasked.
    #[error("the answer is not valid HTTP")]
    Protocol(#[source] Option<hyper::Error>),
    /// The client's own body failed on its way to the upstream.
    #[error(transparent)]
    RequestBody(BodyError),
}

/// The `reason` label of `usher_upstream_errors_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum ErrorReason {
    /// No connection.
    Connect,
    /// Too slow.
    Timeout,
    /// Broken off.
    Reset,
    /// No free connection.
    PoolWait,
    /// Nobody to ask.
    Ejected,
    /// Not HTTP.
    Protocol,
    /// The client's body, not the upstream, failed.
    RequestBody,
}

impl ErrorReason {
    pub(crate) const ALL: [Self; 7] =
        [Self::Connect, Self::Timeout, Self::Reset, Self::PoolWait, Self::Ejected, Self::Protocol, Self::RequestBody];

    /// The label's value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::PoolWait => "pool_wait",
            Self::Ejected => "ejected",
            Self::Protocol => "protocol",
            Self::RequestBody => "request_body",
        }
    }
}

impl UpstreamError {
    /// The one table of consequences.
    const fn row(&self) -> (ErrorReason, ProblemKind) {
        match self {
            Self::Connect { .. } => (ErrorReason::Connect, ProblemKind::UpstreamUnavailable),
            Self::ConnectTimeout { .. } => (ErrorReason::Connect, ProblemKind::UpstreamTimeout),
            Self::Timeout | Self::BodyTimeout | Self::TotalTimeout => {
                (ErrorReason::Timeout, ProblemKind::UpstreamTimeout)
            }
            Self::Reset(_) => (ErrorReason::Reset, ProblemKind::UpstreamUnavailable),
            Self::PoolWait | Self::PoolFull => (ErrorReason::PoolWait, ProblemKind::UpstreamBusy),
            Self::Ejected { .. } => (ErrorReason::Ejected, ProblemKind::UpstreamDown),
            Self::Protocol(_) => (ErrorReason::Protocol, ProblemKind::UpstreamUnavailable),
            Self::RequestBody(BodyError::TooLarge { .. }) => (ErrorReason::RequestBody, ProblemKind::BodyTooLarge),
            Self::RequestBody(BodyError::TooSlow) => (ErrorReason::RequestBody, ProblemKind::RequestTimeout),
            Self::RequestBody(BodyError::Broken) => (ErrorReason::RequestBody, ProblemKind::BadRequest),
        }
    }

    /// The metric's reason.
    pub const fn reason(&self) -> ErrorReason {
        self.row().0
    }

    /// The metric's label, one of a fixed few.
    pub const fn label(&self) -> &'static str {
        self.reason().label()
    }

    /// What the client is told.
    pub const fn problem(&self) -> ProblemKind {
        self.row().1
    }

    /// The status of that.
    pub const fn status(&self) -> StatusCode {
        self.problem().status()
    }

    /// Whether it was the endpoint's fault, not the client's or the pool's.
    pub(super) const fn is_of_endpoint(&self) -> bool {
        // A long answer may be long because the client takes it slowly.
        !matches!(self, Self::TotalTimeout)
            && !matches!(self.reason(), ErrorReason::PoolWait | ErrorReason::Ejected | ErrorReason::RequestBody)
    }

    /// Sorts an error of hyper's client.
    pub(super) fn of_hyper(error: hyper::Error) -> Self {
        if error.is_parse() {
            return Self::Protocol(Some(error));
        }
        match body_error(&error) {
            Some(error) => Self::RequestBody(error),
            None => Self::Reset(error),
        }
    }
}

/// The error of the request's body, where that is what failed.
fn body_error(error: &hyper::Error) -> Option<BodyError> {
    std::error::Error::source(error)?.downcast_ref::<BodyError>().copied()
}
