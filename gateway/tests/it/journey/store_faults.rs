//! The store is away: nobody new is admitted, nobody admitted is thrown out, nobody who waits is sent away (N18), and who
//! comes meanwhile gets a place in the order of arrival.

use super::ask::Ask;
use super::redis_server::RedisServer;
use super::redis_signal::RedisProcess;
use super::wait::eventually;
use super::{Gateway, ONE_SLOT, Occupied, Origin, Setup};

const JOIN: &str = "/_usher/concert/join";

/// A Redis that is down at the start keeps nobody out for ever: the gateway is up and says no, and works without a
/// restart once Redis is there.
#[tokio::test]
async fn redis_is_down_at_the_start() {
    let Some(mut redis) = RedisServer::start() else { return };
    redis.kill();
    let origin = Origin::start().await;
    let gateway = Gateway::start(&Setup::before(&origin).room(ONE_SLOT).redis(&redis.url())).await;
    gateway.admin("/livez").await.expect(200);
    let unready = gateway.admin("/readyz").await.expect(503).text();
    assert!(unready.contains("[-] store of room concert"), "{unready}");
    let queued = gateway.send(Ask::get("/")).await.expect(429);
    assert_eq!(queued.problem(), "/queued");
    let mut arrivals = [gateway.visitor(), gateway.visitor()];
    for arrival in &mut arrivals {
        let document = arrival.join().await;
        assert_eq!((&document["state"], &document["degraded"]), (&"waiting".into(), &true.into()), "{document}");
        assert_eq!(document["position"], serde_json::Value::Null, "nobody knows it yet");
    }
    gateway.send(Ask::get("/_usher/concert/position")).await.expect(401);
    assert_eq!(gateway.send(Ask::get("/_usher/concert")).await.expect(200).json()["degraded"], true);
    let page = gateway.send(Ask::page("/").header("accept-language", "en")).await.expect(200);
    assert!(page.text().contains("<html lang=\"en\">"), "{}", page.text());
    gateway.send(Ask::get("/assets/x")).await.expect(200);
    gateway.send(Ask::get("/_usher/jwks.json")).await.expect(200);
    assert_eq!(gateway.metrics().await.value("usher_store_up"), 0.0);
    assert_eq!(origin.seen().len(), 1, "only the open path");

    redis.start_again();
    gateway.becomes_ready().await;
    assert_eq!(gateway.metrics().await.value("usher_store_up"), 1.0);
    let [first, second] = &mut arrivals;
    first.enters().await;
    second.stands_at(1).await;
}

/// A Redis that hangs in mid-run: admitted visitors go on, waiting ones see their last position and that it is the last
/// known, arrivals are told to come back; when it answers again everything goes on from there.
#[tokio::test]
async fn redis_hangs_in_mid_run() {
    let Some(redis) = RedisServer::start() else { return };
    let Occupied { gateway, mut insider, origin: _origin } =
        Occupied::of(|setup: Setup| setup.redis(&redis.url())).await;
    let (mut first, mut second) = (gateway.visitor(), gateway.visitor());
    first.join().await;
    second.join().await;
    second.stands_at(2).await;
    let process = RedisProcess::of(&redis).await;
    process.freeze();

    let mut arrival = gateway.visitor();
    assert_eq!(arrival.join().await["position"], serde_json::Value::Null);
    assert_eq!(gateway.send(Ask::get("/")).await.expect(429).problem(), "/queued");

    let degraded = second.polls_until("seen=2", "the notice", |document| document["degraded"] == true).await;
    assert_eq!((&degraded["state"], &degraded["position"]), (&"waiting".into(), &2.into()), "{degraded}");
    insider.send(Ask::get("/v1/events")).await.expect(200);
    insider.send(Ask::post("/v1/holds").body("seat 4")).await.expect(200);
    let page = second.send(Ask::page("/")).await.expect(200);
    assert!(page.text().contains("data-position=\"2\""), "a page for who waits: {}", page.text());
    gateway.admin("/readyz").await.expect(503);
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.value("usher_store_up"), 0.0);

    process.thaw();
    gateway.becomes_ready().await;
    let restored = second.polls_until("seen=2", "the end of it", |document| document["degraded"] == false).await;
    assert_eq!(restored["position"], 2, "{restored}");
    insider.leave().await;
    first.enters().await;
    second.stands_at(1).await;
    // It came while the store was frozen, like the other one that did not ask again.
    arrival.stands_at(2).await;
}

/// `fail_mode = "open"`: who comes and who waits is let in while Redis is away, whatever the cohort; but not before the
/// opening (N5). Afterwards those sessions count.
#[tokio::test]
async fn an_open_room_lets_in_without_redis() {
    let Some(mut redis) = RedisServer::start() else { return };
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).redis(&redis.url()).room(ONE_SLOT).room("fail_mode = \"open\"\n");
    let gateway = Gateway::ready(&setup).await;
    let _insider = gateway.admitted().await;
    let mut waiting = gateway.visitor();
    waiting.join().await;
    waiting.stands_at(1).await;
    redis.kill();
    waiting.enters().await;
    let mut arrival = gateway.visitor();
    arrival.send(Ask::page("/")).await.expect(200);
    assert!(arrival.ticket().is_some());
    arrival.send(Ask::get("/v1/events")).await.expect(200);
    let metrics = gateway.metrics().await;
    assert!(metrics.value("usher_decisions_total{outcome=\"fail_open\",room=\"concert\"}") >= 1.0);

    redis.start_again();
    gateway.becomes_ready().await;
    gateway.knows_of_sessions(3).await;
    assert_eq!(gateway.visitor().join().await["state"], "waiting");
    arrival.send(Ask::get("/v1/events")).await.expect(200);
}

/// N5 outranks `fail_mode`: before the opening nobody is let in, Redis or not.
#[tokio::test]
async fn an_open_room_keeps_its_opening() {
    let Some(mut redis) = RedisServer::start() else { return };
    let origin = Origin::start().await;
    let event = "[[room.event]]\nname = \"sale\"\nevent_start_time = \"2099-01-01T00:00:00Z\"\n";
    let setup = Setup::before(&origin).redis(&redis.url()).room("fail_mode = \"open\"\n").more(event);
    let gateway = Gateway::ready(&setup).await;
    let mut visitor = gateway.visitor();
    visitor.join().await;
    redis.kill();
    let told = visitor.polls_until("", "an answer without Redis", |document| document["degraded"] == true).await;
    assert_eq!(told["state"], "lobby");
    assert!(visitor.ticket().is_none());
    gateway.send(Ask::get("/")).await.expect(429);
    assert!(origin.seen().is_empty());
}

/// A Redis that is gone: the same, and whoever is in stays in.
#[tokio::test]
async fn redis_dies_in_mid_run() {
    let Some(mut redis) = RedisServer::start() else { return };
    let Occupied { gateway, mut insider, origin: _origin } =
        Occupied::of(|setup: Setup| setup.redis(&redis.url())).await;
    let mut visitor = gateway.visitor();
    visitor.join().await;
    visitor.stands_at(1).await;
    redis.kill();
    let degraded = visitor.polls_until("", "the notice", |document| document["degraded"] == true).await;
    assert_eq!(degraded["position"], 1, "{degraded}");
    let document = gateway.send(Ask::post(JOIN)).await.expect(201).json();
    assert_eq!(document["position"], serde_json::Value::Null, "{document}");
    // The visit cannot be ended at the store, but the answer of the upstream is the visitor's all the same.
    insider.send(Ask::get("/session/extend=300")).await.expect(200);
    insider.send(Ask::get("/session/complete")).await.expect(200);
    let log = gateway.process.log();
    assert!(log.contains("the store cannot decide"), "{log}");
}

/// A replica that stands still: who would be let in gets a place and is told to wait, and enters with it when the replica
/// goes on. Whoever was let in before goes on all the while.
#[tokio::test]
async fn a_replica_hangs_in_mid_run() {
    let options = |more: &[&str]| {
        let more: Vec<_> = more.iter().map(ToString::to_string).collect();
        move |port: u16, _: &std::path::Path| {
            ["--port".to_owned(), port.to_string()].into_iter().chain(more.clone()).collect()
        }
    };
    let Some(primary) = RedisServer::start_with(options(&["--repl-diskless-sync-delay", "0"])) else { return };
    let of = format!("127.0.0.1 {}", primary.port());
    let replica = RedisServer::start_with(options(&["--replicaof", &of])).unwrap();
    eventually("a replica that follows", async || {
        RedisProcess::info(&primary).await.contains("state=online").then_some(())
    })
    .await;
    let origin = Origin::start().await;
    let two = ONE_SLOT.replace("total_active_users = 1", "total_active_users = 2");
    let gateway = Gateway::start(&Setup::before(&origin).room(&two).redis(&primary.url())).await;
    let mut insider = gateway.admitted().await;

    replica.freeze();
    let mut visitor = gateway.visitor();
    let joined = visitor.join().await;
    assert_ne!(joined["state"], "admitted", "{joined}");
    let polled = visitor.position("").await;
    assert_ne!(polled["state"], "admitted", "{polled}");
    assert!(visitor.ticket().is_none());
    insider.send(Ask::get("/v1/events")).await.expect(200);

    replica.thaw();
    visitor.enters().await;
    visitor.send(Ask::get("/v1/events")).await.expect(200);
}
