//! The checker is worth something only if it finds what is broken: each kind of damage, planted past the service.

use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::world::World;

/// A world with one of everything: a live hold, a pending order, a paid one, a refunded one.
async fn lively() -> World {
    let world = World::new().await;
    world.customer().await.hold("a", &["A-1-1", "A-1-2"]).await.expect(201);
    let pending = world.customer().await;
    pending.order(&pending.hold("a", &["A-1-3"]).await.expect(201).id()).await.expect(201);
    world.customer().await.buy("a", &["B-1-1", "B-1-2"]).await;
    let refunded = world.customer().await;
    let order = refunded.buy("a", &["C-1-1"]).await.body["order"]["id"].as_str().unwrap().to_owned();
    refunded.post(&format!("/v1/orders/{order}/cancel"), Some("c"), serde_json::json!({})).await.expect(200);
    world.is_consistent().await;
    world
}

/// Each planted damage is found under its invariant; clean rows raise nothing (checked before each).
#[tokio::test]
async fn every_kind_of_damage_is_found() {
    let damages: [(&str, &str, &'static str); 20] = [
        ("seat outside the hall", "B1", "UPDATE unit_state SET unit = 'Z-9-9' WHERE state = 'sold' AND unit = 'B-1-1'"),
        ("seat of someone without hold", "B1", "UPDATE unit_state SET owner = 'nobody' WHERE unit = 'A-1-1'"),
        (
            "sold seat without order",
            "B1",
            "UPDATE unit_state SET state = 'sold', expires_at = NULL WHERE unit = 'A-1-1'",
        ),
        ("paid line without seat", "B1", "DELETE FROM unit_state WHERE unit = 'B-1-1'"),
        ("paid order with an unsold line", "B1", "UPDATE order_line SET state = 'pending' WHERE unit = 'B-1-1'"),
        ("above the limit", "B1", "UPDATE event SET max_units_per_customer = 1"),
        ("paid after the deadline", "B3", "UPDATE orders SET deadline = deadline + 1 WHERE state = 'paid'"),
        (
            "seat held longer than its hold",
            "B3",
            "UPDATE unit_state SET expires_at = expires_at + 1 WHERE unit = 'A-1-1'",
        ),
        ("hold with a seat missing", "B4", "DELETE FROM unit_state WHERE unit = 'A-1-2'"),
        ("hold without lines", "B4", "DELETE FROM hold_line WHERE unit IN ('A-1-1', 'A-1-2')"),
        ("released hold that keeps its seats", "B4", "UPDATE hold SET state = 'released' WHERE state = 'active'"),
        ("consumed hold without order", "B5", "UPDATE hold SET state = 'consumed' WHERE state = 'active'"),
        ("total that is not the sum", "B5", "UPDATE orders SET total = total - 1 WHERE state = 'pending'"),
        ("paid order without payment", "B5", "UPDATE payment SET state = 'declined'"),
        (
            "refund without cancellation",
            "B5",
            "UPDATE refund SET order_id = (SELECT id FROM orders WHERE state = 'paid')",
        ),
        ("cached balance", "B8", "UPDATE account SET credits = credits + 1 WHERE kind = 'seller'"),
        ("balance below zero", "B8", "UPDATE transfer SET amount = 1 WHERE kind = 'grant'"),
        ("payment without transfer", "B8", "DELETE FROM transfer WHERE kind = 'payment'"),
        ("transfer without payment", "B8", "UPDATE transfer SET ref = 'nothing' WHERE kind = 'refund'"),
        ("key without answer", "B11", "UPDATE idempotency SET answer = NULL WHERE route = 'create_hold'"),
    ];
    let world = lively().await;
    for (index, (what, invariant, damage)) in damages.into_iter().enumerate() {
        let copy = world.directory.path().join(format!("damaged-{index}.db")).display().to_string();
        sqlx::query("VACUUM INTO $1").bind(&copy).execute(&mut world.rows().await).await.unwrap();
        let copy = format!("sqlite:{copy}");
        let clean = findings(&copy, &world).await;
        assert!(clean.is_empty(), "{clean:#?}");

        let mut rows = SqliteConnection::connect(&copy).await.unwrap();
        rows.execute("PRAGMA foreign_keys = OFF").await.unwrap();
        rows.execute("PRAGMA ignore_check_constraints = ON").await.unwrap();
        let changed = rows.execute(damage).await.unwrap().rows_affected();
        rows.close().await.unwrap();
        assert!(changed > 0, "{what}: nothing was damaged");
        let findings = findings(&copy, &world).await;
        let found = findings.iter().any(|finding| finding.invariant == invariant && finding.violations() > 0);
        assert!(found, "{what}: not found under {invariant}: {findings:#?}");
    }
    world.is_consistent().await;
}

async fn findings(address: &str, world: &World) -> Vec<booking_api::Finding> {
    let database = booking_api::Database::open_to_read(address).await.unwrap();
    booking_api::check(&database, &*world.clock).await.unwrap()
}
