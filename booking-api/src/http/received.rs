//! A JSON document that was sent, read strictly.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;

/// The document as what it should be, and as it came, for the fingerprint of its key.
#[derive(Debug)]
pub(super) struct Received<T> {
    pub(super) document: T,
    pub(super) value: Value,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Received<T> {
    type Rejection = Problem;

    /// The type is demanded because a form on a foreign page can send anything but JSON.
    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::malformed("Send the document as application/json."));
        }
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
            _ => Problem::malformed("The document did not arrive whole."),
        })?;
        let value: Value = serde_json::from_slice(&body).map_err(|_| Problem::malformed("That is not JSON."))?;
        let document = T::deserialize(&value).map_err(|error| Problem::invalid("", error.to_string()))?;
        Ok(Self { document, value })
    }
}
