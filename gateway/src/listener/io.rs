//! The socket, watched: reads and writes are reported to the connection's clockwork.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::client::ClientConnection;

/// A stream whose progress and pauses its [`ClientConnection`] hears of.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    client: Rc<ClientConnection>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, client: Rc<ClientConnection>) -> Self {
        Self { stream, client }
    }

    fn report(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.client.waits_to_write(),
            Poll::Ready(Ok(bytes)) => self.client.wrote(bytes),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

/// A client's byte stream, in cleartext or over TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// The socket underneath.
    fn socket(&self) -> &TcpStream;
}

impl Wire for Watched<TcpStream> {
    fn socket(&self) -> &TcpStream {
        &self.stream
    }
}

impl Wire for TlsStream<Watched<TcpStream>> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0.socket()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.client.got_bytes();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.report(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.report(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
