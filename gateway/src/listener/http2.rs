//! HTTP/2 on one connection, by the h2 crate: its streams are answered within the connection's own task.
//!
//! A piece of an answer is handed to h2 only once the client's window has room for it, so what cannot progress stays in
//! our hands: bounded by one piece a stream, and reset when it has stalled for too long.

mod answer;
mod request;

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream as _;
use futures_util::stream::FuturesUnordered;
use h2::server::{Builder, Connection};
use h2::{Reason, RecvStream};
use http::Request;

use super::client::ClientConnection;
use super::connection::unless_overdue;
use super::io::Wire;
use super::serve::Core;
use super::stream::ClientStream;
use super::{Handler, ListenerLimits};
use crate::metrics::Rejection;

/// Requests at once on one connection: a page's worth, and the bound on what one connection can make the gateway hold.
const MOST_STREAMS: u32 = 100;
/// What a client may send of one body before the gateway takes it, in bytes.
const STREAM_WINDOW: u32 = 64 * 1024;
/// The same over all streams of a connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What h2 holds of one answer that the socket has not taken, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
/// Requests taken back before they were looked at, after which the connection ends (CVE-2023-44487).
const MOST_UNSEEN_RESETS: usize = 20;
/// Streams that the client's faults made us reset, after which the connection ends (CVE-2025-8671).
const MOST_FAULTY_STREAMS: usize = 256;

/// h2's settings for these limits. Its own bounds on CONTINUATION, small DATA frames and remembered resets stay.
pub(super) fn builder(limits: &ListenerLimits) -> Builder {
    let mut http = Builder::new();
    http.max_concurrent_streams(MOST_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MOST_UNSEEN_RESETS)
        .max_local_error_reset_streams(Some(MOST_FAULTY_STREAMS));
    http
}

/// Serves `client` until it ends.
pub(super) async fn serve<W: Wire, H: Handler>(wire: W, client: Rc<ClientConnection>, core: Rc<Core<H>>) {
    match unless_overdue(&client, core.http2.handshake::<W, Bytes>(wire)).await {
        Some(Ok(connection)) => {
            let mut serving = Serving {
                connection,
                requests: FuturesUnordered::new(),
                open: |request, respond| {
                    let stream = ClientStream::open(&client);
                    let handler = Rc::clone(&core.handler);
                    async move { answer::answer(&*handler, &stream, request, respond).await }
                },
                client: &client,
                closing: false,
            };
            std::future::poll_fn(|cx| serving.poll(cx)).await;
        }
        Some(Err(error)) => tracing::debug!(%error, "no HTTP/2 connection"),
        None => {}
    }
}

/// A connection under way.
struct Serving<'c, W, O, F> {
    connection: Connection<W, Bytes>,
    requests: FuturesUnordered<F>,
    /// What answers a request.
    open: O,
    client: &'c ClientConnection,
    closing: bool,
}

impl<W, O, F> Serving<'_, W, O, F>
where
    W: Wire,
    O: Fn(Request<RecvStream>, h2::server::SendResponse<Bytes>) -> F,
    F: Future<Output = ()>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.client.note_waker(cx.waker());
        if let Some(reason) = self.client.overdue() {
            return self.cut(reason, cx);
        }
        if self.client.should_say_goodbye() && !self.closing {
            self.closing = true;
            self.connection.graceful_shutdown();
        }
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.requests.push((self.open)(request, respond)),
                Poll::Ready(Some(Err(error))) => {
                    self.tell(&error);
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        // What they send wakes this task again by way of h2.
        while Pin::new(&mut self.requests).poll_next(cx) == Poll::Ready(Some(())) {}
        Poll::Pending
    }

    /// Tells the client why, as far as its socket takes it at once.
    fn cut(&mut self, reason: Rejection, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.abrupt_shutdown(match reason {
            Rejection::Flood => Reason::ENHANCE_YOUR_CALM,
            _ => Reason::NO_ERROR,
        });
        let _ = self.connection.poll_closed(cx);
        Poll::Ready(())
    }

    fn tell(&self, error: &h2::Error) {
        tracing::debug!(peer = %self.client.remote(), %error, "an HTTP/2 connection broke");
        if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) {
            self.client.watch.metrics.rejected(Rejection::Flood);
        }
    }
}
