//! A partition with a primary on either side.

use std::time::Duration;

use crate::faults::redis::{Keeps, Node};
use crate::faults::relay::{Flow, Relay};
use crate::faults::stage::{Scene, Stage};

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITION: Duration = Duration::from_secs(3);

/// The old primary goes on for one gateway while the other gateway already uses the promoted replica: no place is given
/// twice, no slot is used twice, and after the partition there is one line again. (Places that the old primary gave meanwhile
/// stand ahead of those of the new one; `min-replicas-to-write` bounds for how long it gives any.)
#[tokio::test]
async fn the_old_primary_still_serves_one_gateway() {
    let Some(old) = Node::start(Keeps::Nothing) else { return };
    let Some(new) = Node::start(Keeps::Nothing) else { return };
    let link = Relay::to(old.port());
    new.follow(link.port()).await;
    let mut stage = Stage::set(Scene::new("two primaries", 1_000), 2, old.port()).await;
    stage.two_sides = true;
    stage.fills(PARTITION).await;
    stage.breaks();
    link.set(Flow::Refused);
    new.promote();
    stage.relays[1].lead_to(new.port());
    stage.lasts(PARTITION).await;
    stage.heals();
    stage.relays[0].lead_to(new.port());
    link.lead_to(new.port());
    link.set(Flow::Open);
    old.follow(link.port()).await;
    stage.ends(PATIENCE).await.holds();
}
