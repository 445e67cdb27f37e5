//! Sentinels: a fail-over is noticed at once, and what was demoted is not written to.

use std::net::TcpListener;
use std::time::Duration;

use queue_core::store::{Joined, RedisAddress};

use super::ask::ask;
use super::gateway::{Gateway, settings};
use crate::support::redis_server::RedisServer;
use crate::support::wait::eventually;

const NAME: &str = "mymaster";

/// A primary, its replica, and three Sentinels that know all of them.
struct Watched {
    primary: RedisServer,
    replica: RedisServer,
    sentinels: Vec<RedisServer>,
}

impl Watched {
    /// `None` where there is no Redis.
    async fn start() -> Option<Self> {
        let server = |more: Vec<String>| {
            RedisServer::start_with(move |port, _| {
                let own =
                    ["--port", &port.to_string(), "--requirepass", "data", "--masterauth", "data"].map(str::to_owned);
                own.into_iter()
                    .chain(["--repl-diskless-sync-delay".to_owned(), "0".to_owned()])
                    .chain(more.clone())
                    .collect()
            })
        };
        let primary = server(Vec::new())?;
        let replica = server(vec!["--replicaof".to_owned(), format!("127.0.0.1 {}", primary.port())])?;
        let info = async || ask(&replica, Some("data"), &["INFO", "replication"]).await;
        eventually("a replica", async || info().await.contains("master_link_status:up").then_some(())).await;
        let sentinels = (0..3).map(|_| sentinel(primary.port())).collect::<Option<Vec<_>>>()?;
        let watched = Self { primary, replica, sentinels };
        watched.are_ready().await;
        Some(watched)
    }

    /// Waits until every Sentinel knows the replica and the two others.
    async fn are_ready(&self) {
        for sentinel in &self.sentinels {
            let known = async || ask(sentinel, Some("watch"), &["SENTINEL", "MASTER", NAME]).await;
            let all = async || {
                let known = known().await;
                (known.contains("num-slaves 1") && known.contains("num-other-sentinels 2")).then_some(())
            };
            eventually("a Sentinel that knows all others", all).await;
        }
    }

    fn gateway(&self) -> Gateway {
        self.gateway_that_knows_also(None)
    }

    /// One with a Sentinel in its list that accepts connections and never answers.
    fn gateway_that_knows_also(&self, hole: Option<u16>) -> Gateway {
        let known = self.sentinels.iter().map(RedisServer::port);
        let hosts: Vec<_> = hole.into_iter().chain(known).map(|port| format!("127.0.0.1:{port}")).collect();
        let mut address = RedisAddress::parse(&format!("redis+sentinel://:data@{}/{NAME}", hosts.join(","))).unwrap();
        let login = queue_core::store::Login { user: None, password: Some("watch".to_owned().into()) };
        assert!(address.log_in_at_sentinels(login));
        Gateway::with(settings(address))
    }
}

fn sentinel(primary: u16) -> Option<RedisServer> {
    RedisServer::start_with(|port, dir| {
        let file = dir.join("sentinel.conf");
        let lines = [
            format!("port {port}"),
            "requirepass watch".to_owned(),
            format!("sentinel monitor {NAME} 127.0.0.1 {primary} 2"),
            format!("sentinel auth-pass {NAME} data"),
            format!("sentinel down-after-milliseconds {NAME} 500"),
            format!("sentinel failover-timeout {NAME} 3000"),
            "sentinel sentinel-pass watch".to_owned(),
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        vec![file.to_str().unwrap().to_owned(), "--sentinel".to_owned()]
    })
}

/// The primary is killed: the store is used again through the replica that took its place, without a restart of ours, soon
/// after the Sentinels have agreed, and whoever was let in before still is. The old one comes back as an empty primary and
/// is not written to.
#[tokio::test]
async fn a_killed_primary_is_replaced() {
    let Some(mut watched) = Watched::start().await else { return };
    // The first Sentinel is always the one on the host that has died too.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gateway = watched.gateway_that_knows_also(Some(hole.local_addr().unwrap().port()));
    eventually("a room", async || gateway.open(1).await.ok()).await;
    let (admitted, _) = eventually("an admission that the replica has", async || match gateway.join(1).await {
        Ok(joined @ Joined::Admitted { .. }) => Some(joined),
        _ => None,
    })
    .await;
    // At once: what was answered must not need time to become true.
    watched.primary.kill();
    let promoted = async || {
        let role = ask(&watched.replica, Some("data"), &["ROLE"]).await;
        role.starts_with("master").then_some(())
    };
    let (((), elected), (joined, again)) = tokio::join!(
        eventually("another primary", promoted),
        eventually("a join", async || gateway.join(2).await.ok())
    );
    println!("promoted {elected:?} after the kill, joined {again:?} after it: {joined:?}");
    assert!(again < elected + Duration::from_secs(3), "promoted after {elected:?}, joined only after {again:?}");

    assert_eq!(gateway.join(1).await, Ok(admitted), "the session is lost");

    // For some seconds, until the Sentinels have told it otherwise, it takes itself for the primary.
    watched.primary.start_again();
    let mut newcomer = watched.gateway();
    eventually("a join of a newcomer", async || newcomer.join(3).await.ok()).await;
    for number in 4..24 {
        gateway.join(number).await.unwrap();
    }
    assert_eq!(calls(&watched.primary).await, None, "a call went to the old primary");
}

/// An operator moves the primary's rank to the replica: the gateway follows, nobody's place is lost, and what was the
/// primary gets no further calls.
#[tokio::test]
async fn a_fail_over_by_hand_is_followed() {
    let Some(watched) = Watched::start().await else { return };
    let mut gateway = watched.gateway();
    eventually("a room", async || gateway.open(1).await.ok()).await;
    let mut places = Vec::new();
    for number in 1..10 {
        places.push(gateway.join(number).await.unwrap());
    }
    let replicated = async || {
        let offset = ask(&watched.primary, Some("data"), &["WAIT", "1", "100"]).await;
        (offset == "1").then_some(())
    };
    eventually("a replica with all places", replicated).await;
    assert_eq!(ask(&watched.sentinels[0], Some("watch"), &["SENTINEL", "FAILOVER", NAME]).await, "OK");
    let promoted = async || {
        let named = ask(&watched.sentinels[0], Some("watch"), &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).await;
        named.ends_with(&watched.replica.port().to_string()).then_some(())
    };
    let (_, promoted) = eventually("another primary", promoted).await;
    // That it is not connected to the old one any more shows at the new one.
    let followed = async || {
        gateway.join(1).await.ok()?;
        calls(&watched.replica).await
    };
    let (_, followed) = eventually("a join at the new primary", followed).await;
    println!("promoted {promoted:?} after the command, followed {followed:?} later");
    assert!(followed < Duration::from_secs(2), "{followed:?}");
    for (number, place) in (1..10).zip(places) {
        assert_eq!(gateway.join(number).await.unwrap(), place);
    }
    let before = calls(&watched.primary).await;
    for number in 20..30 {
        gateway.join(number).await.unwrap();
    }
    assert_eq!(calls(&watched.primary).await, before, "a call went to what was the primary");
}

/// The line of INFO that counts the calls of scripts; `None` when there was none.
async fn calls(server: &RedisServer) -> Option<String> {
    let stats = ask(server, Some("data"), &["INFO", "commandstats"]).await;
    stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).map(str::to_owned)
}
