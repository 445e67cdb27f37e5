//! An upstream's connection after a switch of protocols.

use bytes::Bytes;

use super::connection::Connection;
use super::pool::Held;
use super::shared::Permit;
use super::stream::UpstreamStream;

/// The upstream's end of a tunnel. It counts as one of the upstream's connections until it is dropped, which closes it.
#[derive(Debug)]
pub struct UpstreamTunnel {
    socket: UpstreamStream,
    early: Bytes,
    _shares: (Permit, Held),
}

impl UpstreamTunnel {
    pub(super) fn new(connection: Connection) -> Self {
        let (socket, early, shares) = connection.into_parts();
        Self { socket, early, _shares: shares }
    }

    /// What the upstream sent right behind its `101`; the first bytes of the tunnel.
    pub fn take_early(&mut self) -> Bytes {
        std::mem::take(&mut self.early)
    }

    /// The socket.
    pub const fn socket(&mut self) -> &mut UpstreamStream {
        &mut self.socket
    }
}
