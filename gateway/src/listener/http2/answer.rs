//! One HTTP/2 request and its answer, from the accepted stream to the last frame.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};

use super::super::Handler;
use super::super::exchange::Exchange;
use super::super::stream::{ClientStream, StreamEntry};
use super::request::{declared_length, has_padded_value, normalize};
use crate::body::{RequestBody, ResponseBody};

/// The most that is handed to h2 at once, in bytes: its usual frame.
const PIECE: usize = 16 * 1024;

/// Fields that HTTP/2 has no place for (RFC 9113, 8.2.2).
const OF_HTTP1: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Answers one request by the handler; ends early when the client takes it back or the sweep cuts it.
pub(super) async fn answer<H: Handler>(
    handler: &H,
    entry: &StreamEntry,
    mut request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let stream = entry.stream();
    if has_padded_value(request.headers()) {
        stream.connection().counts_reset(true);
        return respond.send_reset(Reason::PROTOCOL_ERROR);
    }
    normalize(&mut request);
    let declared = declared_length(request.headers_mut());
    let expects_continue = !request.body().is_end_stream() && request.headers().contains_key(header::EXPECT);
    let is_head = *request.method() == Method::HEAD;
    let mut exchange = Exchange::begin(stream, request.method().clone(), expects_continue);
    let limit = stream.connection().watch.limits.max_body_bytes;
    let request = request.map(|frames| RequestBody::frames(frames, declared, stream, limit));
    let reply = {
        let mut working = pin!(handler.handle(request, stream));
        let answered = poll_fn(|cx| {
            if is_given_up(stream, cx, |cx| respond.poll_reset(cx).is_ready()) {
                return Poll::Ready(None);
            }
            let polled = working.as_mut().poll(cx).map(Some);
            if stream.takes_continue() && polled.is_pending() {
                let mut go_on = Response::new(());
                *go_on.status_mut() = StatusCode::CONTINUE;
                // Fails only on a stream that is over, which the next look shows.
                let _ = respond.send_informational(go_on);
            }
            polled
        });
        answered.await
    };
    let Some(reply) = reply else {
        let client_left = stream.overdue().is_none();
        stream.connection().counts_reset(client_left);
        return respond.send_reset(Reason::CANCEL);
    };
    stream.connection().counts_reset(false);
    let (mut head, body) = reply.response.into_parts();
    let bodiless = exchange.answered(reply.kind, head.status, &body);
    complete_head(&mut head, &body, is_head, stream);
    match respond.send_response(Response::from_parts(head, ()), bodiless) {
        Ok(frames) if !bodiless => Sending { frames, stream, exchange: &mut exchange }.send(body).await,
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "an answer could not be sent"),
    }
}

/// Whether nobody waits for the answer any more; remembers whom to wake about it.
fn is_given_up(stream: &ClientStream, cx: &mut Context<'_>, was_reset: impl FnOnce(&mut Context<'_>) -> bool) -> bool {
    stream.note_waker(cx.waker());
    stream.overdue().is_some() || was_reset(cx)
}

/// Adds what hyper adds to an HTTP/1 answer, and removes what only HTTP/1 has.
fn complete_head(head: &mut http::response::Parts, body: &ResponseBody, is_head: bool, stream: &ClientStream) {
    for name in &OF_HTTP1 {
        head.headers.remove(name);
    }
    if !head.headers.contains_key(header::DATE) {
        head.headers.insert(header::DATE, stream.connection().watch.date());
    }
    // What an upstream left out of its answer to HEAD says nothing about the length of a GET.
    let length_is_known = !(is_head && body.is_end_stream());
    let may_have_body = !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if may_have_body
        && length_is_known
        && let Some(length) = body.size_hint().exact()
        && !head.headers.contains_key(header::CONTENT_LENGTH)
    {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
}

/// An answer's body on its way.
struct Sending<'s> {
    frames: SendStream<Bytes>,
    stream: &'s ClientStream,
    exchange: &'s mut Exchange,
}

/// Why an answer ends before its end.
enum Broken {
    /// The client does not want it any more, or takes it too slowly.
    Off(Reason),
    /// The upstream failed.
    Upstream,
}

impl Sending<'_> {
    async fn send(mut self, body: ResponseBody) {
        match self.pipe(body).await {
            Ok(()) => self.exchange.complete(),
            Err(Broken::Off(reason)) => self.frames.send_reset(reason),
            Err(Broken::Upstream) => {
                // A body that broke off is not the client's leaving.
                self.exchange.complete();
                self.frames.send_reset(Reason::INTERNAL_ERROR);
            }
        }
    }

    async fn pipe(&mut self, mut body: ResponseBody) -> Result<(), Broken> {
        let sent = |done: Result<(), h2::Error>| done.map_err(|_| Broken::Off(Reason::CANCEL));
        loop {
            let Some(frame) = poll_fn(|cx| self.poll_frame(&mut body, cx)).await? else {
                return sent(self.frames.send_data(Bytes::new(), true));
            };
            let mut data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    return sent(self.frames.send_trailers(trailers));
                }
            };
            let is_last = body.is_end_stream();
            self.exchange.sent(data.len());
            while !data.is_empty() {
                let wanted = data.len().min(PIECE);
                self.frames.reserve_capacity(wanted);
                let room = poll_fn(|cx| self.poll_room(cx)).await?;
                let piece = data.split_to(room.min(wanted));
                self.stream.wrote(piece.len());
                sent(self.frames.send_data(piece, is_last && data.is_empty()))?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn poll_frame(
        &mut self,
        body: &mut ResponseBody,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, Broken>> {
        if is_given_up(self.stream, cx, |cx| self.frames.poll_reset(cx).is_ready()) {
            return Poll::Ready(Err(Broken::Off(Reason::CANCEL)));
        }
        match ready!(Pin::new(body).poll_frame(cx)) {
            None => Poll::Ready(Ok(None)),
            Some(Ok(frame)) => Poll::Ready(Ok(Some(frame))),
            Some(Err(_)) => Poll::Ready(Err(Broken::Upstream)),
        }
    }

    /// How many bytes the client's window, and what h2 may hold, have room for; more than none.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
        if is_given_up(self.stream, cx, |_| false) {
            return Poll::Ready(Err(Broken::Off(Reason::CANCEL)));
        }
        loop {
            match self.frames.capacity() {
                0 => {}
                room => return Poll::Ready(Ok(room)),
            }
            self.stream.waits_for_window();
            match ready!(self.frames.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Broken::Off(Reason::CANCEL))),
            }
        }
    }
}
