//! Limits on requests as clients meet them, and over several gateways.

use std::time::Duration;

use gateway::clock;

use super::ask::Ask;
use super::redis_server::RedisServer;
use super::wait::eventually;
use super::{Gateway, Origin, Setup};

/// What passes and what does not both say how much is left, in fields that a client can parse.
#[tokio::test]
async fn fields_tell_the_limit() {
    let limit = "[[rate_limit]]\nname = \"per-client\"\nscope = \"client\"\nrate_per_second = 0.05\nburst = 3\n";
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).more(limit)).await;
    for left in [2, 1, 0] {
        let answer = gateway.send(Ask::get("/assets/x")).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), "\"per-client\";q=3;w=60");
        let told = answer.header("ratelimit").to_owned();
        assert!(told.starts_with(&format!("\"per-client\";r={left};t=")), "{told}");
    }
    let refused = gateway.send(Ask::get("/assets/x")).await.expect(429);
    assert_eq!(refused.problem(), "/rate-limited");
    let told = refused.header("ratelimit").to_owned();
    assert_eq!(told, format!("\"per-client\";r=0;t={}", refused.header("retry-after")));
    assert_eq!(refused.header("ratelimit-policy"), "\"per-client\";q=3;w=60");
    let metrics = gateway.metrics().await;
    let checks = |result| format!("usher_rate_limit_checks_total{{limit=\"per-client\",result=\"{result}\"}}");
    assert_eq!((metrics.value(&checks("allowed")), metrics.value(&checks("limited"))), (3.0, 1.0));
    assert_eq!(metrics.value("usher_rate_limit_tracked_keys{limit=\"per-client\"}"), 1.0);
}

/// A ticket makes its holder a visitor wherever it is shown: a shared ticket does not get the open paths for free.
#[tokio::test]
async fn a_visitor_is_limited_on_open_paths_too() {
    let limit = "[[rate_limit]]\nname = \"per-visitor\"\nscope = \"visitor\"\nrate_per_second = 0.05\nburst = 4\n";
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).more(limit)).await;
    let mut visitor = gateway.admitted().await;
    let mut passed = 0;
    while visitor.send(Ask::get("/assets/x")).await.status == 200 {
        passed += 1;
        assert!(passed <= 4);
    }
    visitor.send(Ask::get("/")).await.expect(429);
    gateway.send(Ask::get("/assets/x")).await.expect(200);
}

/// Lease calls, and requests that the limit `all` let through and refused.
async fn counts(gateway: &Gateway) -> [f64; 3] {
    let metrics = gateway.metrics().await;
    let of = |result| metrics.value(&format!("usher_rate_limit_checks_total{{limit=\"all\",result=\"{result}\"}}"));
    [metrics.value("usher_store_operations_total{operation=\"lease\"}"), of("allowed"), of("limited")]
}

/// Two gateways and a Redis: together they let through what one bucket would, and a Redis that goes away stops it where the
/// exact bound was asked for.
#[tokio::test]
async fn two_gateways_share_a_limit() {
    let Some(redis) = RedisServer::start() else { return };
    let (rate, burst) = (50, 40);
    let limit = format!(
        "[[rate_limit]]\nname = \"all\"\nscope = \"upstream\"\nrate_per_second = {rate}\nburst = {burst}\n\
         distributed = true\nfail_mode = \"closed\"\n"
    );
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).redis(&redis.url()).more(&limit);
    let gateways = [Gateway::ready(&setup).await, Gateway::ready(&setup).await];
    eventually("something is leased", async || {
        (gateways[0].send(Ask::get("/assets/x")).await.status == 200).then_some(())
    })
    .await;
    let before = [counts(&gateways[0]).await, counts(&gateways[1]).await];
    let began = clock::monotonic();
    let mut crowd = tokio::task::JoinSet::new();
    for gateway in gateways.iter().cycle().take(16) {
        let address = gateway.address;
        crowd.spawn(async move {
            let mut passed = 0_u64;
            while began.elapsed() < Duration::from_secs(4) {
                passed += u64::from(Ask::get("/assets/x").send(address).await.status == 200);
            }
            passed
        });
    }
    let passed: u64 = crowd.join_all().await.iter().sum();
    let took = began.elapsed();
    // Shared time may be 100 ms ahead by a jump of the host's clock.
    let most = burst + rate * (took.as_millis() as u64 + 100) / 1_000;
    assert!(passed <= most, "{passed} in {took:?}, {most} allowed");
    assert!(passed >= most * 3 / 4, "{passed} in {took:?}, {most} allowed");
    for (gateway, before) in gateways.iter().zip(before) {
        let after = counts(gateway).await;
        let [calls, allowed, limited] = [0, 1, 2].map(|at| after[at] - before[at]);
        println!("{calls} calls for {} decisions, {allowed} passed", allowed + limited);
        assert!(allowed > 0.0);
        // One in 50 decisions; where there are fewer one in 100 ms, and a heartbeat a second.
        let most = ((allowed + limited) / 50.0).max(took.as_secs_f64() * 11.0) + 2.0;
        assert!(calls <= most, "{calls} calls, {most} allowed");
    }
    drop(redis);
    eventually("nothing passes any more", async || {
        let mut refused = true;
        for _ in 0..burst {
            refused &= gateways[1].send(Ask::get("/assets/x")).await.status == 429;
        }
        refused.then_some(())
    })
    .await;
}
