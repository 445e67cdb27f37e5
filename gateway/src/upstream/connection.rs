//! One connection to an upstream, driven by whoever holds it.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use super::UpstreamError;
use super::pool::Held;
use super::settings::UpstreamSettings;
use super::shared::Permit;
use super::stream::UpstreamStream;
use super::timer::LazyTimer;
use crate::body::RequestBody;
use crate::clock::Instant;

/// An open connection, boxed since it changes hands several times per exchange. Dropping it closes it and gives its permit back.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<RequestBody>,
    driver: http1::Connection<TokioIo<UpstreamStream>, RequestBody>,
    pub(super) timer: LazyTimer,
    /// Index of its endpoint.
    pub(super) endpoint: usize,
    /// It has carried an exchange before: the upstream may be about to close it.
    pub(super) is_reused: bool,
    /// Its last answer was a switch to another protocol: it carries no other exchange.
    pub(super) switches: bool,
    shares: (Permit, Held),
}

impl Connection {
    pub(super) async fn new(
        stream: UpstreamStream,
        endpoint: usize,
        shares: (Permit, Held),
        settings: &UpstreamSettings,
        now: Instant,
    ) -> Result<Box<Self>, UpstreamError> {
        let mut http = http1::Builder::new();
        http.max_header_size(settings.max_header_bytes).max_buf_size(settings.read_buffer_bytes);
        let (sender, driver) = http.handshake(TokioIo::new(stream)).await.map_err(UpstreamError::of_hyper)?;
        let timer = LazyTimer::new(now + settings.response_timeout);
        Ok(Box::new(Self { sender, driver, timer, endpoint, is_reused: false, switches: false, shares }))
    }

    /// Moves bytes both ways; ready when the connection is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What went wrong reaches the exchange by its own channel.
        Pin::new(&mut self.driver).poll(cx).map(|_| ())
    }

    /// The socket after a switch of protocols, what the upstream sent right behind its answer, and what is to be held as
    /// long as the socket is open.
    pub(super) fn into_parts(self) -> (UpstreamStream, Bytes, (Permit, Held)) {
        let parts = self.driver.into_parts();
        (parts.io.into_inner(), parts.read_buf, self.shares)
    }

    /// Takes note of what has happened to the socket, without waiting for more.
    ///
    /// Returns whether it can carry an exchange.
    pub(super) fn is_ready(&mut self) -> bool {
        let over = self.poll(&mut Context::from_waker(Waker::noop())).is_ready();
        !over && self.sender.is_ready()
    }
}
