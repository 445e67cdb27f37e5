//! The life of one accepted connection: served by hyper, cut when overdue, closed so that the last answer arrives.

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
use tokio::net::TcpStream;

use super::client::ClientConnection;
use super::exchange::{Served, answer};
use super::io::Watched;
use super::{Handler, ListenerLimits};
use crate::metrics::Rejection;

type Io = TokioIo<Watched<TcpStream>>;

/// hyper's settings for these limits. Headers are limited in number by hyper's default of 100, which is free; its own
/// header timer stays off, since the watch bounds the head of a request without a timer per request.
pub(super) fn http1(limits: &ListenerLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_header_size(limits.max_header_bytes).max_buf_size(limits.read_buffer_bytes);
    http
}

/// Serves `client` until it ends, and closes the socket.
pub(super) async fn run<H: Handler>(
    stream: TcpStream,
    client: Rc<ClientConnection>,
    http: Rc<http1::Builder>,
    handler: Rc<H>,
) {
    let service = service_fn(|request: Request<Incoming>| answer(Rc::clone(&handler), Rc::clone(&client), request));
    let mut connection = http.serve_connection(TokioIo::new(Watched::new(stream, Rc::clone(&client))), service);
    let mut closing = false;
    let end = std::future::poll_fn(|cx| poll(&mut connection, &client, &mut closing, cx)).await;
    let stream = connection.into_parts().io.into_inner().into_inner();
    close(stream, end, &client).await;
}

/// Why a connection is over.
enum End {
    Served(hyper::Result<()>),
    Overdue(Rejection),
}

fn poll<S>(
    connection: &mut http1::Connection<Io, S>,
    client: &ClientConnection,
    closing: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<End>
where
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

async fn close(stream: TcpStream, end: End, client: &ClientConnection) {
    match end {
        End::Overdue(Rejection::Header) if !client.is_writing() => {
            // A full socket buffer means nobody reads: then there is nobody to tell.
            let _ = stream.try_write(HEADER_TIMEOUT);
            linger(stream).await;
        }
        End::Overdue(_) => {}
        End::Served(Err(error)) if error.is_user() => {
            // The answer broke off on our side. A reset shows it even to those who take the end of the connection for
            // the end of the body.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        End::Served(Err(_)) => linger(stream).await,
        End::Served(Ok(())) if client.left_unread() => linger(stream).await,
        End::Served(Ok(())) => {}
    }
}

/// How much of what a client still sends is read and thrown away after the last answer, and for how long: closing with
/// unread bytes would reset the connection, and the reset can overtake the answer (RFC 9112, 9.6).
const LINGER_BYTES: usize = 256 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

async fn linger(mut stream: TcpStream) {
    let reading = async {
        stream.shutdown().await?;
        let mut scratch = vec![0; 8 * 1024];
        let mut rest = LINGER_BYTES;
        loop {
            match stream.read(&mut scratch).await? {
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
