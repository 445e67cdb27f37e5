//! One server: passwords, databases, and servers that cannot be used.

use queue_core::store::{Joined, StoreError};

use super::ask::ask;
use super::gateway::Gateway;
use crate::support::redis_server::RedisServer;
use crate::support::wait::eventually;

fn with_options(port: u16, options: &[&str]) -> Vec<String> {
    ["--port", &port.to_string()].iter().chain(options).map(ToString::to_string).collect()
}

/// A server behind a password and on another database is used; a wrong password is told as what it is, and neither the
/// right nor the wrong one is ever shown.
#[tokio::test]
async fn a_password_and_a_database() {
    let Some(server) = RedisServer::start_with(|port, _| with_options(port, &["--requirepass", "p/w@1"])) else {
        return;
    };
    let mut gateway = Gateway::at(&format!("redis://:p/w@1@127.0.0.1:{}/3", server.port()));
    eventually("a room behind a password", async || gateway.open(1).await.ok()).await;
    assert!(matches!(gateway.join(1).await, Ok(Joined::Admitted { .. })));
    assert!(!format!("{:?}", gateway.store).contains("p/w@1"));

    let mut stranger = Gateway::at(&format!("redis://:hunter2@127.0.0.1:{}", server.port()));
    let (error, _) = eventually("the refusal", async || refusal(&mut stranger).await).await;
    assert!(error.contains("assword") && !error.contains("hunter2"), "{error}");
    let mut nobody = Gateway::at(&server.url());
    let (error, _) = eventually("the refusal", async || refusal(&mut nobody).await).await;
    assert!(error.contains("NOAUTH"), "{error}");
}

/// What the store says is wrong, once it is more than that the answer is not there yet.
async fn refusal(gateway: &mut Gateway) -> Option<String> {
    gateway.open(1).await.err().filter(|error| *error != StoreError::Timeout).map(|error| error.to_string())
}

/// A replica is refused with a word on what to do, and never written to.
#[tokio::test]
async fn a_replica_is_refused() {
    let Some(primary) = RedisServer::start() else { return };
    let of = format!("127.0.0.1 {}", primary.port());
    let Some(replica) = RedisServer::start_with(|port, _| with_options(port, &["--replicaof", &of])) else { return };
    let mut gateway = Gateway::at(&replica.url());
    let (error, _) = eventually("the refusal", async || refusal(&mut gateway).await).await;
    assert!(error.contains("it is a replica of 127.0.0.1:") && error.contains("redis+sentinel://"), "{error}");
}

/// A server that was restarted, and one that loses its connections, is used again without a restart of ours, and the call
/// that meets the dead connection is carried out on the next one.
#[tokio::test]
async fn a_lost_connection_is_replaced() {
    let Some(mut server) = RedisServer::start() else { return };
    let mut gateway = Gateway::at(&server.url());
    eventually("a room", async || gateway.open(1).await.ok()).await;
    server.kill();
    let error = gateway.join(1).await.unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error}");
    server.start_again();
    let (error, took) = eventually("an answer", async || match gateway.join(1).await {
        Err(StoreError::Io(_) | StoreError::Timeout) => None,
        other => Some(other),
    })
    .await;
    assert_eq!(error, Err(StoreError::Absent), "everything was lost");
    println!("an answer {took:?} after the restart");
}

/// A server that becomes a replica under us is not written to any more, and used again when it is a primary again.
#[tokio::test]
async fn a_server_that_loses_its_rank() {
    let (Some(server), Some(other)) = (RedisServer::start(), RedisServer::start()) else { return };
    let mut gateway = Gateway::at(&server.url());
    eventually("a room", async || gateway.open(1).await.ok()).await;
    assert_eq!(ask(&server, None, &["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await, "OK");
    let error = gateway.join(1).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly(_)), "{error}");
    let (error, _) = eventually("a word on it", async || {
        gateway.join(1).await.err().map(|error| error.to_string()).filter(|error| error.contains("is a replica of"))
    })
    .await;
    assert!(error.contains("redis+sentinel://"), "{error}");
    assert_eq!(ask(&server, None, &["REPLICAOF", "NO", "ONE"]).await, "OK");
    eventually("a room again", async || gateway.open(2).await.ok()).await;
}

/// Every operation on a Valkey, where one is installed. The whole suite runs on it with
/// `USHER_REDIS_SERVER=valkey-server`.
#[tokio::test]
async fn a_valkey() {
    let Some(server) = RedisServer::start_valkey() else { return };
    let mut gateway = Gateway::at(&server.url());
    eventually("a room", async || gateway.open(1).await.ok()).await;
    gateway.every_operation().await.unwrap();
}
