//! Many at once. They wait for each other before they ask: whoever asks later is refused from memory, which is not the
//! rule that is tested here.

use std::collections::HashSet;
use std::sync::Arc;

use booking_api::seed::Seed;
use serde_json::Value;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::world::World;

/// B1: whatever 120 customers try at once over 20 seats, each seat is sold once, all are sold, and every loser is told
/// which seat is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_seat_is_sold_twice() {
    let world = World::with(Seed::concert("concert", 20), 1_000_000).await;
    let mut units = Vec::new();
    collect(&world.stranger().get("/v1/events/concert/map").await.body, &mut units);
    assert_eq!(units.len(), 20);

    let start = Arc::new(Barrier::new(120));
    let mut tasks = JoinSet::new();
    for index in 0..120_usize {
        let (customer, units, start) = (world.customer().await, units.clone(), Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            let mut sold = Vec::new();
            for step in 0..units.len() {
                let unit = &units[(index * 7 + step) % units.len()];
                let answer = customer.hold(&format!("hold-{step}"), &[unit]).await;
                if answer.status == 201 {
                    let order = customer.order(&answer.id()).await.expect(201).id();
                    customer.pay(&order).await.expect(201);
                    sold.push(unit.clone());
                    break;
                }
                let refused = answer.refused(409, "unit-unavailable");
                assert_eq!(refused.body["units"][0]["unit"], *unit);
            }
            sold
        });
    }
    let mut sold: Vec<String> = Vec::new();
    while let Some(result) = tasks.join_next().await {
        sold.extend(result.unwrap());
    }
    assert_eq!((sold.len(), sold.iter().collect::<HashSet<_>>().len()), (20, 20));
    assert_eq!(world.count("SELECT COUNT(*) FROM unit_state WHERE state = 'sold'").await, 20);
    assert_eq!(world.count("SELECT COUNT(*) FROM order_line WHERE state = 'sold'").await, 20);
    world.is_consistent().await;
}

/// B1: 200 customers ask for the same seat in the same moment; exactly one has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_seat_has_one_winner() {
    let world = World::new().await;
    let start = Arc::new(Barrier::new(200));
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let (customer, start) = (world.customer().await, Arc::clone(&start));
        tasks.spawn(async move {
            start.wait().await;
            customer.hold("a", &["A-1-1"]).await
        });
    }
    let answers = tasks.join_all().await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(won, 1);
    for lost in answers.into_iter().filter(|answer| answer.status != 201) {
        assert_eq!(lost.refused(409, "unit-unavailable").body["units"][0]["state"], "held");
    }
    world.is_consistent().await;
}

/// B4: pairs that ask for overlapping sets of 4 get all or nothing, and nobody ends in a deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_sets_are_all_or_nothing() {
    let world = World::with(Seed::concert("concert", 400), 1_000_000).await;
    let mut units = Vec::new();
    collect(&world.stranger().get("/v1/events/concert/map").await.body, &mut units);
    let start = Arc::new(Barrier::new(80));
    let mut tasks = JoinSet::new();
    for pair in 0..40_usize {
        let [one, other] = [[0, 1, 2, 3], [5, 4, 3, 2]].map(|picks| picks.map(|pick| units[pair * 8 + pick].clone()));
        for set in [one, other] {
            let (customer, start) = (world.customer().await, Arc::clone(&start));
            tasks.spawn(async move {
                start.wait().await;
                let set: Vec<&str> = set.iter().map(String::as_str).collect();
                let answer = customer.hold("a", &set).await;
                if answer.status != 201 {
                    answer.clone().refused(409, "unit-unavailable");
                }
                (pair, answer.status == 201)
            });
        }
    }
    let mut winners = vec![0; 40];
    for (pair, won) in tasks.join_all().await {
        winners[pair] += usize::from(won);
    }
    assert!(winners.iter().all(|winners| *winners == 1), "{winners:?}");
    assert_eq!(world.count("SELECT COUNT(*) FROM unit_state").await, 160);
    assert_eq!(world.count("SELECT COUNT(*) FROM hold").await, 40);
    world.is_consistent().await;
}

/// All unit ids of a map.
pub(crate) fn collect(map: &Value, into: &mut Vec<String>) {
    for section in map["sections"].as_array().unwrap() {
        for row in section["rows"].as_array().unwrap() {
            into.extend(row["units"].as_array().unwrap().iter().map(|unit| unit["id"].as_str().unwrap().to_owned()));
        }
    }
}
