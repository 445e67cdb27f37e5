//! A switchable relay in front of a Redis: how a gateway is cut off from its store, and how it is led from one server
//! to another, with nothing but `redis://` addresses.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::aside::Aside;
use crate::journey::usher::Reserved;

/// What the relay does with what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Passes it on.
    Open,
    /// Keeps it, both ways, and passes it on later: nothing is lost, everything is late.
    Held,
    /// Swallows it, both ways; new connections are taken and never answered.
    BlackHole,
    /// Closes what is open and refuses what is new.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Switch {
    flow: Flow,
    target: SocketAddr,
}

/// A relay and its switch.
pub(super) struct Relay {
    switch: watch::Sender<Switch>,
    address: SocketAddr,
    _aside: Aside,
}

impl Relay {
    pub(super) fn to(port: u16) -> Self {
        let reserved = Reserved::new();
        let address = reserved.address;
        let (switch, told) = watch::channel(Switch { flow: Flow::Open, target: local(port) });
        // Listening before anybody is told the address, or the first to connect would be refused.
        let (listening, listens) = std::sync::mpsc::channel();
        let aside = Aside::run("relay", move || async move {
            let mut first = Some(listen(reserved.address));
            let _ = listening.send(());
            loop {
                let listener = first.take().unwrap_or_else(|| listen(reserved.address));
                accept(listener, &told).await;
                if reached(&told, |switch| switch.flow != Flow::Refused).await.is_none() {
                    return;
                }
            }
        });
        listens.recv().unwrap();
        Self { switch, address, _aside: aside }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    pub(super) fn set(&self, flow: Flow) {
        self.switch.send_modify(|switch| switch.flow = flow);
    }

    /// Leads to another server from now on; what is open is closed.
    pub(super) fn lead_to(&self, port: u16) {
        self.switch.send_modify(|switch| switch.target = local(port));
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(128).unwrap()
}

/// Takes connections until they are to be refused.
async fn accept(listener: TcpListener, told: &watch::Receiver<Switch>) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted.map(|(stream, _)| stream),
            _ = reached(told, |switch| switch.flow == Flow::Refused) => return,
        };
        if let Ok(stream) = stream {
            tokio::spawn(relay(stream, told.clone()));
        }
    }
}

/// Waits until the switch stands so; `None` when nobody will move it any more.
async fn reached(told: &watch::Receiver<Switch>, so: impl FnMut(&Switch) -> bool) -> Option<Switch> {
    told.clone().wait_for(so).await.ok().map(|switch| *switch)
}

async fn relay(client: TcpStream, told: watch::Receiver<Switch>) {
    let target = told.borrow().target;
    let over = reached(&told, |switch| switch.flow == Flow::Refused || switch.target != target);
    let passing = async {
        reached(&told, |switch| matches!(switch.flow, Flow::Open | Flow::BlackHole)).await?;
        let server = TcpStream::connect(target).await.ok()?;
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = pass(from_client, to_server, &told) => {}
            () = pass(from_server, to_client, &told) => {}
        }
        Some(())
    };
    tokio::select! {
        _ = passing => {}
        _ = over => {}
    }
}

/// One direction, until either side ends or a hole in it would show.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, told: &watch::Receiver<Switch>) {
    let mut buffer = vec![0; 64 * 1024];
    let mut swallowed = false;
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            // What lost bytes cannot go on: the other side would wait for their answer for ever.
            _ = reached(told, |switch| switch.flow == Flow::Open), if swallowed => return,
        };
        let Ok(length @ 1..) = read else { return };
        let Some(switch) = reached(told, |switch| switch.flow != Flow::Held).await else { return };
        if switch.flow == Flow::BlackHole {
            swallowed = true;
        } else if swallowed || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journey::wait::eventually;
    use std::time::Duration;

    /// How long nothing must come for it to be nothing.
    const SILENCE: Duration = Duration::from_millis(200);

    /// A server that answers every byte with its name.
    async fn named(name: u8) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(
                    async move { while stream.read_u8().await.is_ok() && stream.write_u8(name).await.is_ok() {} },
                );
            }
        });
        port
    }

    /// The name that answers; `None` when the connection ends, or nothing comes.
    async fn answer(stream: &mut TcpStream) -> Option<u8> {
        let _ = stream.write_u8(b'?').await;
        heard(stream).await
    }

    async fn heard(stream: &mut TcpStream) -> Option<u8> {
        tokio::time::timeout(SILENCE, stream.read_u8()).await.ok()?.ok()
    }

    /// What a partition is made of does what it says: late is not lost, lost is not late, refused is refused, and a new
    /// way is a new connection.
    #[tokio::test]
    async fn does_as_it_is_told() {
        let (a, b) = (named(b'a').await, named(b'b').await);
        let relay = Relay::to(a);
        let mut first = TcpStream::connect(relay.address).await.unwrap();
        assert_eq!(answer(&mut first).await, Some(b'a'));
        relay.set(Flow::Held);
        assert_eq!(answer(&mut first).await, None);
        relay.set(Flow::Open);
        assert_eq!(heard(&mut first).await, Some(b'a'), "late, not lost");
        relay.set(Flow::BlackHole);
        assert_eq!(answer(&mut first).await, None);
        relay.set(Flow::Open);
        assert_eq!(first.read_u8().await.map_err(|error| error.kind()), Err(std::io::ErrorKind::UnexpectedEof), "lost");
        let mut second = TcpStream::connect(relay.address).await.unwrap();
        assert_eq!(answer(&mut second).await, Some(b'a'));
        relay.lead_to(b);
        assert_eq!(answer(&mut second).await, None, "the old way is closed");
        let mut third = TcpStream::connect(relay.address).await.unwrap();
        assert_eq!(answer(&mut third).await, Some(b'b'));
        relay.set(Flow::Refused);
        assert!(third.read_u8().await.is_err());
        let refused = async || {
            let error = TcpStream::connect(relay.address).await.err()?;
            (error.kind() == std::io::ErrorKind::ConnectionRefused).then_some(())
        };
        eventually("it refuses", refused).await;
        relay.set(Flow::Open);
        let listens = async || TcpStream::connect(relay.address).await.ok();
        let mut again = eventually("it listens again", listens).await;
        assert_eq!(answer(&mut again).await, Some(b'b'));
    }
}
