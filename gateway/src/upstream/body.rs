//! An answer's body on its way: it holds its connection until the last byte, then returns it to the pool.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::UpstreamError;
use super::connection::Connection;
use super::pool::{Busy, Pool};
use super::tunnel::UpstreamTunnel;
use crate::clock::{self, Instant};
use crate::forward;

/// The body of an upstream's answer. Dropping it unfinished closes the connection.
pub struct UpstreamBody {
    incoming: Incoming,
    /// Until the answer is whole.
    held: Option<Held>,
}

/// A connection at work and the pool it belongs to.
struct Held {
    connection: Box<Connection>,
    pool: Rc<Pool>,
    busy: Busy,
    /// Whether the timer runs for the pause under way.
    pausing: bool,
    /// When the answer has to be whole.
    until: Instant,
}

impl UpstreamBody {
    /// The body of an answer whose head has come over `connection`. Where the whole answer came with its head, the
    /// connection is free again already.
    pub(super) fn new(
        incoming: Incoming,
        connection: Box<Connection>,
        pool: Rc<Pool>,
        busy: Busy,
        until: Instant,
    ) -> Self {
        let switches = connection.switches;
        let whole = connection.sender.is_ready();
        let mut body = Self { incoming, held: Some(Held { connection, pool, busy, pausing: false, until }) };
        if !switches && (whole || body.incoming.is_end_stream()) {
            body.finish();
        }
        body
    }

    /// The connection of an answer that switches protocols; `None` for any other.
    pub(crate) fn into_tunnel(mut self) -> Option<UpstreamTunnel> {
        let Held { connection, busy, .. } = self.held.take()?;
        busy.finish();
        Some(UpstreamTunnel::new(*connection))
    }

    /// Whether nothing more is waited for.
    pub(crate) const fn is_whole(&self) -> bool {
        self.held.is_none()
    }

    /// The answer is whole: the connection goes back, unless it is not fit for another exchange.
    fn finish(&mut self) {
        let Some(Held { mut connection, pool, busy, .. }) = self.held.take() else { return };
        busy.finish();
        // The end of the body is read; one more drive lets hyper note that nothing else is to come.
        if connection.sender.is_ready() || connection.is_ready() {
            pool.put_back(connection);
        }
    }

    /// The answer broke off: counted, and the connection closed.
    fn fail(&mut self, error: UpstreamError) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        if let Some(Held { pool, busy, .. }) = self.held.take() {
            busy.failed(&error);
            pool.upstream().metrics.failed(error.reason());
        }
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = UpstreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let this = &mut *self;
        // Bytes come out of `incoming` only after the connection was driven, so this task's waker belongs there.
        let noop = &mut Context::from_waker(Waker::noop());
        if this.held.as_ref().is_some_and(|held| held.until <= clock::monotonic()) {
            return this.fail(UpstreamError::TotalTimeout);
        }
        let mut frame = Pin::new(&mut this.incoming).poll_frame(noop);
        if frame.is_pending()
            && let Some(held) = &mut this.held
        {
            let over = held.connection.poll(cx).is_ready();
            frame = Pin::new(&mut this.incoming).poll_frame(noop);
            if frame.is_pending() {
                if over {
                    return this.fail(UpstreamError::Protocol(None));
                }
                return this.poll_pause(cx);
            }
            held.pausing = false;
        }
        let Poll::Ready(frame) = frame else { return Poll::Pending };
        match frame {
            Some(Err(error)) => this.fail(UpstreamError::of_hyper(error)),
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    forward::trailers_from_upstream(trailers);
                }
                if this.incoming.is_end_stream() || frame.is_trailers() {
                    this.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            None => {
                this.finish();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl UpstreamBody {
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UpstreamError>>> {
        let Some(held) = &mut self.held else { return Poll::Pending };
        if !held.pausing {
            held.pausing = true;
            let pause_ends = clock::monotonic() + held.pool.upstream().settings.body_timeout;
            held.connection.timer.arm(pause_ends.min(held.until));
        }
        match held.connection.timer.poll(cx) {
            Poll::Ready(()) if held.until <= clock::monotonic() => self.fail(UpstreamError::TotalTimeout),
            Poll::Ready(()) => self.fail(UpstreamError::BodyTimeout),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").field("size_hint", &self.size_hint()).finish_non_exhaustive()
    }
}
