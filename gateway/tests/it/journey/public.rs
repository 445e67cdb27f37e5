//! What anybody may know: the keys, the state of a room; and what is not there.

use std::time::Duration;

use queue_core::ticket::{AdmissionVerifier, Algorithm};
use serde_json::json;

use super::ask::{Ask, raw};
use super::setup::{ISSUER, ROOM, room};
use super::wait::eventually;
use super::{Gateway, ONE_SLOT, Occupied, Origin, Setup};

/// An origin verifies tickets with what the gateway publishes, whatever the algorithm, and with nothing it does not:
/// the secret of an HS256 ring never shows.
#[tokio::test]
async fn published_keys_verify_tickets() {
    let origin = Origin::start().await;
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256] {
        let gateway = Gateway::start(&Setup::before(&origin).algorithm(algorithm)).await;
        let ticket = gateway.admitted().await.ticket().unwrap();
        let answer = gateway.send(Ask::get("/_usher/jwks.json")).await.expect(200);
        assert_eq!(answer.header("content-type"), "application/jwk-set+json");
        assert!(answer.header("cache-control").contains("max-age="), "{:?}", answer.headers);
        if algorithm == Algorithm::Hs256 {
            assert_eq!(answer.json(), json!({"keys": []}));
            continue;
        }
        let verifier = AdmissionVerifier::from_jwks(&answer.text(), ISSUER).unwrap();
        let now = gateway::clock::now();
        let told = verifier.verify(&ticket, &room(), now).unwrap();
        assert!(told.expires_at > now && told.expires_at.since(now) <= Duration::from_secs(300));
        gateway.send(Ask::new(http::Method::HEAD, "/_usher/jwks.json")).await.expect(200);
    }
}

/// Anybody may see how long the line is before joining it; looking takes no place.
#[tokio::test]
async fn the_room_shows_its_state() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    let (mut first, mut second) = (gateway.visitor(), gateway.visitor());
    first.join().await;
    second.join().await;
    let path = format!("/_usher/{ROOM}");
    let state = eventually("both in the line", async || {
        let answer = gateway.send(Ask::get(path.as_str())).await.expect(200);
        assert!(answer.headers.get("set-cookie").is_none());
        Some(answer.json()).filter(|state| state["line_length"] == 2)
    })
    .await;
    assert_eq!((&state["room"], &state["state"]), (&ROOM.into(), &"waiting".into()));
    assert!(state["position"].is_null() && state.get("token").is_none() && state.get("joined_at").is_none(), "{state}");
    assert!(state["estimated_wait_seconds"]["p90"].is_u64(), "for a newcomer: {state}");
    second.stands_at(2).await;
}

/// Before its opening a room is a lobby: nobody enters, and everybody is told when it opens (N5).
#[tokio::test]
async fn nobody_enters_before_the_opening() {
    let origin = Origin::start().await;
    let opens = "2099-12-01T20:00:00+09:00";
    let event = format!("[[room.event]]\nname = \"on-sale\"\nevent_start_time = \"{opens}\"\n");
    let gateway = Gateway::ready(&Setup::before(&origin).room(ONE_SLOT).room(&event)).await;
    let mut visitor = gateway.visitor();
    let page = visitor.send(Ask::page("/")).await.expect(200);
    assert!(page.text().contains("data-phase=\"lobby\""), "{}", page.text());
    let document = visitor.position("").await;
    assert_eq!(document["state"], "lobby", "{document}");
    assert_eq!(document["opens_at"], "2099-12-01T11:00:00.000Z");
    let state = gateway.send(Ask::get(format!("/_usher/{ROOM}"))).await.expect(200).json();
    assert_eq!((&state["state"], &state["opens_at"]), (&"lobby".into(), &document["opens_at"]));
    assert!(origin.seen().is_empty());
}

/// N5, N10: a room that has closed lets nobody in and gives no places, and says so.
#[tokio::test]
async fn nobody_enters_after_the_closing() {
    let origin = Origin::start().await;
    let event = r#"
        [[room.event]]
        name = "on-sale"
        event_start_time = "2026-01-01T00:00:00Z"
        event_end_time = "2026-01-02T00:00:00Z"
    "#;
    let setup = Setup::before(&origin).room(ONE_SLOT).room(event);
    let gateway = Gateway::ready(&setup).await;
    let join = gateway.send(Ask::post("/_usher/concert/join")).await.expect(503);
    assert_eq!(join.problem(), "/room-closed");
    let page = gateway.send(Ask::page("/")).await.expect(503);
    assert!(page.text().contains("<html"), "{}", page.text());
    let token = super::credential::token(&room(), gateway::clock::now(), Duration::from_secs(600));
    let token = setup.ring().sign_queue_token(&token);
    let poll = gateway.send(Ask::get("/_usher/concert/position").header("usher-token", &token)).await.expect(410);
    assert_eq!(poll.problem(), "/room-closed");
    assert!(origin.seen().is_empty());
}

/// A pause of the operator holds everybody where they are, visibly (N5).
#[tokio::test]
async fn queue_all_lets_nobody_in() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).room("queue_all = true\n")).await;
    let mut visitor = gateway.visitor();
    let document = visitor.join().await;
    assert_eq!((&document["state"], &document["position"]), (&"paused".into(), &1.into()), "{document}");
    let page = visitor.send(Ask::page("/")).await.expect(200);
    assert!(page.text().contains("data-phase=\"paused\""), "{}", page.text());
    assert!(document["estimated_wait_seconds"].is_null(), "nobody is called, so nothing is promised: {document}");
    assert!(origin.seen().is_empty());
}

/// A room that is suspended does not guard, and takes no places.
#[tokio::test]
async fn a_suspended_room_is_open() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).room("suspended = true\n")).await;
    let answer = gateway.send(Ask::page("/")).await.expect(200);
    assert!(answer.headers.get("set-cookie").is_none());
    assert_eq!(origin.last().header("usher-visitor"), "");
}

/// What is not there says so, and what is there in another way says in which: a typing mistake must not look like a
/// line.
#[tokio::test]
async fn what_is_not_there_says_so() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin)).await;
    for path in ["/_usher/circus/join", "/_usher/circus", "/_usher/", "/_usher", "/_usher/concert/x", "/_Usher/circus"]
    {
        let answer = gateway.send(Ask::post(path)).await.expect(404);
        assert_eq!(answer.problem(), "/not-found", "{path}");
    }
    for (method, path, allowed) in [
        ("GET", "join", "POST"),
        ("GET", "leave", "POST"),
        ("POST", "position", "GET, HEAD"),
        ("DELETE", "position", "GET, HEAD"),
    ] {
        let ask = Ask::new(method.parse().unwrap(), format!("/_usher/{ROOM}/{path}"));
        let answer = gateway.send(ask).await.expect(405);
        assert_eq!((answer.problem().as_str(), answer.header("allow")), ("/method-not-allowed", allowed), "{path}");
    }
    for path in ["/_usher/jwks.json", "/_usher/concert"] {
        assert_eq!(gateway.send(Ask::post(path)).await.expect(405).header("allow"), "GET, HEAD");
    }
    assert!(origin.seen().is_empty(), "the reserved prefix never reaches the upstream");
    let other_host =
        raw(gateway.address, "GET /_usher/jwks.json HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n").await;
    assert!(other_host.starts_with("HTTP/1.1 200 "), "it answers on every host: {other_host}");
}

/// A room of one host is not another host's room: who asks there is told so.
#[tokio::test]
async fn an_unknown_host_is_told() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).room("host = \"tickets.example.com\"\n")).await;
    assert_eq!(gateway.send(Ask::get("/")).await.expect(421).problem(), "/misdirected");
    let own = raw(gateway.address, "GET / HTTP/1.1\r\nHost: Tickets.Example.com:80\r\nConnection: close\r\n\r\n").await;
    assert!(own.starts_with("HTTP/1.1 200 "), "{own}");
}
