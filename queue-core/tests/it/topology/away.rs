//! Servers that are not there: no call waits longer than its deadline, whatever happens to its bytes.

use std::time::Duration;

use queue_core::store::StoreError;
use tokio::net::TcpListener;

use super::gateway::{DEADLINE, Gateway, TOLERANCE};
use crate::support::redis_server::RedisServer;
use crate::support::wait::{eventually, measured};

async fn never_late(url: String) {
    let mut gateway = Gateway::at(&url);
    for _ in 0..20 {
        let (answer, took) = measured(gateway.open(1)).await;
        assert!(matches!(answer, Err(StoreError::Timeout | StoreError::Io(_))), "{answer:?}");
        assert!(took < DEADLINE + TOLERANCE, "{url}: {took:?}");
    }
}

/// A socket that accepts and never answers, one that does so instead of a Sentinel or a cluster, an address whose packets
/// are lost, and one that refuses: the deadline holds for the first call and for all after it.
#[tokio::test]
async fn a_black_hole_costs_no_more_than_the_deadline() {
    let hole = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hole = hole.local_addr().unwrap();
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    tokio::join!(
        never_late(format!("redis://{hole}")),
        never_late(format!("rediss://{hole}")),
        never_late(format!("redis+sentinel://{hole},{refusing}/mymaster")),
        never_late(format!("redis+cluster://{hole},{refusing}")),
        never_late(format!("rediss+cluster://{hole},{refusing}")),
        // Documentation addresses (RFC 5737) are routed nowhere.
        never_late("redis://192.0.2.1".to_owned()),
        never_late(format!("redis://{refusing}")),
    );
}

/// A server that stands still in mid-run: calls end at their deadline, and once it goes on it is used again.
#[tokio::test]
async fn a_server_that_stands_still() {
    let Some(server) = RedisServer::start() else { return };
    let mut gateway = Gateway::at(&server.url());
    eventually("a room", async || gateway.open(1).await.ok()).await;
    server.freeze();
    for _ in 0..20 {
        let (answer, took) = measured(gateway.join(1)).await;
        assert!(matches!(answer, Err(StoreError::Timeout | StoreError::Io(_))), "{answer:?}");
        assert!(took < DEADLINE + TOLERANCE, "{took:?}");
    }
    server.thaw();
    let (_, took) = eventually("a place", async || gateway.join(1).await.ok()).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}
