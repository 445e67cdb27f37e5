//! A request's body: streamed, limited, and never left behind unread on the connection (N21).

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::listener::ClientConnection;

/// Why a request's body ended early. It is always the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than allowed.
    #[error("the request body is longer than {limit} bytes")]
    TooLarge {
        /// The longest body allowed, in bytes.
        limit: u64,
    },
    /// Sent more slowly than the listener's pace allows.
    #[error("the request body came too slowly")]
    TooSlow,
    /// The client left, or its framing broke.
    #[error("the request body broke off")]
    Broken,
}

/// The body of one request. Dropping it unread is fine: what is left of it goes back to the connection, which drains
/// it to a bound or closes, so leftovers are never taken for the next request.
#[derive(Debug, Default)]
pub struct RequestBody {
    source: Option<Source>,
}

#[derive(Debug)]
struct Source {
    incoming: Incoming,
    client: Rc<ClientConnection>,
    /// Bytes that may still come.
    allowance: u64,
    limit: u64,
}

impl RequestBody {
    /// No body, for requests of the gateway's own.
    pub const fn empty() -> Self {
        Self { source: None }
    }

    /// The body of a request that came over `client`, at most `limit` bytes of it.
    pub(crate) fn incoming(incoming: Incoming, client: &Rc<ClientConnection>, limit: u64) -> Self {
        if incoming.is_end_stream() {
            return Self::empty();
        }
        let client = Rc::clone(client);
        Self { source: Some(Source { incoming, client, allowance: limit, limit }) }
    }

    /// Whether the declared length is already over the limit: refuse before anything is read.
    pub fn is_declared_too_large(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.incoming.size_hint().lower() > source.limit)
    }

    /// Whole body as one piece, for the gateway's own small documents.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] beyond `limit` bytes (or the connection's own limit), [`BodyError::Broken`] when the
    /// client leaves.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, BodyError> {
        let too_large = BodyError::TooLarge { limit: u64::try_from(limit).unwrap_or(u64::MAX) };
        let mut whole = bytes::BytesMut::new();
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            let Ok(data) = frame?.into_data() else { continue };
            if data.len() > limit.saturating_sub(whole.len()) {
                return Err(too_large);
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(&mut source.incoming).poll_frame(cx) else {
            if source.client.is_body_overdue() {
                // Nothing more is read: the connection closes after the answer.
                source.client.body_ended();
                self.source = None;
                return Poll::Ready(Some(Err(BodyError::TooSlow)));
            }
            source.client.waits_for_body();
            return Poll::Pending;
        };
        match frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                source.client.got_body(length);
                match source.allowance.checked_sub(length) {
                    Some(allowance) => source.allowance = allowance,
                    None => return Poll::Ready(Some(Err(BodyError::TooLarge { limit: source.limit }))),
                }
                if source.incoming.is_end_stream() {
                    source.client.body_ended();
                    self.source = None;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a request body broke off");
                source.client.body_ended();
                self.source = None;
                Poll::Ready(Some(Err(BodyError::Broken)))
            }
            None => {
                source.client.body_ended();
                self.source = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.as_ref().map_or(SizeHint::with_exact(0), |source| source.incoming.size_hint())
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            source.client.body_ended();
            source.client.leave_behind(source.incoming);
        }
    }
}
