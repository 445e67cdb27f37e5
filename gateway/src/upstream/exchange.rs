//! One request over one connection, up to the head of its answer.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::UpstreamError;
use super::connection::Connection;
use crate::body::RequestBody;

/// An exchange that failed.
pub(super) enum Failure {
    /// Nothing of the request was written: it can go over another connection, whatever it is.
    Unsent(Box<Request<RequestBody>>, UpstreamError),
    /// The connection broke before the first byte of an answer.
    Unanswered(UpstreamError),
    /// Anything else.
    Final(UpstreamError),
}

/// Sends `request` and waits for the head of the answer, until the connection's timer ends it. Only a request that asked
/// for it may be answered by a switch of protocols.
///
/// The task that awaits this drives the connection. The answer's channel is therefore looked at right after each drive
/// and needs no waker of its own.
pub(super) async fn exchange(
    connection: &mut Connection,
    request: Request<RequestBody>,
) -> Result<Response<Incoming>, Failure> {
    let may_switch = request.headers().contains_key(http::header::UPGRADE);
    let mut answer = pin!(connection.sender.try_send_request(request));
    let noop = &mut Context::from_waker(Waker::noop());
    let outcome = poll_fn(|cx| {
        let over = connection.poll(cx).is_ready();
        if let Poll::Ready(answer) = answer.as_mut().poll(noop) {
            return Poll::Ready(answer.map_err(|mut error| match error.take_message() {
                Some(request) => Failure::Unsent(Box::new(request), UpstreamError::of_hyper(error.into_error())),
                None => failure(error.into_error()),
            }));
        }
        if over {
            return Poll::Ready(Err(Failure::Final(UpstreamError::Protocol(None))));
        }
        connection.timer.poll(cx).map(|()| Err(Failure::Final(UpstreamError::Timeout)))
    });
    let response = outcome.await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS && !may_switch {
        // Nobody asked for it: `Upgrade` is forwarded only with a ticket and on purpose. What follows on this connection is no HTTP.
        return Err(Failure::Final(UpstreamError::Protocol(None)));
    }
    Ok(response)
}

fn failure(error: hyper::Error) -> Failure {
    // An answer that began and broke off, or was no HTTP, is an answer: the request had its effect.
    let nothing_came = error.is_incomplete_message() || error.is_canceled() || error.is_closed() || is_io(&error);
    match UpstreamError::of_hyper(error) {
        error @ UpstreamError::Reset(_) if nothing_came => Failure::Unanswered(error),
        error => Failure::Final(error),
    }
}

fn is_io(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>())
}
