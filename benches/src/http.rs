//! The crowd's own HTTP client: few keep-alive connections for many visitors, every answer with its moments.

mod pool;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::clock::Moment;

pub use pool::{BadUrl, Pool, Target};

/// A request is given up after this long, waiting for a free connection not counted: longer than every timeout of a
/// gateway (`response_timeout` 10 s), so that it is the gateway that answers.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// The longest answer that is read; the seat map of 5,000 seats is well below it.
pub const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// One request, which may be sent more than once.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Fields besides `host`, `content-length` and `content-type`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// A JSON body.
    pub body: Option<Bytes>,
}

impl Ask {
    /// A GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: None }
    }

    /// A POST without body.
    pub fn post(path: impl Into<String>) -> Self {
        Self { method: Method::POST, path: path.into(), headers: Vec::new(), body: None }
    }

    /// With a field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, value: &serde_json::Value) -> Self {
        self.body = Some(Bytes::from(value.to_string()));
        self
    }
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// The whole body, at most [`MAX_ANSWER_BYTES`].
    pub body: Bytes,
    /// When the request was handed to the connection.
    pub sent: Moment,
    /// When the last byte of the answer was there.
    pub answered: Moment,
}

impl Answer {
    /// The body as JSON; `None` when it is something else.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A field as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// `Retry-After` in seconds.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// Nothing, or not everything, within [`REQUEST_DEADLINE`].
    #[error("no complete answer within {} s", REQUEST_DEADLINE.as_secs())]
    Deadline,
    /// The connection broke or the answer was not HTTP.
    #[error("broken exchange: {0}")]
    Broken(#[from] hyper::Error),
    /// The body broke off or was longer than [`MAX_ANSWER_BYTES`].
    #[error("broken answer: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// The request cannot be written.
    #[error("not a request: {0}")]
    Request(#[from] http::Error),
}
