//! The store stands still and goes on: nothing is lost, everything is late.

use std::time::Duration;

use crate::faults::judge::{nobody_entered, nobody_inside_noticed, waiting_saw_their_last_position};
use crate::faults::redis::{Keeps, Node};
use crate::faults::relay::Flow;
use crate::faults::stage::{Scene, Stage};

const STALL: Duration = Duration::from_secs(3);
const RUSH: Duration = Duration::from_secs(2);

async fn judge(stage: Stage) {
    let judged = stage.ends(Duration::from_secs(60)).await;
    judged.also(nobody_inside_noticed).also(nobody_entered).also(waiting_saw_their_last_position).holds();
}

/// A Redis that is stopped for three seconds.
#[tokio::test]
async fn redis_stands_still() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("SIGSTOP", 1_000).long_sessions(), 2, redis.port()).await;
    stage.fills(RUSH).await;
    stage.breaks();
    let frozen = redis.freeze();
    stage.lasts(STALL).await;
    stage.heals();
    drop(frozen);
    judge(stage).await;
}

/// A network that swallows everything for three seconds.
#[tokio::test]
async fn the_network_swallows_everything() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("black hole", 1_000).long_sessions(), 2, redis.port()).await;
    stage.fills(RUSH).await;
    stage.breaks();
    stage.all_relays(Flow::BlackHole);
    stage.lasts(STALL).await;
    stage.heals();
    stage.all_relays(Flow::Open);
    judge(stage).await;
}

/// A network that holds everything for three seconds and then delivers it: late calls must do nothing.
#[tokio::test]
async fn the_network_delivers_late() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("late delivery", 1_000).long_sessions(), 2, redis.port()).await;
    stage.fills(RUSH).await;
    stage.breaks();
    stage.all_relays(Flow::Held);
    stage.lasts(STALL).await;
    stage.heals();
    stage.all_relays(Flow::Open);
    judge(stage).await;
}
