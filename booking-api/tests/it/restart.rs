//! What was answered is there after the end of the process.

use booking_api::Settings;
use booking_api::seed::Seed;

use crate::world::{HOLD, START, World};

/// Holds, orders, balances, keys and sign-ins survive a restart; time that passed meanwhile has passed.
#[tokio::test]
async fn a_restart_keeps_everything() {
    let world = World::new().await;
    let (owner, buyer) = (world.customer().await, world.customer().await);
    let held = owner.hold("a", &["A-1-1"]).await.expect(201);
    let bought = buyer.buy("a", &["A-1-2"]).await;
    let [owner_token, buyer_token] = [owner.token().to_owned(), buyer.token().to_owned()];
    drop((owner, buyer));
    let directory = world.stop().await;

    let settings = Settings { grant: 1_000_000, ..Settings::default() };
    let world = World::open(directory, Seed::concert("concert", 400), settings, START + HOLD / 2).await;
    let (owner, buyer) = (world.with_token(&owner_token), world.with_token(&buyer_token));
    assert_eq!(owner.hold("a", &["A-1-1"]).await.expect(201).body, held.body);
    assert_eq!(buyer.pay(bought.body["order"]["id"].as_str().unwrap()).await.expect(201).body, bought.body);
    assert_eq!(buyer.balance().await, 1_000_000 - 143_000);
    let stranger = world.customer().await;
    stranger.hold("a", &["A-1-1"]).await.refused(409, "unit-unavailable");
    assert_eq!(stranger.hold("b", &["A-1-2"]).await.refused(409, "unit-unavailable").body["units"][0]["state"], "sold");
    world.clock.advance(HOLD / 2);
    stranger.hold("c", &["A-1-1"]).await.expect(201);
    world.is_consistent().await;
}
