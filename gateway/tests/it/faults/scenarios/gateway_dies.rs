//! A gateway is killed: the others carry its visitors on.

use std::time::Duration;

use crate::faults::redis::{Keeps, Node};
use crate::faults::stage::{Scene, Stage};

/// One of two gateways is killed while 500 a second join: nobody loses a place, nobody enters twice.
#[tokio::test]
async fn one_of_two_gateways_is_killed() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("gateway killed", 1_000), 2, redis.port()).await;
    stage.fills(Duration::from_secs(3)).await;
    stage.breaks();
    let mut killed = stage.gateways.remove(1);
    killed.process.signal("KILL");
    killed.process.ended().await;
    stage.tell_gateways();
    stage.heals();
    stage.ends(Duration::from_secs(60)).await.holds();
}
