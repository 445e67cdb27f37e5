//! Holds end by time, by their owner, and by nobody else.

use std::time::Duration;

use booking_api::seed::Seed;
use http::Method;
use serde_json::json;

use crate::world::{HOLD, World};

const MICROSECOND: Duration = Duration::from_micros(1);

/// B3: a hold that has run out gives the seat to the next who asks, at that very instant and without any sweeper; the
/// late owner can do nothing with it any more.
#[tokio::test]
async fn an_expired_hold_gives_no_right() {
    let world = World::new().await;
    let (slow, quick) = (world.customer().await, world.customer().await);
    let hold = slow.hold("a", &["A-1-1", "A-1-2"]).await.expect(201).id();
    world.clock.advance(HOLD - MICROSECOND);
    quick.hold("a", &["A-1-1"]).await.refused(409, "unit-unavailable");
    world.clock.advance(MICROSECOND);
    quick.hold("b", &["A-1-1"]).await.expect(201);

    assert_eq!(slow.get(&format!("/v1/holds/{hold}")).await.body["state"], "expired");
    slow.order(&hold).await.refused(410, "hold-expired");
    slow.post(&format!("/v1/holds/{hold}/extend"), None, json!({"seconds": 60})).await.refused(410, "hold-expired");
    slow.delete(&format!("/v1/holds/{hold}")).await.expect(204);
    let units = "SELECT COUNT(*) FROM unit_state WHERE unit = 'A-1-1' AND state = 'held'";
    assert_eq!(world.count(units).await, 1, "the late owner released the new owner's seat");
    world.is_consistent().await;
}

/// B3: a payment at the deadline is too late, one microsecond before it is not; nothing is charged for the late one.
#[tokio::test]
async fn a_payment_too_late_is_refused() {
    let world = World::new().await;
    let (late, prompt) = (world.customer().await, world.customer().await);
    let order = late.order(&late.hold("a", &["A-1-1"]).await.expect(201).id()).await.expect(201).id();
    let other = prompt.order(&prompt.hold("a", &["A-1-2"]).await.expect(201).id()).await.expect(201).id();
    world.clock.advance(HOLD - MICROSECOND);
    prompt.pay(&other).await.expect(201);
    world.clock.advance(MICROSECOND);
    late.pay(&order).await.refused(410, "order-expired");
    assert_eq!(late.balance().await, 1_000_000);
    assert_eq!(late.get(&format!("/v1/orders/{order}")).await.body["state"], "expired");
    world.customer().await.buy("a", &["A-1-1"]).await;
    world.is_consistent().await;
}

/// Only its owner can see, extend, release or order a hold; to others it is not there.
#[tokio::test]
async fn only_the_owner_has_a_hold() {
    let world = World::new().await;
    let (owner, thief) = (world.customer().await, world.customer().await);
    let hold = owner.hold("a", &["A-1-1"]).await.expect(201).id();
    let path = format!("/v1/holds/{hold}");
    thief.get(&path).await.refused(404, "not-found");
    thief.delete(&path).await.refused(404, "not-found");
    thief.post(&format!("{path}/extend"), None, json!({"seconds": 400})).await.refused(404, "not-found");
    thief.order(&hold).await.refused(404, "not-found");
    let order = owner.order(&hold).await.expect(201).id();
    thief.get(&format!("/v1/orders/{order}")).await.refused(404, "not-found");
    thief.pay(&order).await.refused(404, "not-found");
    let cancel = json!({"reason": "mine"});
    thief.post(&format!("/v1/orders/{order}/cancel"), Some("c"), cancel).await.refused(404, "not-found");
    owner.pay(&order).await.expect(201);
    world.is_consistent().await;
}

/// A hold can be made longer, never beyond its ceiling and never shorter; released seats are free at once.
#[tokio::test]
async fn a_hold_is_extended_up_to_its_ceiling_and_released() {
    let world = World::new().await;
    let owner = world.customer().await;
    let made = owner.hold("a", &["A-1-1"]).await.expect(201);
    let path = format!("/v1/holds/{}", made.id());
    let longer = format!("{path}/extend");
    let extend = |seconds: u64| owner.post(&longer, None, json!({"seconds": seconds}));
    assert_eq!(extend(10).await.expect(200).body["expires_at"], made.body["expires_at"], "made shorter");
    world.clock.advance(Duration::from_secs(290));
    let extended = extend(300).await.expect(200);
    assert_eq!(extended.body["expires_at"], "2026-12-01T11:09:50.000Z");
    assert_eq!(extended.headers["usher-session"], "extend=300");
    let refused = extend(311).await.refused(409, "hold-ceiling");
    assert_eq!(refused.body["max_expires_at"], made.body["max_expires_at"]);
    world.clock.advance(Duration::from_secs(299));
    world.customer().await.hold("a", &["A-1-1"]).await.refused(409, "unit-unavailable");
    world.is_consistent().await;

    owner.delete(&path).await.expect(204);
    owner.delete(&path).await.expect(204);
    world.customer().await.buy("a", &["A-1-1"]).await;
    world.is_consistent().await;
}

/// A customer has at most 4 seats of an event, live holds and sales together; expired holds do not count.
#[tokio::test]
async fn a_customer_has_no_more_than_the_limit() {
    let world = World::new().await;
    let customer = world.customer().await;
    customer.buy("a", &["A-1-1"]).await;
    customer.hold("b", &["A-1-2", "A-1-3"]).await.expect(201);
    let refused = customer.hold("c", &["B-1-1", "B-1-2"]).await.refused(409, "limit-exceeded");
    assert_eq!((&refused.body["limit"], &refused.body["current"]), (&json!(4), &json!(3)));
    world.clock.advance(HOLD);
    customer.hold("d", &["B-1-1", "B-1-2"]).await.expect(201);
    world.is_consistent().await;
}

/// What cannot be meant is told apart from what cannot be had.
#[tokio::test]
async fn nonsense_is_refused() {
    let world = World::new().await;
    let customer = world.customer().await;
    customer.hold("a", &[]).await.refused(422, "validation");
    customer.hold("a", &["A-1-1", "A-1-1"]).await.refused(422, "validation");
    customer.hold("a", &["Z-9-9"]).await.refused(422, "validation");
    customer.hold("a", &["A-1-1", "A-1-2", "A-1-3", "B-1-1", "B-1-2"]).await.refused(422, "validation");
    let path = "/v1/events/concert/holds";
    customer.post(path, Some("a"), json!({"seats": ["A-1-1"]})).await.refused(422, "validation");
    customer.post(path, Some("a"), json!("A-1-1")).await.refused(422, "validation");
    customer.ask(Method::POST, path, Some("a"), None, &[]).await.refused(400, "malformed");
    customer.post("/v1/events/opera/holds", Some("a"), json!({"units": ["A-1-1"]})).await.refused(404, "not-found");
    world.stranger().hold("a", &["A-1-1"]).await.refused(401, "unauthenticated");
    customer.get("/v1/nothing").await.refused(404, "not-found");
    customer.delete("/v1/orders").await.refused(405, "method-not-allowed");
    let huge = "x".repeat(70_000);
    customer.post("/v1/orders", Some("a"), json!({"hold": huge})).await.refused(413, "too-large");
    assert_eq!(world.count("SELECT COUNT(*) FROM idempotency").await, 0, "a refusal left a key");
    world.is_consistent().await;
}

/// Before the opening nothing is held.
#[tokio::test]
async fn a_sale_opens_on_time() {
    let world = World::with(Seed { opens_in: Duration::from_secs(60), ..Seed::concert("concert", 400) }, 0).await;
    let customer = world.customer().await;
    world.clock.advance(Duration::from_secs(60) - MICROSECOND);
    let refused = customer.hold("a", &["A-1-1"]).await.refused(409, "sale-not-open");
    assert_eq!(refused.body["opens_at"], "2026-12-01T11:01:00.000Z");
    world.clock.advance(MICROSECOND);
    customer.hold("a", &["A-1-1"]).await.expect(201);
    world.is_consistent().await;
}
