//! The `Idempotency-Key` header.

use axum::extract::FromRequestParts;
use http::HeaderName;
use http::request::Parts;

use super::problem::Problem;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_LENGTH: usize = 255;

/// A key, if one was sent.
#[derive(Debug)]
pub(super) struct SentKey(pub(super) Option<String>);

impl SentKey {
    /// The key, where there must be one.
    pub(super) fn required(self) -> Result<String, Problem> {
        self.0.ok_or_else(Problem::key_missing)
    }
}

impl<S: Sync> FromRequestParts<S> for SentKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut sent = parts.headers.get_all(HEADER).iter();
        let Some(key) = sent.next() else { return Ok(Self(None)) };
        let key = key.to_str().unwrap_or_default();
        if key.is_empty() || key.len() > MAX_LENGTH || sent.next().is_some() {
            return Err(Problem::key_missing());
        }
        Ok(Self(Some(key.to_owned())))
    }
}
