//! One request and its answer: counted from head to last byte, on every path.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::Handler;
use super::stream::ClientStream;
use crate::body::{RequestBody, ResponseBody};
use crate::clock::{self, Instant};
use crate::metrics::{AbortPhase, RequestKind};
use crate::upstream::UpstreamError;

/// Answers one HTTP/1 request of hyper's by the handler.
pub(super) async fn answer<H: Handler>(
    handler: Rc<H>,
    stream: Rc<ClientStream>,
    request: Request<Incoming>,
) -> Result<Response<Served>, Infallible> {
    // hyper itself says `100 Continue` once the body is asked for.
    let mut exchange = Exchange::begin(&stream, request.method().clone(), false);
    let client = stream.connection();
    let limit = client.watch.limits.max_body_bytes;
    let has_body = !request.body().is_end_stream();
    let expects_continue = has_body && request.headers().contains_key(header::EXPECT);
    let request = request.map(|incoming| RequestBody::incoming(incoming, &stream, limit));
    let mut reply = handler.handle(request, &stream).await;
    if has_body {
        client.settle_leftover(expects_continue);
    }
    if client.answers_last() && reply.response.status() != StatusCode::SWITCHING_PROTOCOLS {
        reply.response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    exchange.answered(reply.kind, reply.response.status(), reply.response.body());
    Ok(reply.response.map(|body| Served { body, exchange }))
}

/// A request under way. Dropping it in any state counts what has to be counted.
#[derive(Debug)]
pub(super) struct Exchange {
    stream: Rc<ClientStream>,
    method: Method,
    began: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The handler works on it.
    Asked,
    /// The answer's body is on its way.
    Answering(RequestKind),
    /// The answer's last byte was handed over, or broke off on our side.
    Complete(RequestKind),
}

impl Exchange {
    pub(super) fn begin(stream: &Rc<ClientStream>, method: Method, expects_continue: bool) -> Self {
        stream.exchange_began(expects_continue);
        stream.connection().watch.metrics.in_flight.inc();
        Self { stream: Rc::clone(stream), method, began: clock::monotonic(), state: State::Asked }
    }

    /// The answer's head is there. Returns whether no body follows it on the wire.
    pub(super) fn answered(&mut self, kind: RequestKind, status: StatusCode, body: &ResponseBody) -> bool {
        self.stream.connection().watch.metrics.answered(&self.method, status);
        let bodiless = body.is_end_stream()
            || self.method == Method::HEAD
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        self.state = if bodiless { State::Complete(kind) } else { State::Answering(kind) };
        bodiless
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.stream.connection().watch.metrics.body_out.inc_by(bytes as u64);
    }

    pub(super) fn complete(&mut self) {
        if let State::Answering(kind) = self.state {
            self.state = State::Complete(kind);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let metrics = &self.stream.connection().watch.metrics;
        metrics.in_flight.dec();
        match self.state {
            State::Asked => metrics.aborted(self.stream.abort_phase()),
            State::Answering(_) => metrics.aborted(AbortPhase::Body),
            State::Complete(_) => {}
        }
        if let State::Answering(kind) | State::Complete(kind) = self.state {
            metrics.took(kind, clock::monotonic().duration_since(self.began));
        }
        self.stream.exchange_ended();
    }
}

/// An answer's body with its exchange, which ends with it.
#[derive(Debug)]
pub(super) struct Served {
    body: ResponseBody,
    exchange: Exchange,
}

impl Body for Served {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.exchange.sent(data.len());
                }
                if self.body.is_end_stream() || frame.is_trailers() {
                    self.exchange.complete();
                }
            }
            // A body that broke off is not the client's leaving.
            Some(Err(_)) | None => self.exchange.complete(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
