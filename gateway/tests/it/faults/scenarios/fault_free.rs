//! Nothing is broken: what the judge finds here would be its own fault.

use std::time::Duration;

use crate::faults::redis::{Keeps, Node};
use crate::faults::stage::{Scene, Stage};

/// All promises hold over two gateways and one Redis while nothing goes wrong.
#[tokio::test]
async fn nothing_breaks() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("fault-free", 500), 2, redis.port()).await;
    stage.fills(Duration::from_secs(1)).await;
    stage.breaks();
    stage.heals();
    stage.ends(Duration::from_secs(60)).await.holds();
}
