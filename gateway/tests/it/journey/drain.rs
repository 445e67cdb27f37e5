//! The end of a gateway: nothing that could finish is lost (N30).

use super::ask::Ask;
use super::wait::{PATIENCE, eventually};
use super::{Occupied, Setup};

/// After TERM new connections are refused while a request under way finishes; then the process ends well.
#[tokio::test]
async fn what_is_under_way_finishes() {
    let Occupied { origin, mut gateway, insider } = Occupied::new().await;
    let address = gateway.address;
    let slow = tokio::spawn(Ask::get("/slow").header("usher-ticket", &insider.ticket().unwrap()).send(address));
    eventually("the slow request", async || origin.seen().iter().any(|seen| seen.target == "/slow").then_some(()))
        .await;

    gateway.process.signal("TERM");
    eventually("refused connections", async || tokio::net::TcpStream::connect(address).await.err()).await;
    let mut looks = 0;
    eventually("that it is left in peace", async || {
        assert!(!slow.is_finished());
        looks += 1;
        (looks == 5).then_some(())
    })
    .await;
    origin.release();
    let answer = tokio::time::timeout(PATIENCE, slow).await.expect("an answer").unwrap().expect(200);
    assert_eq!(answer.json()["target"], "/slow", "whole: {}", answer.text());
    assert_eq!(gateway.process.ended().await, Some(0), "{}", gateway.process.log());
    assert!(gateway.process.log().contains("ended"), "the last log lines are written");
}

/// What does not finish is cut at the deadline: a drain always ends.
#[tokio::test]
async fn a_drain_has_a_deadline() {
    let short = |setup: Setup| setup.more("[drain]\ndelay = \"0s\"\ntimeout = \"200ms\"\n");
    let Occupied { origin, mut gateway, insider } = Occupied::of(short).await;
    let ask = Ask::get("/hang").header("usher-ticket", &insider.ticket().unwrap());
    let hanging = tokio::spawn(ask.try_send(gateway.address));
    eventually("the hanging request", async || origin.seen().iter().any(|seen| seen.target == "/hang").then_some(()))
        .await;
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.ended().await, Some(0), "{}", gateway.process.log());
    assert!(hanging.await.unwrap().is_err());
    assert!(gateway.process.log().contains("cut at the drain's deadline"), "{}", gateway.process.log());
}

/// Balancers get time to notice: readiness fails at once while visitors are still served; a second signal cuts it
/// short.
#[tokio::test]
async fn readiness_fails_first() {
    let long = |setup: Setup| setup.more("[drain]\ndelay = \"1h\"\ntimeout = \"10s\"\n");
    let Occupied { mut gateway, mut insider, origin: _origin } = Occupied::of(long).await;
    gateway.process.signal("TERM");
    let text = eventually("failing readiness", async || {
        let answer = gateway.admin("/readyz").await;
        (answer.status == 503).then(|| answer.text())
    })
    .await;
    assert!(text.contains("[-] not draining"), "{text}");
    gateway.admin("/livez").await.expect(200);
    insider.send(Ask::get("/")).await.expect(200);
    gateway.process.signal("INT");
    assert_eq!(gateway.process.ended().await, Some(0), "{}", gateway.process.log());
}
