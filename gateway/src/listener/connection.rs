//! The life of one accepted connection: whose it is, TLS, then HTTP until it ends or is cut.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::client::{ClientConnection, Protocol};
use super::io::Watched;
use super::serve::{Core, Speaks};
use super::{Handler, http1, http2, proxy_header};
use crate::metrics::{HandshakeFailure, Rejection};

/// What ALPN calls HTTP/2 (RFC 9113, 3.2).
const ALPN_HTTP2: &[u8] = b"h2";

/// Serves `client` until it ends, and closes the socket.
pub(super) async fn run<H: Handler>(mut stream: TcpStream, client: Rc<ClientConnection>, core: Rc<Core<H>>) {
    if let Some(balancers) = &core.settings.proxy_protocol {
        client.expects_proxy_header();
        match unless_overdue(&client, proxy_header::read(&mut stream, client.remote(), balancers)).await {
            Some(Ok(named)) => client.is_of(named),
            Some(Err(error)) => {
                tracing::debug!(peer = %client.remote(), %error, "no usable PROXY protocol header");
                client.watch.metrics.rejected(Rejection::ProxyHeader);
                return;
            }
            None => return,
        }
    }
    let wire = Watched::new(stream, Rc::clone(&client));
    match &core.settings.speaks {
        Speaks::Http1 => {
            client.expects_requests(Protocol::Http1);
            http1::serve(wire, client, core).await;
        }
        // Boxed, so that a connection of plain HTTP/1 is not as large as the largest of these.
        Speaks::Http2 => {
            client.expects_requests(Protocol::Http2);
            Box::pin(http2::serve(wire, client, core)).await;
        }
        Speaks::Tls(tls) => Box::pin(over_tls(TlsAcceptor::from(tls.clone()), wire, client, core)).await,
    }
}

async fn over_tls<H: Handler>(
    acceptor: TlsAcceptor,
    wire: Watched<TcpStream>,
    client: Rc<ClientConnection>,
    core: Rc<Core<H>>,
) {
    client.expects_handshake();
    let wire = match unless_overdue(&client, acceptor.accept(wire)).await {
        Some(Ok(wire)) => wire,
        Some(Err(error)) => {
            let closed = matches!(
                error.kind(),
                std::io::ErrorKind::UnexpectedEof
                    | std::io::ErrorKind::ConnectionReset
                    | std::io::ErrorKind::BrokenPipe
            );
            tracing::debug!(peer = %client.remote(), %error, "a TLS handshake failed");
            let reason = if closed { HandshakeFailure::Closed } else { HandshakeFailure::Tls };
            return client.watch.metrics.handshake_failed(reason);
        }
        None => return client.watch.metrics.handshake_failed(HandshakeFailure::Timeout),
    };
    // What is spoken is what the client agreed to, never what its bytes look like.
    if wire.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2) {
        client.expects_requests(Protocol::Http2);
        http2::serve(wire, client, core).await;
    } else {
        client.expects_requests(Protocol::Http1);
        http1::serve(wire, client, core).await;
    }
}

/// The outcome of `work`; `None` when the sweep cut the connection first.
pub(super) async fn unless_overdue<T>(client: &ClientConnection, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        client.note_waker(cx.waker());
        if client.overdue().is_some() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    })
    .await
}
