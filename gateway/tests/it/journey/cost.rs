//! What waiting costs: nothing at the store, however many wait and however often they ask.

use std::time::Duration;

use gateway::clock;
use http_body_util::Full;

use super::ask::{Ask, connect, exchange};
use super::operators::Metrics;
use super::redis_server::RedisServer;
use super::usher::Gateway;
use super::wait::{PERIOD, eventually};
use super::{Occupied, Setup};

const VISITORS: usize = 200;
const CONNECTIONS: usize = 20;
const POLLING: Duration = Duration::from_secs(2);

/// A look at the store and a sweep: what happens at a fixed pace, whoever waits.
const PACED: [&str; 2] = ["follow", "sweep"];
const PER_VISITOR: [&str; 7] = ["open", "join", "claim", "renew", "end", "depart", "call"];

/// Waiting rooms are killed by their own polls: here a poll is not one command at the store.
#[tokio::test]
async fn polls_cost_the_memory_store_nothing() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    polls_cost_nothing(&gateway).await;
}

/// The same on Redis, where it counts, by the word of Redis itself.
#[tokio::test]
async fn polls_cost_redis_nothing() {
    let Some(redis) = RedisServer::start() else { return };
    let Occupied { gateway, insider: _insider, origin: _origin } =
        Occupied::of(|setup: Setup| setup.redis(&redis.url())).await;
    polls_cost_nothing(&gateway).await;
}

async fn polls_cost_nothing(gateway: &Gateway) {
    let tokens = join_all(gateway).await;
    eventually("everybody in the line", async || {
        (gateway.metrics().await.value("usher_line_length{room=\"concert\"}") == VISITORS as f64).then_some(())
    })
    .await;

    let (before, began) = (gateway.metrics().await, clock::monotonic());
    let polls = poll_all(gateway, tokens).await;
    let (after, took) = (gateway.metrics().await, clock::monotonic().duration_since(began));

    for operation in PER_VISITOR {
        assert_eq!(delta(&before, &after, operation), 0.0, "{operation} for {polls} polls");
    }
    let ticks = took.as_secs_f64() / 0.1 + 2.0;
    let paced: f64 = PACED.iter().map(|operation| delta(&before, &after, operation)).sum();
    assert!(paced > 0.0 && paced <= ticks * 1.2, "{paced} looks in {took:?}");
    assert!(polls >= 5 * VISITORS, "only {polls} polls: this proves little");
}

fn delta(before: &Metrics, after: &Metrics, operation: &str) -> f64 {
    after.store_operations(operation) - before.store_operations(operation)
}

async fn join_all(gateway: &Gateway) -> Vec<String> {
    let mut connection = connect(gateway.address).await.unwrap();
    let mut tokens = Vec::with_capacity(VISITORS);
    for _ in 0..VISITORS {
        let join = Ask::post("/_usher/concert/join").into_request();
        let joined = exchange(&mut connection, join).await.unwrap().expect(201);
        tokens.push(joined.json()["token"].as_str().unwrap().to_owned());
    }
    tokens
}

/// Everybody polls, as often as is answered, over few connections; how many polls there were.
async fn poll_all(gateway: &Gateway, tokens: Vec<String>) -> usize {
    let mut crews = tokio::task::JoinSet::new();
    for (crew, tokens) in tokens.chunks(VISITORS / CONNECTIONS).map(<[String]>::to_vec).enumerate() {
        let mut connection = connect::<Full<_>>(gateway.address).await.unwrap();
        crews.spawn(async move {
            let (began, mut polls) = (clock::monotonic(), 0);
            let mut ticks = tokio::time::interval(PERIOD);
            while clock::monotonic().duration_since(began) < POLLING {
                ticks.tick().await;
                for (index, token) in tokens.iter().enumerate() {
                    let poll = Ask::get("/_usher/concert/position").header("usher-token", token).into_request();
                    let document = exchange(&mut connection, poll).await.unwrap().expect(200).json();
                    assert_eq!(document["position"], crew * (VISITORS / CONNECTIONS) + index + 1, "{document}");
                    polls += 1;
                }
            }
            polls
        });
    }
    crews.join_all().await.into_iter().sum()
}
