//! The store forgets everything: the places are in the visitors' hands.

use std::time::Duration;

use crate::faults::redis::{Keeps, Node};
use crate::faults::stage::{Scene, Stage};

/// How many wait when everything is lost.
const LINE: u32 = 20_000;

/// Everybody gets in within this: the calls are held for the longest told interval and 5 s, slots of sessions that
/// nobody remembers are free after 10 s, then a slot is given again about every two seconds.
const PATIENCE: Duration = Duration::from_secs(100);

/// Arrivals go on while it happens and for a while after.
const RUSH: Duration = Duration::from_secs(4);

/// FLUSHALL under a long line and 500 joins a second: the order stays, nobody enters twice, nobody loses a place.
#[tokio::test]
async fn everything_is_flushed() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("FLUSHALL", LINE), 2, redis.port()).await;
    stage.fills(RUSH).await;
    stage.breaks();
    redis.must(&["FLUSHALL"]);
    stage.heals();
    stage.ends(PATIENCE).await.holds();
}

/// A Redis that is killed and comes back empty.
#[tokio::test]
async fn redis_comes_back_empty() {
    let Some(mut redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("empty restart", LINE), 2, redis.port()).await;
    stage.fills(RUSH).await;
    stage.breaks();
    redis.kill();
    redis.start_again();
    stage.heals();
    stage.ends(PATIENCE).await.holds();
}

/// All gateways and the Redis end at the same moment and nothing is kept but the keys: the tokens alone restore the
/// line.
#[tokio::test]
async fn everything_restarts_at_once() {
    let Some(mut redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("all restarted", 1_000), 2, redis.port()).await;
    // Which places were used is known to nobody then.
    stage.crowd.is_modest();
    stage.arrivals_forgotten = true;
    stage.fills(RUSH).await;
    stage.breaks();
    redis.kill();
    stage.gateways_die().await;
    redis.start_again();
    stage.start_gateways().await;
    stage.heals();
    stage.ends(PATIENCE).await.holds();
}
