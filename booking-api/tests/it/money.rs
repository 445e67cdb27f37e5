//! Points: double entry, never below zero.

use booking_api::seed::Seed;
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::World;

/// One block of one price each: 7,000 in front on both sides, 5,000 in the middle.
fn two_prices() -> Seed {
    Seed { tiers: vec![("front".into(), 7_000), ("side".into(), 5_000)], ..Seed::concert("concert", 400) }
}

/// B8: a balance of 10,000, payments of 7,000 and 5,000 at once: exactly one succeeds, the other is told what is there
/// and what is due, and its seat is not sold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_is_never_spent_twice() {
    let world = World::with(two_prices(), 10_000).await;
    for round in 1..=3 {
        let customer = world.customer().await;
        let mut orders = Vec::new();
        for section in ["B", "A"] {
            let unit = format!("{section}-1-{round}");
            let hold = customer.hold(&unit, &[&unit]).await.expect(201);
            orders.push(customer.order(&hold.id()).await.expect(201).id());
        }
        let mut tasks = JoinSet::new();
        for order in orders {
            let customer = customer.clone();
            tasks.spawn(async move { customer.pay(&order).await });
        }
        let (paid, refused): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(|a| a.status == 201);
        assert_eq!((paid.len(), refused.len()), (1, 1));
        let balance = customer.balance().await;
        assert!([3_000, 5_000].contains(&balance), "{balance}");
        let refused = refused[0].clone().refused(409, "insufficient-balance");
        assert_eq!(refused.body["balance"]["amount"], balance);
        assert_eq!(refused.body["due"]["amount"], balance + 2_000);
    }
    world.is_consistent().await;
}

/// B5: an order is paid once, whatever keys are used; a hold becomes one order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_paid_once() {
    let world = World::new().await;
    let customer = world.customer().await;
    let hold = customer.hold("a", &["B-1-1"]).await.expect(201).id();
    let order = customer.order(&hold).await.expect(201).id();
    let again = customer.post("/v1/orders", Some("another"), json!({"hold": hold})).await;
    assert_eq!(again.refused(409, "hold-consumed").body["order"], order);

    let mut tasks = JoinSet::new();
    for key in 0..20 {
        let (customer, path) = (customer.clone(), format!("/v1/orders/{order}/payments"));
        let body = json!({"method": "points"});
        tasks.spawn(async move { customer.post(&path, Some(&format!("key-{key}")), body).await });
    }
    let (paid, refused): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(|a| a.status == 201);
    assert_eq!((paid.len(), refused.len()), (1, 19));
    for answer in refused {
        assert_eq!(answer.refused(409, "order-state").body["state"], "paid");
    }
    assert_eq!(customer.balance().await, 1_000_000 - 165_000);
    world.is_consistent().await;
}

/// A paid order given back is refunded in full once, and its seats are free for others; an unpaid one costs nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_order_is_refunded_once() {
    let world = World::new().await;
    let customer = world.customer().await;
    let paid = customer.buy("a", &["B-1-1", "B-1-2"]).await.body["order"]["id"].as_str().unwrap().to_owned();
    assert_eq!(customer.balance().await, 670_000);
    let mut tasks = JoinSet::new();
    for key in 0..5 {
        let (customer, path) = (customer.clone(), format!("/v1/orders/{paid}/cancel"));
        tasks.spawn(async move { customer.post(&path, Some(&format!("c-{key}")), json!({"reason": "ill"})).await });
    }
    let (done, refused): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(|a| a.status == 200);
    assert_eq!((done.len(), refused.len()), (1, 4));
    assert_eq!(done[0].body["refunds"][0]["amount"]["amount"], 330_000);
    refused.into_iter().for_each(|answer| drop(answer.refused(409, "not-cancellable")));
    assert_eq!(customer.balance().await, 1_000_000);
    world.is_consistent().await;

    let other = world.customer().await;
    let pending = other.order(&other.hold("a", &["B-1-1"]).await.expect(201).id()).await.expect(201).id();
    other.post(&format!("/v1/orders/{pending}/cancel"), Some("c"), json!({})).await.expect(200);
    other.pay(&pending).await.refused(409, "order-state");
    world.customer().await.buy("a", &["B-1-1", "B-1-2"]).await;
    world.is_consistent().await;
}

/// B8: an account shows every move with the balance after it, newest first.
#[tokio::test]
async fn transfers_explain_the_balance() {
    let world = World::new().await;
    let customer = world.customer().await;
    world.clock.advance(std::time::Duration::from_secs(1));
    customer.buy("a", &["B-1-1"]).await;
    let transfers = customer.get("/v1/accounts/me/transfers").await.expect(200).body;
    let shown: Vec<_> = transfers["transfers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| (&t["kind"], &t["amount"]["amount"], &t["balance"]["amount"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!("payment"), &json!(-165_000), &json!(835_000)),
            (&json!("grant"), &json!(1_000_000), &json!(1_000_000)),
        ]
    );
    world.is_consistent().await;
}

/// The waiting room is told to keep a customer in while something is open, and that it is over once all is paid.
#[tokio::test]
async fn the_session_ends_when_nothing_is_open() {
    let world = World::new().await;
    let customer = world.customer().await;
    let session = |answer: &crate::world::Answer| answer.headers["usher-session"].to_str().unwrap().to_owned();
    let one = customer.hold("a", &["B-1-1"]).await.expect(201);
    assert_eq!(session(&one), "extend=300");
    let two = customer.hold("b", &["B-1-2"]).await.expect(201);
    let [one, two] = [one.id(), two.id()];
    let order = customer.order(&one).await.expect(201);
    assert_eq!(session(&order), "extend=300");
    assert_eq!(session(&customer.pay(&order.id()).await.expect(201)), "extend=300");
    let order = customer.order(&two).await.expect(201).id();
    assert_eq!(session(&customer.pay(&order).await.expect(201)), "complete");
    let orders = customer.get("/v1/orders").await.expect(200).body;
    assert_eq!(orders["orders"].as_array().unwrap().len(), 2);
    world.is_consistent().await;
}
