//! A connection that is no HTTP any more: bytes both ways after a `101`, until either side, the session, the idle limit
//! or the drain ends it.

use std::future::Future as _;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;

use super::client::ClientConnection;
use super::io::Wire;
use crate::upstream::UpstreamTunnel;

/// The upstream's side of a tunnel to be.
#[derive(Debug)]
pub struct Tunnel {
    upstream: UpstreamTunnel,
}

impl Tunnel {
    /// A tunnel to this upstream, which has switched protocols.
    pub const fn new(upstream: UpstreamTunnel) -> Self {
        Self { upstream }
    }
}

/// Carries bytes until the tunnel is over. `early` is what the client sent right behind its request: it goes first, now
/// that the upstream has agreed.
pub(super) async fn run(mut wire: impl Wire, early: Bytes, client: &ClientConnection, mut tunnel: Tunnel) {
    client.becomes_tunnel();
    let _counted = Counted::new(client);
    let early_answer = tunnel.upstream.take_early();
    let upstream = tunnel.upstream.socket();
    let carrying = async {
        wire.write_all(&early_answer).await?;
        upstream.write_all(&early).await?;
        drop((early, early_answer));
        tokio::io::copy_bidirectional(&mut wire, upstream).await
    };
    let mut carrying = pin!(carrying);
    let ended = std::future::poll_fn(|cx| {
        client.note_waker(cx.waker());
        // A tunnel has no end of its own that a drain could wait for.
        if client.overdue().is_some() || client.answers_last() {
            return Poll::Ready(None);
        }
        carrying.as_mut().poll(cx).map(Some)
    })
    .await;
    if let Some(Err(error)) = ended {
        tracing::debug!(%error, "a tunnel broke");
    }
}

/// A tunnel in the gauge.
struct Counted<'c>(&'c ClientConnection);

impl<'c> Counted<'c> {
    fn new(client: &'c ClientConnection) -> Self {
        client.watch.metrics.tunnels.inc();
        Self(client)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.watch.metrics.tunnels.dec();
    }
}
