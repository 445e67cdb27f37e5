//! Redis forgets: nobody's place is lost, old places stay ahead of new ones, and nobody is let in who should not be.

use serde_json::Value;

use super::ask::Ask;
use super::credential::read_token;
use super::redis_server::RedisServer;
use super::redis_signal::RedisProcess;
use super::visitor::Visitor;
use super::wait::eventually;
use super::{Gateway, Occupied, Origin, Setup};

const JOIN: &str = "/_usher/concert/join";

async fn holds(gateway: &Gateway) -> f64 {
    gateway.metrics().await.value("usher_hold_seconds{room=\"concert\"}")
}

/// N1, N6, N9: everything is gone in mid-run. Whoever is in stays in; whoever waits keeps the position, told that it is the
/// last known, and is in the same order afterwards; newcomers are behind; calls are held and then go on, without a
/// restart.
#[tokio::test]
async fn redis_forgets_everything() {
    let Some(redis) = RedisServer::start() else { return };
    let Occupied { gateway, mut insider, origin: _origin } =
        Occupied::of(|setup: Setup| setup.redis(&redis.url())).await;
    let mut line: Vec<Visitor> = Vec::new();
    for _ in 0..5 {
        let mut visitor = gateway.visitor();
        visitor.join().await;
        line.push(visitor);
    }
    line[4].stands_at(5).await;
    let epoch = gateway.metrics().await.value("usher_epoch{room=\"concert\"}");
    let tokens: Vec<_> = line.iter().map(|visitor| visitor.token().unwrap()).collect();

    RedisProcess::flush(&redis).await;
    eventually("the hold", async || (holds(&gateway).await > 0.0).then_some(())).await;
    assert!(gateway.metrics().await.value("usher_epoch{room=\"concert\"}") > epoch);
    insider.send(Ask::get("/")).await.expect(200);
    for (index, visitor) in line.iter_mut().enumerate().rev() {
        let document = visitor.poll("").await.expect(200).json();
        let expected = (&Value::from("waiting"), &Value::from(index + 1), &Value::from(true));
        assert_eq!((&document["state"], &document["position"], &document["degraded"]), expected, "{document}");
    }
    let mut newcomer = gateway.visitor();
    assert_eq!(newcomer.join().await["position"], Value::Null, "others may have come before");
    let page = line[0].send(Ask::page("/").header("accept-language", "en")).await.expect(200).text();
    assert!(page.contains("data-position=\"1\"") && page.contains("your place is safe"), "{page}");

    eventually("the end of the hold", async || {
        // Everybody who polls is heard before the hold is over.
        for visitor in &mut line {
            visitor.poll("").await;
        }
        (holds(&gateway).await == 0.0).then_some(())
    })
    .await;
    for (index, visitor) in line.iter_mut().enumerate() {
        visitor.stands_at(index as u64 + 1).await;
    }
    newcomer.stands_at(6).await;
    insider.send(Ask::get("/session/complete")).await.expect(200);
    line[0].enters().await;
    line[1].stands_at(1).await;
    for (visitor, token) in line.iter().zip(&tokens).skip(1) {
        assert_eq!(visitor.token().as_ref(), Some(token), "the place is the same");
    }
    assert_eq!(gateway.metrics().await.value("usher_unknown_sessions{room=\"concert\"}"), 0.0);
}

/// All gateways and Redis are started again at once: only tokens and tickets survive. The first token that is shown
/// proves the loss; places and order are what they were, and the admitted go on.
#[tokio::test]
async fn everything_is_started_again() {
    let Some(mut redis) = RedisServer::start() else { return };
    let origin = Origin::start().await;
    let setup = Setup::before(&origin)
        .redis(&redis.url())
        .room("total_active_users = 1\nposition_retention = \"180s\"\n")
        .room("poll_interval = { min = \"250ms\", max = \"1s\" }\n");
    let gateway = Gateway::ready(&setup).await;
    let mut insider = gateway.admitted().await;
    let mut line = [gateway.visitor(), gateway.visitor()];
    for visitor in &mut line {
        visitor.join().await;
    }
    drop(gateway);
    redis.kill();
    // A store that starts empty twice within a third of a second gives the same places twice.
    let killed = gateway::clock::now();
    eventually("a second", async || (gateway::clock::now().since(killed).as_secs() >= 1).then_some(())).await;
    redis.start_again();
    let gateway = Gateway::ready(&setup).await;
    let mut line = line.map(|visitor| visitor.moved_to(gateway.address));
    let ring = setup.ring();
    let places = line.each_ref().map(|visitor| read_token(&ring, &visitor.token().unwrap()).place);
    // The last one asks first.
    line[1].poll("seen=2").await.expect(200);
    eventually("the hold", async || (holds(&gateway).await > 0.0).then_some(())).await;
    let mut newcomer = gateway.visitor();
    newcomer.join().await;
    let new = read_token(&ring, &newcomer.token().unwrap()).place;
    assert!(places.iter().all(|place| *place < new), "{places:?} {new}");
    let mut back = insider.moved_to(gateway.address);
    insider = back.clone();
    back.send(Ask::get("/")).await.expect(200);
    eventually("the end of the hold", async || {
        for visitor in &mut line {
            visitor.poll("").await;
        }
        (holds(&gateway).await == 0.0).then_some(())
    })
    .await;
    line[0].stands_at(1).await;
    line[1].stands_at(2).await;
    newcomer.stands_at(3).await;
    insider.send(Ask::get("/session/complete")).await.expect(200);
    let [first, _] = &mut line;
    first.enters().await;
    assert_eq!(gateway.send(Ask::post(JOIN)).await.expect(201).json()["state"], "waiting");
}
