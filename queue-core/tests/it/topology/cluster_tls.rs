//! A cluster whose nodes speak only TLS and ask everybody for a certificate.

use std::sync::Arc;

use queue_core::store::{Joined, StoreError, Trust};

use super::cluster::{Cluster, ROOMS};
use super::gateway::{DEADLINE, Gateway, TOLERANCE};
use super::tls::{Authority, gateway_at};
use crate::support::wait::{eventually, measured};

async fn refusal(mut gateway: Gateway) -> String {
    let refused = async || match gateway.open(1).await {
        Err(StoreError::Timeout) => None,
        Err(error) => Some(error.to_string()),
        Ok(()) => panic!("not refused"),
    };
    eventually("the refusal", refused).await.0
}

/// Rooms on every node go through join, claim, renewal and all other steps over TLS, with one node in the address and the
/// others learned; and whoever trusts another authority, shows no certificate or speaks no TLS is told so.
#[tokio::test]
async fn rooms_lie_on_nodes_with_tls() {
    let (ours, other) = (Arc::new(Authority::new()), Authority::new());
    let Some(cluster) = Cluster::start_with_tls(ours.clone()).await else { return };
    let first = format!("127.0.0.1:{}", cluster.nodes[0].port());
    let mut known = gateway_at(&format!("rediss+cluster://{first}"), ours.trust(), Some(ours.identity()));
    eventually("a room", async || known.open(1).await.ok()).await;
    for room in ROOMS {
        known.turn_to(room);
        known.every_operation().await.unwrap();
    }
    for node in &cluster.nodes {
        let keys: u32 = cluster.ask(node, &["DBSIZE"]).await.parse().unwrap();
        assert!(keys > 0, "a node without a room");
    }

    for trust in [other.trust(), Trust::Host] {
        let told = refusal(gateway_at(&cluster.url(), trust, Some(ours.identity()))).await;
        assert!(told.contains("invalid peer certificate") && told.contains(&first), "{told}");
    }
    let told = refusal(gateway_at(&cluster.url(), ours.trust(), None)).await;
    // The server says what it wants and hangs up; which of the two arrives first is open.
    assert!(told.contains(&first), "{told}");
    let plain = cluster.url().replace("rediss", "redis");
    let told = refusal(Gateway::at(&plain)).await;
    assert!(told.contains(&first), "{told}");
}

/// WAIT goes over TLS too: nobody is let in while the replica of the room's node stands still.
#[tokio::test]
async fn admissions_are_confirmed_over_tls() {
    let ours = Arc::new(Authority::new());
    let Some(mut cluster) = Cluster::start_with_tls(ours.clone()).await else { return };
    cluster.add_replica().await;
    let [replicated, ..] = cluster.a_room_each().await;
    let mut gateway = gateway_at(&cluster.url(), ours.trust(), Some(ours.identity()));
    gateway.turn_to(replicated);
    eventually("a room", async || gateway.open(1).await.ok()).await;
    let mut enters = async |number| matches!(gateway.join(number).await, Ok(Joined::Admitted { .. })).then_some(());
    eventually("an entry, which the replica has", async || enters(1).await).await;

    cluster.nodes[3].freeze();
    let (joined, took) = measured(gateway.join(2)).await;
    assert!(matches!(joined, Ok(Joined::Unconfirmed { .. })), "{joined:?}");
    assert!(took < DEADLINE + TOLERANCE, "{took:?}");
    cluster.nodes[3].thaw();
    let enters = async || matches!(gateway.join(2).await, Ok(Joined::Admitted { .. })).then_some(());
    eventually("an entry once the replica goes on", enters).await;
}

/// The nodes name each other by addresses that their certificates do not hold: the mistake that a new cluster with TLS
/// makes first is told with what to do.
#[tokio::test]
async fn certificates_must_hold_the_addresses_that_nodes_announce() {
    let ours = Arc::new(Authority::of("localhost"));
    let Some(cluster) = Cluster::start_with_tls(ours.clone()).await else { return };
    let told = refusal(gateway_at(&cluster.url(), ours.trust(), Some(ours.identity()))).await;
    assert!(told.contains("its certificate must hold that address"), "{told}");
}
