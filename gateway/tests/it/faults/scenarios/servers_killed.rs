//! Servers behind Sentinels are killed at random moments, under 500 joins a second: a fail-over that loses nobody.

use std::time::Duration;

use rand::RngExt as _;

use crate::faults::judge::nobody_inside_noticed;
use crate::faults::redis::Watched;
use crate::faults::stage::{Scene, Stage};

/// One may be lost, and there is still one to promote.
const REPLICAS: usize = 2;

/// Long enough for two fail-overs, each of which the Sentinels need one to four seconds for.
const RUSH: Duration = Duration::from_secs(8);

const PATIENCE: Duration = Duration::from_secs(60);

async fn set(name: &'static str, servers: &Watched) -> Stage {
    let mut stage = Stage::set_at(Scene::new(name, 2_000).long_sessions(), 2, servers.url()).await;
    stage.fills(RUSH).await;
    stage
}

/// The primary is killed, its successor too as soon as the first one is back as a replica: nobody loses a place, no
/// place is given twice, nobody is overtaken, nobody enters above the limits.
#[tokio::test]
async fn primaries_are_killed() {
    let Some(mut servers) = Watched::start(REPLICAS).await else { return };
    let mut stage = set("primaries killed", &servers).await;
    for which in ["the primary", "its successor"] {
        stage.kills(which);
        let killed = servers.kill_primary();
        servers.is_replaced().await;
        servers.start_again(killed);
        servers.rejoins(killed).await;
        servers.can_be_replaced_by(1).await;
        stage.goes_on().await;
    }
    stage.heals();
    stage.ends(PATIENCE).await.also(nobody_inside_noticed).holds();
}

/// A replica and a Sentinel are killed, and while that one is away the primary: two Sentinels and one replica are enough.
#[tokio::test]
async fn a_replica_a_sentinel_and_the_primary_are_killed() {
    let Some(mut servers) = Watched::start(REPLICAS).await else { return };
    let mut stage = set("replica, Sentinel, primary killed", &servers).await;
    let replicas = servers.replicas();
    let replica = replicas[stage.rng.random_range(0..replicas.len())];
    stage.kills("a replica");
    servers.kill(replica);
    stage.goes_on().await;
    let sentinel = stage.rng.random_range(0..servers.sentinels.count());
    stage.kills("a Sentinel");
    servers.sentinels.kill(sentinel);
    stage.goes_on().await;
    stage.kills("the primary");
    let primary = servers.kill_primary();
    servers.is_replaced().await;
    stage.goes_on().await;
    servers.sentinels.start_again(sentinel);
    for back in [replica, primary] {
        servers.start_again(back);
        servers.rejoins(back).await;
    }
    stage.heals();
    stage.ends(PATIENCE).await.also(nobody_inside_noticed).holds();
}

/// The primary is killed and is back, empty, before any Sentinel has missed it: its replicas follow it and are empty
/// too. The tokens restore the line, and the Sentinels have nothing to do with it.
#[tokio::test]
async fn an_empty_primary_is_back_before_it_is_missed() {
    let Some(mut servers) = Watched::start(REPLICAS).await else { return };
    let mut stage = set("empty primary", &servers).await;
    stage.kills("the primary");
    let killed = servers.kill_primary();
    servers.start_again(killed);
    stage.heals();
    stage.ends(PATIENCE).await.holds();
}
