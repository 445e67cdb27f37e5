//! The store answers, and refuses: whoever is in goes on, whoever waits keeps the position, nobody enters, and afterwards
//! everything goes on without a restart.

use std::time::Duration;

use gateway::clock;

use crate::faults::judge::{nobody_entered, nobody_inside_noticed, waiting_saw_their_last_position};
use crate::faults::redis::{Keeps, Node};
use crate::faults::stage::{Scene, Stage};
use crate::journey::wait::eventually;

const REFUSAL: Duration = Duration::from_secs(3);
const RUSH: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

async fn set(name: &'static str, redis: &Node) -> Stage {
    let mut stage = Stage::set(Scene::new(name, 1_000).long_sessions(), 2, redis.port()).await;
    stage.fills(RUSH).await;
    stage.breaks();
    stage
}

async fn judge(stage: Stage) {
    let judged = stage.ends(PATIENCE).await;
    judged.also(nobody_inside_noticed).also(nobody_entered).also(waiting_saw_their_last_position).holds();
}

/// READONLY: a primary that was made a replica of nobody.
#[tokio::test]
async fn the_primary_is_demoted() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = set("READONLY", &redis).await;
    redis.must(&["REPLICAOF", "127.0.0.1", "1"]);
    stage.lasts(REFUSAL).await;
    stage.heals();
    redis.promote();
    judge(stage).await;
}

/// LOADING: a restart with much to read.
#[tokio::test]
async fn redis_loads_its_data() {
    let Some(mut redis) = Node::start(Keeps::Backups) else { return };
    // A millisecond a key: three seconds in which it answers and knows nothing.
    redis.must(&["DEBUG", "POPULATE", "3000", "ballast"]);
    let mut stage = set("LOADING", &redis).await;
    // Ends with a backup of everything, so nothing is lost.
    let _ = redis.may(&["SHUTDOWN", "SAVE"]);
    redis.start_loading(&["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]);
    eventually("it says that it loads", async || {
        redis.may(&["PING"]).err().filter(|error| error.to_string().contains("LOADING"))
    })
    .await;
    // Over at the last moment at which it surely was not: it is whole before anybody has seen that.
    let mut until = clock::now();
    eventually("it has loaded", async || {
        let looked = clock::now();
        let answer = redis.may(&["PING"]).ok();
        if answer.is_none() {
            until = looked;
        }
        answer
    })
    .await;
    stage.heals_at(until);
    judge(stage).await;
}

/// BUSY: somebody's script that does not end.
#[tokio::test]
async fn a_script_does_not_end() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = set("BUSY", &redis).await;
    let endless = redis.begin(&["EVAL", "while true do end", "0"]);
    stage.lasts(REFUSAL).await;
    stage.heals();
    redis.must(&["SCRIPT", "KILL"]);
    drop(endless);
    judge(stage).await;
}

/// OOM: no memory left, and nothing may be evicted.
#[tokio::test]
async fn memory_runs_out() {
    let Some(redis) = Node::start(Keeps::Nothing) else { return };
    let mut stage = set("OOM", &redis).await;
    redis.must(&["CONFIG", "SET", "maxmemory", "1mb"]);
    stage.lasts(REFUSAL).await;
    stage.heals();
    redis.must(&["CONFIG", "SET", "maxmemory", "0"]);
    judge(stage).await;
}
