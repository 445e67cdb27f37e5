//! More than it can take.

use serde_json::json;
use sqlx::Executor as _;
use tokio::task::JoinSet;

use crate::world::World;

/// When the rows cannot be written, the queue fills up to its limit and whoever comes then is told at once; all the
/// others are served when it goes on, and none of the refused has had an effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once() {
    const ASKED: usize = 2_600;
    let world = World::new().await;
    let mut blocker = world.rows().await;
    blocker.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..ASKED {
        let stranger = world.stranger();
        tasks.spawn(async move { stranger.post("/v1/demo/sign-in", None, json!({"name": "Kim"})).await });
    }
    // The queue has 2,048 places and the writer took one batch of 256: at least the rest is refused while it is blocked.
    let mut refused = 0;
    while refused < ASKED - 2_048 - 256 {
        let answer = tasks.join_next().await.unwrap().unwrap().refused(503, "overloaded");
        assert_eq!(answer.headers["retry-after"], "1");
        refused += 1;
    }
    blocker.execute("ROLLBACK").await.unwrap();
    let mut served = 0;
    for answer in tasks.join_all().await {
        match answer.status.as_u16() {
            201 => served += 1,
            _ => {
                answer.refused(503, "overloaded");
                refused += 1;
            }
        }
    }
    assert_eq!(served + refused, ASKED);
    assert_eq!(world.count("SELECT COUNT(*) FROM customer").await, served as i64);
    world.is_consistent().await;
}
