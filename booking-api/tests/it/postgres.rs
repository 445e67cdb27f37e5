//! Two instances over one PostgreSQL give what one over SQLite gives. The clock is the database's, so nothing here
//! depends on time.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use booking_api::clock::SystemClock;
use booking_api::seed::{Seed, seed};
use booking_api::{App, Database, Settings, check, router};
use serde_json::json;
use tokio::task::JoinSet;

use crate::postgres_server::PostgresServer;
use crate::race::collect;
use crate::world::Customer;

async fn instance(address: &str, what: &Seed, grant: i64) -> Router {
    let database = Database::open(address).await.unwrap();
    let clock = Arc::new(SystemClock::default());
    seed(&database, &*clock, what).await.unwrap();
    let (app, _) = App::start(database, clock, Settings { grant, ..Settings::default() }).await.unwrap();
    router(&app)
}

async fn is_consistent(address: &str) {
    let database = Database::open_to_read(address).await.unwrap();
    let findings = check(&database, &SystemClock::default()).await.unwrap();
    assert!(findings.is_empty(), "{findings:#?}");
}

/// B1, B4: 60 customers at two instances, sets of seats that overlap: every seat is sold once, all are sold, and no
/// conflict inside the database reaches anyone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_sell_no_seat_twice() {
    let Some(server) = PostgresServer::start().await else { return };
    let what = Seed::concert("concert", 24);
    let instances =
        [instance(&server.address(), &what, 1_000_000).await, instance(&server.address(), &what, 1_000_000).await];
    let mut units = Vec::new();
    collect(&Customer::stranger(&instances[0]).get("/v1/events/concert/map").await.body, &mut units);
    let mut tasks = JoinSet::new();
    for index in 0..60_usize {
        let customer = Customer::stranger(&instances[index % 2]).sign_in().await;
        let units = units.clone();
        tasks.spawn(async move {
            for step in 0..units.len() {
                let start = (index * 5 + step) % units.len();
                let wanted = if step < 12 { 2 } else { 1 };
                let mut set: Vec<&str> = (0..wanted).map(|next| units[(start + next) % units.len()].as_str()).collect();
                set.reverse();
                let answer = customer.hold(&format!("hold-{step}"), &set).await;
                if answer.status == 201 {
                    let order = customer.order(&answer.id()).await.expect(201).id();
                    customer.pay(&order).await.expect(201);
                    return set.into_iter().map(str::to_owned).collect();
                }
                answer.refused(409, "unit-unavailable");
            }
            Vec::new()
        });
    }
    let sold: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!((sold.len(), sold.iter().collect::<HashSet<_>>().len()), (24, 24));
    is_consistent(&server.address()).await;
}

/// B8, B11 and the limit per customer hold when one customer asks both instances at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_customer_at_two_instances() {
    let Some(server) = PostgresServer::start().await else { return };
    let what = Seed { tiers: vec![("one".into(), 4_000)], ..Seed::concert("concert", 400) };
    let instances =
        [instance(&server.address(), &what, 10_000).await, instance(&server.address(), &what, 10_000).await];
    let mut units = Vec::new();
    collect(&Customer::stranger(&instances[0]).get("/v1/events/concert/map").await.body, &mut units);
    for round in units.chunks(12).take(5) {
        let customer = Customer::stranger(&instances[0]).sign_in().await;
        // Six holds of two seats each: two fit into the limit of four.
        let mut holds = JoinSet::new();
        for (index, set) in round.chunks(2).enumerate() {
            let (customer, set) = (customer.at(&instances[index % 2]), set.to_vec());
            holds.spawn(async move {
                let set: Vec<&str> = set.iter().map(String::as_str).collect();
                customer.hold(&format!("hold-{index}"), &set).await
            });
        }
        let answers = holds.join_all().await;
        let (held, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(held.len(), 2, "{refused:?}");
        refused.into_iter().for_each(|answer| drop(answer.refused(409, "limit-exceeded")));
        // One key at both: one order.
        let hold = held[0].id();
        let mut orders = JoinSet::new();
        for index in 0..6 {
            let (customer, hold) = (customer.at(&instances[index % 2]), hold.clone());
            orders.spawn(async move { customer.order(&hold).await.expect(201).body.to_string() });
        }
        assert_eq!(orders.join_all().await.into_iter().collect::<HashSet<_>>().len(), 1);
        // 10,000 points, 8,000 due twice: one succeeds.
        let mut payments = JoinSet::new();
        for (index, hold) in held.iter().enumerate() {
            let customer = customer.at(&instances[index]);
            let order = customer.order(&hold.id()).await.expect(201).id();
            payments.spawn(async move { customer.pay(&order).await });
        }
        let (paid, refused): (Vec<_>, Vec<_>) = payments.join_all().await.into_iter().partition(|a| a.status == 201);
        assert_eq!((paid.len(), refused.len()), (1, 1));
        refused[0].clone().refused(409, "insufficient-balance");
        assert_eq!(customer.balance().await, 2_000);
        let path = format!("/v1/orders/{}/cancel", paid[0].body["order"]["id"].as_str().unwrap());
        customer.post(&path, Some("c"), json!({})).await.expect(200);
        assert_eq!(customer.balance().await, 10_000);
    }
    is_consistent(&server.address()).await;
}
