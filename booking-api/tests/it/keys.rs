//! Idempotency keys: one effect, one answer.

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::{HOLD, World};

/// B11: a double click, 50 times at once with one key, is one hold, one order, one payment and one answer each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_has_one_effect() {
    let world = World::new().await;
    let customer = world.customer().await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let customer = customer.clone();
        tasks.spawn(async move {
            let hold = customer.hold("click", &["A-1-1", "A-1-2"]).await.expect(201);
            let order = customer.order(&hold.id()).await.expect(201);
            let payment = customer.pay(&order.id()).await.expect(201);
            [hold, order, payment].map(|answer| answer.body.to_string())
        });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    for table in [
        "SELECT COUNT(*) FROM hold",
        "SELECT COUNT(*) FROM orders",
        "SELECT COUNT(*) FROM payment",
        "SELECT COUNT(*) FROM transfer WHERE kind = 'payment'",
    ] {
        assert_eq!(world.count(table).await, 1, "{table}");
    }
    assert_eq!(customer.balance().await, 1_000_000 - 2 * 143_000);
    world.is_consistent().await;
}

/// B11: the same key with another document is refused; the order of members and white space do not make another.
#[tokio::test]
async fn another_body_under_the_same_key_is_refused() {
    let world = World::new().await;
    let customer = world.customer().await;
    let first = customer.hold("k", &["A-1-1"]).await.expect(201);
    customer.hold("k", &["A-1-2"]).await.refused(422, "idempotency-mismatch");
    assert_eq!(customer.hold("k", &["A-1-1"]).await.expect(201).body, first.body);

    let hold = first.id();
    let [one, other] =
        [json!({"hold": hold, "buyer": {"name": "Kim"}}), json!({"buyer": {"name": "Kim"}, "hold": hold})];
    let order = customer.post("/v1/orders", Some("o"), one).await.expect(201);
    assert_eq!(customer.post("/v1/orders", Some("o"), other).await.expect(201).body, order.body);
    let changed = json!({"hold": hold, "buyer": {"name": "Lee"}});
    customer.post("/v1/orders", Some("o"), changed).await.refused(422, "idempotency-mismatch");
    world.is_consistent().await;
}

/// B11: a repetition gets its answer even when the world has moved on: the seat is someone else's by now.
#[tokio::test]
async fn a_late_repetition_gets_the_first_answer() {
    let world = World::new().await;
    let (first, second) = (world.customer().await, world.customer().await);
    let held = first.hold("k", &["A-1-1"]).await.expect(201);
    world.clock.advance(HOLD);
    second.buy("a", &["A-1-1"]).await;
    assert_eq!(first.hold("k", &["A-1-1"]).await.expect(201).body, held.body);
    first.hold("l", &["A-1-1"]).await.refused(409, "unit-unavailable");
    world.is_consistent().await;
}

/// A refused request leaves no key: the same key succeeds once the seat is free.
#[tokio::test]
async fn a_refusal_can_be_tried_again() {
    let world = World::new().await;
    let (first, second) = (world.customer().await, world.customer().await);
    first.hold("a", &["A-1-1"]).await.expect(201);
    second.hold("a", &["A-1-1"]).await.refused(409, "unit-unavailable");
    world.clock.advance(HOLD);
    second.hold("a", &["A-1-1"]).await.expect(201);
    world.is_consistent().await;
}

/// Two customers' keys have nothing to do with each other, nor do two operations'.
#[tokio::test]
async fn keys_belong_to_their_customer_and_operation() {
    let world = World::new().await;
    let (one, other) = (world.customer().await, world.customer().await);
    let hold = one.hold("same", &["A-1-1"]).await.expect(201).id();
    other.hold("same", &["A-1-2"]).await.expect(201);
    one.post("/v1/orders", Some("same"), json!({"hold": hold})).await.expect(201);
    world.is_consistent().await;
}

/// What changes something needs a key.
#[tokio::test]
async fn a_missing_key_is_told() {
    let world = World::new().await;
    let customer = world.customer().await;
    let hold = customer.hold("a", &["A-1-1"]).await.expect(201).id();
    let order = customer.order(&hold).await.expect(201).id();
    for (path, body) in [
        ("/v1/events/concert/holds".to_owned(), json!({"units": ["A-1-2"]})),
        ("/v1/orders".to_owned(), json!({"hold": hold})),
        (format!("/v1/orders/{order}/payments"), json!({"method": "points"})),
        (format!("/v1/orders/{order}/cancel"), json!({})),
    ] {
        customer.post(&path, None, body.clone()).await.refused(400, "idempotency-key-missing");
        let long = "k".repeat(256);
        customer.ask(Method::POST, &path, Some(&long), Some(body), &[]).await.refused(400, "idempotency-key-missing");
    }
    world.is_consistent().await;
}
