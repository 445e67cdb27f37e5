//! The end of a gateway: nothing that could finish is lost (N30).

use super::ask::Ask;
use super::wait::{PATIENCE, eventually};
use super::{Gateway, ONE_SLOT, Occupied, Origin, Setup};

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

/// A planned restart with a memory store: places, positions and the visit under way are what they were, and what was taken up
/// is not taken up twice.
#[tokio::test]
async fn rooms_outlive_a_planned_restart() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).room(ONE_SLOT).store("snapshot_file = \"rooms.json\"\n");
    let mut gateway = Gateway::ready(&setup).await;
    let insider = gateway.admitted().await;
    let mut line = [gateway.visitor(), gateway.visitor()];
    for visitor in &mut line {
        visitor.join().await;
    }
    gateway.process.signal("TERM");
    assert_eq!(gateway.process.ended().await, Some(0), "{}", gateway.process.log());

    let mut gateway = Gateway::ready(&setup).await;
    insider.moved_to(gateway.address).send(Ask::get("/")).await.expect(200);
    let mut line = line.map(|visitor| visitor.moved_to(gateway.address));
    line[0].stands_at(1).await;
    line[1].stands_at(2).await;
    gateway.visitor().join().await;
    insider.moved_to(gateway.address).send(Ask::get("/session/complete")).await.expect(200);
    line[0].enters().await;
    gateway.process.signal("KILL");
    gateway.process.ended().await;

    let gateway = Gateway::ready(&setup).await;
    assert_eq!(gateway.metrics().await.value("usher_line_length{room=\"concert\"}"), 0.0, "an old state was taken up");
}
