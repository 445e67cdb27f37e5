//! A request's body: streamed, limited, and never left behind unread on the connection (N21).

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::forward;
use crate::listener::ClientStream;

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
    wire: Wire,
    stream: Rc<ClientStream>,
    /// Bytes that may still come.
    allowance: u64,
    limit: u64,
}

/// Where the bytes come from.
#[derive(Debug)]
enum Wire {
    Http1(Incoming),
    Http2 {
        frames: RecvStream,
        /// Of the length that was declared, the bytes still to come; h2 holds the client to it.
        declared: Option<u64>,
    },
}

/// What one look at the wire brought.
type Look = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

impl Wire {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Look {
        match self {
            Self::Http1(incoming) => Pin::new(incoming).poll_frame(cx).map(|frame| frame.map(whole)),
            Self::Http2 { frames, declared } => {
                match ready!(frames.poll_data(cx)) {
                    Some(Ok(data)) => {
                        // What was taken makes room for as much; who takes it next holds it back by not asking.
                        let _ = frames.flow_control().release_capacity(data.len());
                        *declared = declared.map(|declared| declared.saturating_sub(data.len() as u64));
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(broken(&error)))),
                    None => {}
                }
                match ready!(frames.poll_trailers(cx)) {
                    Ok(trailers) => Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers)))),
                    Err(error) => Poll::Ready(Some(Err(broken(&error)))),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2 { frames, .. } => frames.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(incoming) => incoming.size_hint(),
            Self::Http2 { declared, .. } => declared.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

fn whole(frame: Result<Frame<Bytes>, hyper::Error>) -> Result<Frame<Bytes>, BodyError> {
    frame.map_err(|error| broken(&error))
}

fn broken(error: &impl std::error::Error) -> BodyError {
    tracing::debug!(%error, "a request body broke off");
    BodyError::Broken
}

impl RequestBody {
    /// No body, for requests of the gateway's own.
    pub const fn empty() -> Self {
        Self { source: None }
    }

    /// The body of an HTTP/1 request that came over `stream`, at most `limit` bytes of it.
    pub(crate) fn incoming(incoming: Incoming, stream: &Rc<ClientStream>, limit: u64) -> Self {
        Self::of(Wire::Http1(incoming), stream, limit)
    }

    /// The body of an HTTP/2 request that came over `stream` and declared this length, at most `limit` bytes of it.
    pub(crate) fn frames(frames: RecvStream, declared: Option<u64>, stream: &Rc<ClientStream>, limit: u64) -> Self {
        Self::of(Wire::Http2 { frames, declared }, stream, limit)
    }

    fn of(wire: Wire, stream: &Rc<ClientStream>, limit: u64) -> Self {
        if wire.is_end_stream() {
            return Self::empty();
        }
        Self { source: Some(Source { wire, stream: Rc::clone(stream), allowance: limit, limit }) }
    }

    /// Whether the declared length is already over the limit: refuse before anything is read.
    pub fn is_declared_too_large(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.wire.size_hint().lower() > source.limit)
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
        let Poll::Ready(frame) = source.wire.poll_frame(cx) else {
            if source.stream.is_body_overdue() {
                // Nothing more is read: an HTTP/1 connection closes after the answer, an HTTP/2 stream is reset.
                source.stream.body_ended();
                self.source = None;
                return Poll::Ready(Some(Err(BodyError::TooSlow)));
            }
            source.stream.waits_for_body();
            return Poll::Pending;
        };
        match frame {
            Some(Ok(mut frame)) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                source.stream.got_body(length);
                match source.allowance.checked_sub(length) {
                    Some(allowance) => source.allowance = allowance,
                    None => return Poll::Ready(Some(Err(BodyError::TooLarge { limit: source.limit }))),
                }
                if let Some(trailers) = frame.trailers_mut() {
                    forward::trailers_to_upstream(trailers);
                }
                if source.wire.is_end_stream() {
                    source.stream.body_ended();
                    self.source = None;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            ended => {
                source.stream.body_ended();
                self.source = None;
                Poll::Ready(ended)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.as_ref().map_or(SizeHint::with_exact(0), |source| source.wire.size_hint())
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(source) = self.source.take() {
            source.stream.body_ended();
            // HTTP/2 resets what nobody reads.
            if let Wire::Http1(incoming) = source.wire {
                source.stream.leave_behind(incoming);
            }
        }
    }
}
