//! Connections that are open and lead nowhere, as after a host or a firewall has vanished.

use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::gateway::Gateway;
use crate::support::redis_server::RedisServer;
use crate::support::wait::eventually;

/// Passes bytes on to a server, until the connections that are open then are made to lead nowhere.
struct Relay {
    port: u16,
    severed: watch::Sender<u32>,
}

impl Relay {
    async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (severed, watching) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                let mut watching = watching.clone();
                watching.mark_unchanged();
                tokio::spawn(async move {
                    let mut to = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut from, &mut to) => {}
                        // Both stay open, and nobody reads or writes.
                        _ = watching.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, severed }
    }

    fn sever(&self) {
        self.severed.send_modify(|times| *times += 1);
    }
}

/// A connection that leaves a call and then a question unanswered is replaced, while nothing has told that it is gone.
#[tokio::test]
async fn a_connection_that_leads_nowhere_is_replaced() {
    let Some(server) = RedisServer::start() else { return };
    let relay = Relay::before(server.port()).await;
    let mut gateway = Gateway::at(&format!("redis://127.0.0.1:{}", relay.port));
    eventually("a room", async || gateway.open(1).await.ok()).await;
    relay.sever();
    let (_, took) = eventually("a place", async || gateway.join(1).await.ok()).await;
    println!("a connection that led nowhere was replaced after {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}
