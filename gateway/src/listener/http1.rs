//! HTTP/1 on one connection, served by hyper; closed so that the last answer arrives.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::client::ClientConnection;
use super::exchange::{Served, answer};
use super::io::Wire;
use super::serve::Core;
use super::stream::ClientStream;
use super::{Handler, ListenerLimits, tunnel};
use crate::metrics::Rejection;

/// hyper's settings for these limits. Headers are limited in number by hyper's default of 100, which is free; its own
/// header timer stays off, since the watch bounds the head of a request without a timer per request.
pub(super) fn builder(limits: &ListenerLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_header_size(limits.max_header_bytes).max_buf_size(limits.read_buffer_bytes);
    http
}

/// Serves `client` until it ends, and closes the wire.
pub(super) async fn serve<W: Wire, H: Handler>(wire: W, client: Rc<ClientConnection>, core: Rc<Core<H>>) {
    let entry = ClientStream::open(&client);
    let stream = entry.stream();
    let service = service_fn(|request: Request<Incoming>| answer(Rc::clone(&core.handler), Rc::clone(stream), request));
    let mut connection = core.http1.serve_connection(TokioIo::new(wire), service);
    let mut closing = false;
    let end = std::future::poll_fn(|cx| poll(&mut connection, &client, &mut closing, cx)).await;
    let parts = connection.into_parts();
    let wire = parts.io.into_inner();
    match (end, stream.take_tunnel()) {
        // A socket that has not taken the whole head has lost the rest of it with hyper's buffer: no tunnel then.
        (End::Served(Ok(())), Some(tunnel)) if !client.is_writing() => {
            Box::pin(tunnel::run(wire, parts.read_buf, &client, *tunnel)).await;
        }
        (end, _) => close(wire, end, &client).await,
    }
}

/// Why a connection is over.
enum End {
    Served(hyper::Result<()>),
    Overdue(Rejection),
}

fn poll<W, S>(
    connection: &mut http1::Connection<TokioIo<W>, S>,
    client: &ClientConnection,
    closing: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<End>
where
    W: Wire,
    S: HttpService<Incoming, ResBody = Served, Error = std::convert::Infallible>,
{
    client.note_waker(cx.waker());
    if let Some(reason) = client.overdue() {
        return Poll::Ready(End::Overdue(reason));
    }
    if let Poll::Ready(result) = Pin::new(&mut *connection).poll(cx) {
        return Poll::Ready(End::Served(result));
    }
    client.poll_leftover(cx);
    if client.should_close() && !*closing {
        *closing = true;
        Pin::new(&mut *connection).graceful_shutdown();
        return Pin::new(connection).poll(cx).map(End::Served);
    }
    Poll::Pending
}

/// The answer to a head that took too long, where nothing else is being sent.
const HEADER_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

async fn close(wire: impl Wire, end: End, client: &ClientConnection) {
    match end {
        // A full socket buffer means nobody reads: then there is nobody to tell.
        End::Overdue(Rejection::Header) if !client.is_writing() => linger(wire, HEADER_TIMEOUT).await,
        End::Overdue(Rejection::Session) => reset(&wire),
        End::Overdue(_) => {}
        // The answer broke off on our side.
        End::Served(Err(error)) if error.is_user() => reset(&wire),
        End::Served(Err(_)) => linger(wire, b"").await,
        End::Served(Ok(())) if client.left_unread() => linger(wire, b"").await,
        End::Served(Ok(())) => {}
    }
}

/// A reset shows that an answer broke off even to those who take the end of the connection for the end of the body.
fn reset(wire: &impl Wire) {
    let _ = SockRef::from(wire.socket()).set_linger(Some(Duration::ZERO));
}

/// How much of what a client still sends is read and thrown away after the last answer, and for how long: closing with
/// unread bytes would reset the connection, and the reset can overtake the answer (RFC 9112, 9.6).
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

async fn linger(mut wire: impl Wire, last_words: &'static [u8]) {
    let reading = async {
        wire.write_all(last_words).await?;
        wire.shutdown().await?;
        let mut scratch = vec![0; 8 * 1024];
        let mut rest = LINGER_BYTES;
        loop {
            match wire.read(&mut scratch).await? {
                0 => return Ok::<_, std::io::Error>(()),
                read => match rest.checked_sub(read) {
                    Some(left) => rest = left,
                    None => return Ok(()),
                },
            }
        }
    };
    // Whether the client closed, broke or outlasted the wait: the socket is dropped either way.
    let _ = tokio::time::timeout(LINGER_TIME, reading).await;
}
