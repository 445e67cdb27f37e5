//! RFC 9457 problems: the one table of what is refused, under which status and type.

use std::borrow::Cow;

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::body::ResponseBody;

/// `Content-Type` of a problem document.
pub const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Every `type` starts with this; it is relative to the gateway's own origin, under the reserved prefix.
const TYPE_BASE: &str = "/_usher/problems";

/// Kinds of refusals. The suffix of a type is part of the contract: clients tell `/queued` from `/rate-limited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// It is not this visitor's turn yet.
    Queued,
    /// Too many requests; a place in line is not touched by it.
    RateLimited,
    /// The room is closed.
    RoomClosed,
    /// The room was closed while this visitor waited.
    RoomGone,
    /// The line holds as many as it may.
    LineFull,
    /// A queue token that does not verify.
    BadToken,
    /// Credentials that do not suffice for what was asked.
    Forbidden,
    /// No connection to the upstream, or a broken one.
    UpstreamUnavailable,
    /// The upstream failed so often that it is not asked for a while.
    UpstreamDown,
    /// The upstream, or a place in its pool, was busy for too long.
    UpstreamBusy,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The request cannot be understood, or not in one way only.
    BadRequest,
    /// Nothing is here.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// Another version of the protocol to switch to is needed.
    UpgradeRequired,
    /// The host is not one this gateway serves.
    Misdirected,
    /// The request's body came too slowly.
    RequestTimeout,
    /// The request's body is longer than allowed.
    BodyTooLarge,
    /// The decision could not be made: the answer is no.
    StoreUnavailable,
    /// The gateway is about to stop and takes no newcomers.
    Draining,
    /// A fault of the gateway itself.
    Internal,
}

/// One row of the table.
struct Row {
    status: StatusCode,
    suffix: &'static str,
    title: &'static str,
}

impl ProblemKind {
    const fn row(self) -> Row {
        let (status, suffix, title) = match self {
            Self::Queued => (StatusCode::TOO_MANY_REQUESTS, "/queued", "You are in line"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "/rate-limited", "Too many requests"),
            Self::RoomClosed => (StatusCode::SERVICE_UNAVAILABLE, "/room-closed", "The room is closed"),
            Self::RoomGone => (StatusCode::GONE, "/room-closed", "The room is closed"),
            Self::LineFull => (StatusCode::SERVICE_UNAVAILABLE, "/line-full", "The line is full"),
            Self::BadToken => (StatusCode::UNAUTHORIZED, "/bad-token", "The token is not valid"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "/forbidden", "Not allowed"),
            Self::UpstreamUnavailable => {
                (StatusCode::BAD_GATEWAY, "/upstream-unavailable", "The service behind the gateway cannot be reached")
            }
            Self::UpstreamDown => (
                StatusCode::SERVICE_UNAVAILABLE,
                "/upstream-unavailable",
                "The service behind the gateway cannot be reached",
            ),
            Self::UpstreamBusy => {
                (StatusCode::SERVICE_UNAVAILABLE, "/upstream-busy", "The service behind the gateway is busy")
            }
            Self::UpstreamTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "/upstream-timeout", "The service behind the gateway did not answer")
            }
            Self::BadRequest => (StatusCode::BAD_REQUEST, "/bad-request", "The request cannot be understood"),
            Self::NotFound => (StatusCode::NOT_FOUND, "/not-found", "Nothing is here"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "/method-not-allowed", "Method not allowed"),
            Self::UpgradeRequired => {
                (StatusCode::UPGRADE_REQUIRED, "/upgrade-required", "Another version of the protocol is needed")
            }
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, "/misdirected", "This host is not served here"),
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "/request-timeout", "The request came too slowly"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "/body-too-large", "The request body is too large"),
            Self::StoreUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "/store-unavailable", "The line cannot be read at the moment")
            }
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "/draining", "The gateway is about to restart"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "/internal", "The gateway failed"),
        };
        Row { status, suffix, title }
    }

    /// The HTTP status of the kind.
    pub const fn status(self) -> StatusCode {
        self.row().status
    }

    /// The last segment of the type with its slash, for example `/queued`.
    pub const fn suffix(self) -> &'static str {
        self.row().suffix
    }

    /// The whole type: a relative URI reference.
    pub fn type_uri(self) -> String {
        [TYPE_BASE, self.suffix()].concat()
    }
}

/// One refusal as a document.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(skip)]
    kind: ProblemKind,
    #[serde(rename = "type")]
    type_uri: String,
    title: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'static, str>>,
    #[serde(flatten)]
    members: Map<String, Value>,
    #[serde(skip)]
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// A problem of this kind without detail.
    pub fn new(kind: ProblemKind) -> Self {
        let row = kind.row();
        Self {
            kind,
            type_uri: kind.type_uri(),
            title: row.title,
            status: row.status.as_u16(),
            detail: None,
            members: Map::new(),
            retry_after_seconds: None,
        }
    }

    /// What happened this time, in words for the client. Never a secret, never an inner error.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The `Retry-After` of the answer, in whole seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Adds the members of `document`, a position document for example. The five standard members cannot be
    /// overwritten; what is not an object adds nothing.
    #[must_use]
    pub fn members(mut self, document: &impl Serialize) -> Self {
        const STANDARD: [&str; 5] = ["type", "title", "status", "detail", "instance"];
        if let Ok(Value::Object(members)) = serde_json::to_value(document) {
            self.members.extend(members.into_iter().filter(|(name, _)| !STANDARD.contains(&name.as_str())));
        }
        self
    }

    /// When to come back, in whole seconds.
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after_seconds
    }

    /// Which kind it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The answer: status of the kind, `Cache-Control: no-store`, `Retry-After` where given.
    pub fn into_response(self) -> Response<ResponseBody> {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(ResponseBody::full(body));
        *response.status_mut() = self.kind.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<ProblemKind> for Problem {
    fn from(kind: ProblemKind) -> Self {
        Self::new(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients tell waiting from rate limiting by the end of the type: the suffixes are a promise.
    #[test]
    fn types_end_as_promised() {
        assert!(ProblemKind::Queued.type_uri().ends_with("/queued"));
        assert!(ProblemKind::RateLimited.type_uri().ends_with("/rate-limited"));
        assert_eq!(ProblemKind::Queued.status(), ProblemKind::RateLimited.status());
    }

    /// A position document travels inside the problem and cannot change what the problem is.
    #[test]
    fn members_join_but_do_not_overwrite() {
        let document = serde_json::json!({"position": 7, "status": 200, "type": "about:blank"});
        let problem = Problem::new(ProblemKind::Queued).members(&document).detail("Please wait.");
        let shown = serde_json::to_value(&problem).unwrap();
        assert_eq!(shown["position"], 7);
        assert_eq!(shown["status"], 429);
        assert_eq!(shown["type"], "/_usher/problems/queued");
        assert_eq!(shown["detail"], "Please wait.");
    }

    /// Refusals are never cached and say when to come back.
    #[test]
    fn answers_carry_their_headers() {
        let response = Problem::new(ProblemKind::RateLimited).retry_after(3).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "3");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
