//! `baseline origin`: a small upstream, so that the proxy in front of it is what is measured.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use super::workers::Service;

/// Answers 200 and a line of text to everything.
#[derive(Clone, Copy, Debug)]
pub struct Origin;

impl Service for Origin {
    type Body = Full<Bytes>;

    async fn answer(&self, _request: Request<Incoming>) -> Result<Response<Self::Body>, hyper::Error> {
        let mut response = Response::new(Full::from("A seat, a seat, my kingdom for a seat.\n"));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }
}
