//! Admissions that every replica has before they are answered.

use std::time::Duration;

use queue_core::store::{Claimed, Joined};

use super::ask::ask;
use super::gateway::{DEADLINE, Gateway, TOLERANCE};
use crate::support::redis_server::RedisServer;
use crate::support::wait::{eventually, measured};

/// A primary with a replica that follows it.
async fn with_replica() -> Option<(RedisServer, RedisServer)> {
    let primary = RedisServer::start_with(|port, _| {
        ["--port", &port.to_string(), "--repl-diskless-sync-delay", "0"].map(str::to_owned).into()
    })?;
    let of = format!("127.0.0.1 {}", primary.port());
    let replica =
        RedisServer::start_with(|port, _| ["--port", &port.to_string(), "--replicaof", &of].map(str::to_owned).into())?;
    let follows = async || {
        let info = ask(&primary, None, &["INFO", "replication"]).await;
        info.contains("state=online").then_some(())
    };
    eventually("a replica that follows", follows).await;
    Some((primary, replica))
}

/// How often each of these commands was carried out.
async fn calls<const N: usize>(server: &RedisServer, commands: [&str; N]) -> [u32; N] {
    let stats = ask(server, None, &["INFO", "commandstats"]).await;
    commands.map(|command| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    })
}

/// A replica stands still: nobody is let in, whoever joins gets a place and whoever claims is told "not yet", within the
/// deadline. When the replica goes on, the same visitor enters with the session that was begun then.
#[tokio::test]
async fn nobody_enters_before_the_replica_knows() {
    let Some((primary, replica)) = with_replica().await else { return };
    let mut gateway = Gateway::at(&primary.url());
    eventually("a room", async || gateway.open(1).await.ok()).await;
    let entered = eventually("an entry", async || match gateway.join(1).await {
        Ok(Joined::Admitted { session, .. }) => Some(session),
        _ => None,
    });
    entered.await;

    replica.freeze();
    let (joined, took) = measured(gateway.join(2)).await;
    assert!(took < DEADLINE + TOLERANCE, "{took:?}");
    let Ok(Joined::Unconfirmed { place, session: begun }) = joined else { panic!("not unconfirmed but {joined:?}") };
    for _ in 0..3 {
        gateway.pass(Duration::from_secs(1));
        let (claimed, took) = measured(gateway.claim(2, place)).await;
        assert!(matches!(claimed, Ok(Claimed::Unconfirmed(_))), "{claimed:?}");
        assert!(took < DEADLINE + TOLERANCE, "{took:?}");
        assert_eq!(gateway.join(2).await, Ok(Joined::Unconfirmed { place, session: begun }));
    }

    replica.thaw();
    gateway.pass(Duration::from_secs(1));
    let (session, _) = eventually("an entry", async || match gateway.claim(2, place).await {
        Ok(Claimed::Admitted(session)) => Some(session),
        _ => None,
    })
    .await;
    assert_eq!(session, begun, "another session than the one that was begun");
    assert_eq!(gateway.join(2).await, Ok(Joined::Admitted { place, session }));
    let [waits] = calls(&primary, ["wait"]).await;
    assert!(waits >= 5, "{waits}");
}

/// Without a replica an admission costs the one call that it is, and a replica that comes later is waited for.
#[tokio::test]
async fn a_single_server_pays_nothing() {
    let Some(server) = RedisServer::start() else { return };
    let mut gateway = Gateway::at(&server.url());
    eventually("a room", async || gateway.open(1).await.ok()).await;
    let entry = async || matches!(gateway.join(1).await, Ok(Joined::Admitted { .. })).then_some(());
    eventually("an entry", entry).await;
    let commands = ["evalsha", "eval", "set", "wait"];
    let before = calls(&server, commands).await;
    let (_, took) = measured(async {
        for _ in 0..500 {
            assert!(matches!(gateway.join(1).await, Ok(Joined::Admitted { .. })));
        }
    })
    .await;
    let mut expected = before;
    expected[0] += 500;
    assert_eq!(calls(&server, commands).await, expected, "{commands:?}");
    println!("500 admissions in {took:?}");
}

/// A replica that has gone holds up entries only until the server has noticed.
#[tokio::test]
async fn a_replica_that_has_gone_is_not_waited_for() {
    let Some((primary, replica)) = with_replica().await else { return };
    let mut gateway = Gateway::at(&primary.url());
    eventually("a room", async || gateway.open(1).await.ok()).await;
    drop(replica);
    let (_, took) = eventually("an entry", async || match gateway.join(1).await {
        Ok(Joined::Admitted { session, .. }) => Some(session),
        _ => None,
    })
    .await;
    assert!(took < Duration::from_secs(3), "{took:?}");
}
