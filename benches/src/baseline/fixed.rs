//! `baseline fixed`: answers one fixed JSON document, as a poll would cost if it had nothing to find out.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use super::workers::Service;

/// A position document as the contract shows it.
pub const POSITION_DOCUMENT: &str = r#"{"room":"concert","state":"waiting","position":1234,"line_length":50035,"estimated_wait_seconds":{"p50":420,"p90":510},"poll_after_seconds":12,"joined_at":"2026-12-01T11:00:00.123Z","updated_at":"2026-12-01T11:03:09.500Z","degraded":false}"#;

/// Answers 200 and its document to everything.
#[derive(Clone, Debug)]
pub struct Fixed(pub Bytes);

impl Service for Fixed {
    type Body = Full<Bytes>;

    async fn answer(&self, _request: Request<Incoming>) -> Result<Response<Self::Body>, hyper::Error> {
        let mut response = Response::new(Full::new(self.0.clone()));
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}
