//! What is shown: page, map, snapshot, stock, health.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::world::{HOLD, World};

/// The page asks nothing of anyone else and runs no script but its own, under a policy that says so.
#[tokio::test]
async fn the_page_stands_alone() {
    let world = World::new().await;
    let stranger = world.stranger();
    let mut nonces = Vec::new();
    for (wanted, lang) in [("ko-KR,ko;q=0.9", "ko"), ("en", "en")] {
        let page = stranger.ask(Method::GET, "/", None, None, &[("accept-language", wanted)]).await.expect(200);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let html = page.body.as_str().unwrap();
        assert!(html.contains(&format!("<html lang=\"{lang}\"")) && !html.contains("{{"), "{lang}");
        let mut rest = html;
        while let Some(found) = rest.find("://") {
            let address = &rest[rest[..found].rfind(['"', '\'', ' ']).unwrap_or(0)..];
            assert!(address.contains("www.w3.org"), "asks a third party: {}", &address[..40.min(address.len())]);
            rest = &rest[found + 3..];
        }
        nonces.push(policy.to_owned());
    }
    assert_ne!(nonces[0], nonces[1], "a nonce was used twice");
}

/// A snapshot names what is not available, tells when nothing changed, and shows a hold's end without anyone sweeping.
#[tokio::test]
async fn the_snapshot_follows_the_seats() {
    let world = World::new().await;
    let (customer, stranger) = (world.customer().await, world.stranger());
    let units = "/v1/events/concert/units";
    let empty = stranger.get(units).await.expect(200);
    assert_eq!(empty.body["units"], json!([]));
    let tag = empty.headers["etag"].to_str().unwrap();
    stranger.ask(Method::GET, units, None, None, &[("if-none-match", tag)]).await.expect(304);

    customer.hold("a", &["A-1-1"]).await.expect(201);
    customer.buy("b", &["B-1-1"]).await;
    world.clock.advance(Duration::from_millis(100));
    let answer = stranger.ask(Method::GET, units, None, None, &[("if-none-match", tag)]).await.expect(200);
    let expected = json!([{"unit": "A-1-1", "state": "held"}, {"unit": "B-1-1", "state": "sold"}]);
    assert_eq!(answer.body["units"], expected);
    let section = stranger.get(&format!("{units}?section=B")).await.expect(200);
    assert_eq!(section.body["units"], json!([{"unit": "B-1-1", "state": "sold"}]));
    let stock = stranger.get("/v1/events/concert/stock").await.expect(200);
    let of = |stock: &Value| ["total", "held", "sold", "left"].map(|member| stock[member].as_u64().unwrap());
    assert_eq!(of(&stock.body), [400, 1, 1, 398]);

    world.clock.advance(HOLD);
    let answer = stranger.get(units).await.expect(200);
    assert_eq!(answer.body["units"], json!([{"unit": "B-1-1", "state": "sold"}]));
    assert!(answer.body["version"].as_u64() > empty.body["version"].as_u64());
    let compact = stranger.get(&format!("{units}?view=compact")).await.expect(200);
    let states = compact.body["states"].as_str().unwrap();
    assert_eq!((states.len(), states.matches('s').count(), states.matches('a').count()), (400, 1, 399));
    world.is_consistent().await;
}

/// The map never changes: one version, one tag, every unit once with its place in the compact snapshot.
#[tokio::test]
async fn the_map_is_static() {
    let world = World::new().await;
    let stranger = world.stranger();
    let event = stranger.get("/v1/events").await.expect(200).body["events"][0].clone();
    let path = format!("/v1/events/{}/map", event["id"].as_str().unwrap());
    let map = stranger.get(&format!("{path}?v={}", event["layout"].as_str().unwrap())).await.expect(200);
    assert!(map.headers["cache-control"].to_str().unwrap().contains("immutable"));
    let tag = map.headers["etag"].to_str().unwrap();
    stranger.ask(Method::GET, &path, None, None, &[("if-none-match", tag)]).await.expect(304);
    let mut indexes = Vec::new();
    for section in map.body["sections"].as_array().unwrap() {
        for row in section["rows"].as_array().unwrap() {
            indexes.extend(row["units"].as_array().unwrap().iter().map(|unit| unit["index"].as_u64().unwrap()));
        }
    }
    indexes.sort_unstable();
    assert_eq!(indexes, (0..400).collect::<Vec<_>>());
}

/// Health and metrics are there, and metrics have the names that dashboards use.
#[tokio::test]
async fn health_and_metrics_are_told() {
    let world = World::new().await;
    let stranger = world.stranger();
    stranger.get("/livez").await.expect(200);
    assert_eq!(stranger.get("/readyz").await.expect(200).body["ready"], true);
    world.customer().await.buy("a", &["A-1-1"]).await;
    world.customer().await.hold("a", &["A-1-1"]).await.refused(409, "unit-unavailable");
    let text = stranger.get("/metrics").await.expect(200).body.as_str().unwrap().to_owned();
    for line in [
        "booking_http_requests_total{code=\"201\",operation=\"create_hold\"} 1",
        "booking_http_requests_total{code=\"409\",operation=\"create_hold\"} 1",
        "booking_holds_total{result=\"made\"} 1",
        "booking_holds_total{result=\"refused_early\"} 1",
        "booking_units_sold 1",
        "booking_writer_queue_depth 0",
        "booking_http_request_duration_seconds_count{operation=\"pay_order\"} 1",
        "booking_writer_batch_size_count",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
