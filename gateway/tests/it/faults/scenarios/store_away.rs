//! The store is gone for a while: whoever comes is given a token, and a place later, in the order of arrival.

use std::time::Duration;

use crate::faults::judge::{
    finished_visits_hold_no_slot, no_arrival_was_refused, nobody_entered, nobody_inside_noticed,
    waiting_saw_their_last_position,
};
use crate::faults::redis::{Keeps, Node};
use crate::faults::relay::Flow;
use crate::faults::stage::{Scene, Stage};

const AWAY: Duration = Duration::from_secs(5);
const BRIEFLY: Duration = Duration::from_secs(2);

/// A Redis that nobody reaches for five seconds, under 500 joins a second.
#[tokio::test]
async fn arrivals_while_the_store_is_gone() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("store gone", 1_000).long_sessions(), 2, redis.port()).await;
    stage.fills(AWAY).await;
    stage.breaks();
    stage.all_relays(Flow::Refused);
    stage.lasts(AWAY).await;
    stage.heals();
    stage.all_relays(Flow::Open);
    let judged = stage.ends(Duration::from_secs(60)).await;
    let judged = judged.also(no_arrival_was_refused).also(nobody_entered).also(finished_visits_hold_no_slot);
    judged.also(nobody_inside_noticed).also(waiting_saw_their_last_position).holds();
}

/// Visits that are completed while the store is away free their slots when it is back, not when their sessions run out.
#[tokio::test]
async fn visits_completed_while_the_store_is_gone() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = Stage::set(Scene::new("completed meanwhile", 500).long_sessions(), 2, redis.port()).await;
    stage.fills(Duration::ZERO).await;
    stage.breaks();
    stage.all_relays(Flow::Refused);
    // The shoppers inside finish now.
    stage.crowd.stays_for(Duration::from_millis(300));
    stage.lasts(BRIEFLY).await;
    stage.heals();
    stage.all_relays(Flow::Open);
    stage.ends(Duration::from_secs(60)).await.also(finished_visits_hold_no_slot).holds();
}
