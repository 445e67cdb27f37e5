//! The store comes back with less than it had said: a backup, or a replica that had not heard everything.

use std::time::Duration;

use crate::faults::redis::{Keeps, Node};
use crate::faults::relay::{Flow, Relay};
use crate::faults::stage::{RUSH_PER_SECOND, Scene, Stage};

const PATIENCE: Duration = Duration::from_secs(60);
const RUSH: Duration = Duration::from_secs(3);

/// Joins and admissions that the replica never hears of.
const UNHEARD: Duration = Duration::from_secs(1);

/// A backup from the middle of the rush is restored: places given since are in no store, and must not be given again.
#[tokio::test]
async fn an_old_backup_is_restored() {
    let Some(mut redis) = Node::start(Keeps::Backups) else { return };
    let mut stage = Stage::set(Scene::new("old backup", 1_000), 2, redis.port()).await;
    stage.fills(RUSH).await;
    redis.back_up();
    stage.lasts(UNHEARD).await;
    stage.breaks();
    redis.restore_backup();
    stage.heals();
    stage.ends(PATIENCE).await.holds();
}

/// The primary is lost, and its replica had been cut off a second before: acknowledged writes are gone.
#[tokio::test]
async fn a_stale_replica_is_promoted() {
    let Some(mut primary) = Node::start(Keeps::Nothing) else { return };
    let Some(replica) = Node::start(Keeps::Nothing) else { return };
    let link = Relay::to(primary.port());
    replica.follow(link.port()).await;
    let mut stage = Stage::set(Scene::new("stale replica", 1_000), 2, primary.port()).await;
    stage.fills(RUSH).await;
    link.set(Flow::Refused);
    stage.lasts(UNHEARD).await;
    let lost = primary_position(&primary) - primary_position(&replica);
    assert!(lost > i64::from(RUSH_PER_SECOND), "writes were lost: {lost} bytes");
    stage.breaks();
    primary.kill();
    replica.promote();
    stage.all_lead_to(replica.port());
    stage.heals();
    stage.ends(PATIENCE).await.holds();
}

/// How far a server's writes go, in bytes.
fn primary_position(node: &Node) -> i64 {
    node.info("replication", "master_repl_offset").parse().unwrap()
}
