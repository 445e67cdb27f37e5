//! The upstream fails: the visitor is told so, keeps place and session, and gets through when it is back.

use std::time::Duration;

use gateway::clock;

use super::ask::Ask;
use super::origin::Origin;
use super::usher::Reserved;
use super::{Gateway, ONE_SLOT, Occupied, Setup};

/// An upstream that is down is a page for people and a problem for programs, at once, and the ticket is kept: nobody
/// waits again because of it.
#[tokio::test]
async fn an_upstream_that_is_down() {
    let nobody = Reserved::new();
    let gateway = Gateway::ready(&Setup::before_address(nobody.address).room(ONE_SLOT)).await;
    let mut visitor = gateway.visitor();
    let page = visitor.send(Ask::page("/").header("accept-language", "en")).await.expect(502);
    assert!(page.text().contains("<html lang=\"en\">"), "{}", page.text());
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(visitor.ticket().is_some(), "admitted all the same");
    assert!(!page.text().contains(&nobody.address.to_string()), "the inside is not shown");
    let problem = visitor.send(Ask::post("/v1/holds").body("x")).await.expect(502);
    assert_eq!(problem.problem(), "/upstream-unavailable");
    assert!(!problem.text().contains(&nobody.address.to_string()));
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.value("usher_upstream_up{upstream=\"booking\"}"), 0.0);
    assert!(metrics.value("usher_upstream_errors_total{reason=\"connect\",upstream=\"booking\"}") >= 2.0);
}

/// An upstream that stops in mid-run and comes back: the same ticket works again.
#[tokio::test]
async fn an_upstream_that_goes_away() {
    let Occupied { origin, mut insider, gateway: _gateway } = Occupied::new().await;
    drop(origin);
    assert_eq!(insider.send(Ask::get("/")).await.expect(502).problem(), "/upstream-unavailable");
    assert_eq!(insider.position("").await["state"], "admitted");
}

/// An upstream that hangs costs no more than the configured patience, and is not asked a second time for what may have
/// had an effect (N25).
#[tokio::test]
async fn an_upstream_that_hangs() {
    let patience = |setup: Setup| setup.upstream("response_timeout = \"300ms\"\n");
    let Occupied { origin, mut insider, gateway: _gateway } = Occupied::of(patience).await;
    let before = origin.seen().len();
    let began = clock::monotonic();
    let answer = insider.send(Ask::post("/hang").body("pay")).await.expect(504);
    assert_eq!(answer.problem(), "/upstream-timeout");
    let took = clock::monotonic().duration_since(began);
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
    let page = insider.send(Ask::page("/hang")).await.expect(504);
    assert!(page.text().contains("<html"), "{}", page.text());
    assert_eq!(origin.seen().len(), before + 2, "each was asked once");
    insider.send(Ask::get("/")).await.expect(200);
}

/// An upstream with no connection to spare is told as busy, not as broken.
#[tokio::test]
async fn an_upstream_that_is_busy() {
    let narrow = |setup: Setup| setup.upstream("max_connections = 1\npool_wait = \"100ms\"\n");
    let Occupied { origin, gateway, mut insider } = Occupied::of(narrow).await;
    let ticket = insider.ticket().unwrap();
    let address = gateway.address;
    let slow = tokio::spawn(Ask::get("/slow").header("usher-ticket", &ticket).send(address));
    super::wait::eventually("the slow request", async || {
        origin.seen().iter().find(|seen| seen.target == "/slow").cloned()
    })
    .await;
    assert_eq!(insider.send(Ask::get("/")).await.expect(503).problem(), "/upstream-busy");
    origin.release();
    slow.await.unwrap().expect(200);
    insider.send(Ask::get("/")).await.expect(200);
}

/// Connections are kept on both sides: a visit of many clicks costs the upstream one connection a core, not one a
/// click.
#[tokio::test]
async fn a_keep_alive_connection_carries_many_requests() {
    let Occupied { origin, gateway, insider } = Occupied::new().await;
    let before = origin.seen().len();
    let mut connection = super::ask::connect(gateway.address).await.unwrap();
    for _ in 0..50 {
        let ask = Ask::get("/").header("usher-ticket", &insider.ticket().unwrap());
        super::ask::exchange(&mut connection, ask.into_request()).await.unwrap().expect(200);
    }
    assert_eq!(origin.seen().len(), before + 50);
    let metrics = gateway.metrics().await;
    let opened = metrics.value("usher_upstream_connections{state=\"idle\",upstream=\"booking\"}");
    assert!((1.0..=2.0).contains(&opened), "{opened} connections for one visitor at a time");
}

/// Health checks are made by the running gateway: an upstream that does not pass them is not asked, and is as soon as it
/// passes.
#[tokio::test]
async fn an_upstream_that_does_not_pass_its_checks() {
    let origin = Origin::start().await;
    let checks = "[upstream.health_check]\npath = \"/slow\"\ninterval = \"50ms\"\ntimeout = \"300ms\"\n";
    let gateway = Gateway::ready(&Setup::before(&origin).upstream(checks).room(ONE_SLOT)).await;
    let up = async |wanted: f64| {
        let name = "usher_upstream_endpoint_up{endpoint=\"0\",upstream=\"booking\"}";
        (gateway.metrics().await.value(name) == wanted).then_some(())
    };
    super::wait::eventually("it is found unwell", async || up(0.0).await).await;
    let mut visitor = gateway.visitor();
    let answer = visitor.send(Ask::page("/")).await.expect(503);
    assert_eq!(answer.header("retry-after"), "1");
    origin.release();
    super::wait::eventually("it is found well", async || up(1.0).await).await;
    visitor.send(Ask::page("/")).await.expect(200);
}

/// An upstream that fails again and again is left alone for a while: visitors are told so at once, with when to come
/// back, keep their tickets, and get through when it is well again.
#[tokio::test]
async fn an_upstream_that_fails_is_left_alone() {
    let breaker = "response_timeout = \"300ms\"\nfailure_threshold = 2\nejection_time = \"1s\"\n";
    let Occupied { origin, mut insider, gateway } = Occupied::of(|setup| setup.upstream(breaker)).await;
    let before = origin.seen().len();
    for _ in 0..2 {
        insider.send(Ask::get("/hang")).await.expect(504);
    }
    let began = clock::monotonic();
    let answer = insider.send(Ask::get("/")).await.expect(503);
    assert_eq!((answer.problem().as_str(), answer.header("retry-after")), ("/upstream-unavailable", "1"));
    let page = insider.send(Ask::page("/")).await.expect(503);
    assert!(page.text().contains("<html") && page.header("retry-after") == "1", "{}", page.text());
    if clock::monotonic().duration_since(began) < Duration::from_secs(1) {
        assert_eq!(origin.seen().len(), before + 2, "nothing more was sent");
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.value("usher_upstream_up{upstream=\"booking\"}"), 0.0);
    assert!(metrics.value("usher_upstream_errors_total{reason=\"ejected\",upstream=\"booking\"}") >= 2.0);
    assert_eq!(insider.position("").await["state"], "admitted");
    super::wait::eventually("it is asked again", async || {
        (insider.send(Ask::get("/")).await.status == 200).then_some(())
    })
    .await;
    insider.send(Ask::get("/")).await.expect(200);
    insider.send(Ask::get("/")).await.expect(200);
    assert_eq!(gateway.metrics().await.value("usher_upstream_up{upstream=\"booking\"}"), 1.0);
}
