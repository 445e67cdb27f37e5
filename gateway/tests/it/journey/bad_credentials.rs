//! Tokens and tickets that are no good: each is nothing, and nobody is told why (N12, N14, N15).

use std::time::Duration;

use queue_core::RoomId;
use serde_json::json;

use super::ask::Ask;
use super::credential::{self, read_ticket};
use super::setup::{ROOM, room};
use super::{Gateway, ONE_SLOT, Occupied, Origin, Setup};

const POSITION: &str = "/_usher/concert/position";
const HOUR: Duration = Duration::from_secs(3_600);

/// The text with one character of its middle changed.
fn broken(text: &str, part: usize) -> String {
    let mut parts: Vec<String> = text.split('.').map(str::to_owned).collect();
    let middle = parts[part].len() / 2;
    let other = if &parts[part][middle..=middle] == "A" { "B" } else { "A" };
    parts[part].replace_range(middle..=middle, other);
    parts.join(".")
}

/// Whatever is wrong with a ticket, it opens nothing: its holder stands where somebody without one stands.
#[tokio::test]
async fn a_bad_ticket_opens_nothing() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).room(ONE_SLOT);
    let gateway = Gateway::start(&setup).await;
    let insider = gateway.admitted().await;
    let good = insider.ticket().unwrap();
    let now = gateway::clock::now();
    let ring = setup.ring();
    let minted = ring.sign_admission(&credential::ticket(&room(), now, HOUR));
    gateway.send(Ask::get("/").header("usher-ticket", &minted)).await.expect(200);
    let before = origin.seen().len();

    let foreign = Setup::before(&origin).ring().sign_admission(&credential::ticket(&room(), now, HOUR));
    let other_room = RoomId::new("circus").unwrap();
    let bad = [
        ("nothing", String::new()),
        ("no token at all", "x".to_owned()),
        ("unsigned", format!("{}.{}.", "eyJhbGciOiJub25lIn0", good.split('.').nth(1).unwrap())),
        ("another header", broken(&good, 0)),
        ("another claim", broken(&good, 1)),
        ("another signature", broken(&good, 2)),
        ("padded", format!("{good}=")),
        ("cut", good[..good.len() - 1].to_owned()),
        ("expired", ring.sign_admission(&credential::ticket(&room(), now - HOUR, HOUR / 2))),
        ("not yet valid", ring.sign_admission(&credential::ticket(&room(), now + HOUR, HOUR))),
        ("of another room", ring.sign_admission(&credential::ticket(&other_room, now, HOUR))),
        ("of a foreign key", foreign),
        ("a queue token", insider.token().unwrap()),
        ("a forged queue token", ring.sign_queue_token(&credential::token(&room(), now, HOUR))),
        ("oversized", format!("{good}{}", "A".repeat(1_024))),
    ];
    for (name, ticket) in &bad {
        let by_header = gateway.send(Ask::get("/v1/events").header("usher-ticket", ticket)).await.expect(429);
        assert_eq!(by_header.problem(), "/queued", "{name}");
        let cookie = format!("usher-ticket-{ROOM}={ticket}");
        let page = gateway.send(Ask::page("/").header("cookie", &cookie)).await.expect(200);
        assert!(page.text().contains("data-phase="), "{name}: {}", page.text());
    }
    assert_eq!(origin.seen().len(), before, "something slipped by");
    let metrics = gateway.metrics().await;
    for result in ["malformed", "expired", "signature", "audience"] {
        let series = format!("usher_ticket_verifications_total{{result=\"{result}\",room=\"{ROOM}\"}}");
        assert!(metrics.value(&series) >= 1.0, "{result}");
    }
    let log = gateway.process.log();
    assert!(bad.iter().filter(|(_, ticket)| ticket.len() > 8).all(|(_, ticket)| !log.contains(ticket)), "N17");
}

/// Several cookies of one name mean that somebody else may have set one: none of them counts, even if all are good.
#[tokio::test]
async fn several_credentials_are_none() {
    let Occupied { gateway, insider, origin: _origin } = Occupied::new().await;
    let ticket = insider.ticket().unwrap();
    let (name, token) = (format!("usher-ticket-{ROOM}"), insider.token().unwrap());
    gateway.send(Ask::get("/").header("cookie", &format!("a=b; {name}={ticket}"))).await.expect(200);
    gateway.send(Ask::get("/").header("cookie", &format!("{name}={ticket}; {name}={ticket}"))).await.expect(429);
    let apart = Ask::get("/").header("cookie", &format!("{name}={ticket}")).header("cookie", &format!("{name}=x"));
    gateway.send(apart).await.expect(429);
    let headers = Ask::get("/").header("usher-ticket", &ticket).header("usher-ticket", &ticket);
    gateway.send(headers).await.expect(429);
    let queue = format!("usher-queue-{ROOM}={token}");
    let tokens = Ask::get(POSITION).header("cookie", &format!("{queue}; {queue}"));
    assert_eq!(gateway.send(tokens).await.expect(401).problem(), "/bad-token");
}

/// A poll with a token that is no good is told to join again; a join with one gives a new place, and never another's.
#[tokio::test]
async fn a_bad_token_is_no_place() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).room(ONE_SLOT);
    let gateway = Gateway::start(&setup).await;
    let insider = gateway.admitted().await;
    let mut visitor = gateway.visitor();
    visitor.join().await;
    let good = visitor.token().unwrap();
    let (ring, now) = (setup.ring(), gateway::clock::now());
    let foreign = Setup::before(&origin).ring().sign_queue_token(&credential::token(&room(), now, HOUR));
    let other_room = RoomId::new("circus").unwrap();
    let bad = [
        String::new(),
        "x.y.z".to_owned(),
        broken(&good, 0),
        broken(&good, 1),
        broken(&good, 2),
        ring.sign_queue_token(&credential::token(&room(), now - HOUR, HOUR / 2)),
        ring.sign_queue_token(&credential::token(&other_room, now, HOUR)),
        foreign,
        insider.ticket().unwrap(),
        format!("{good}{}", "A".repeat(1_024)),
    ];
    let kept = credential::read_token(&ring, &good).place;
    for (count, token) in bad.iter().enumerate() {
        let poll = gateway.send(Ask::get(POSITION).header("usher-token", token)).await.expect(401);
        assert_eq!(poll.problem(), "/bad-token", "{token}");
        let join = gateway.send(Ask::post("/_usher/concert/join").json(&json!({"token": token}))).await.expect(201);
        let place = credential::read_token(&ring, join.json()["token"].as_str().unwrap()).place;
        assert_eq!(place, kept.plus(1 + count as u32), "a new place each");
        let leave = gateway.send(Ask::post("/_usher/concert/leave").header("usher-token", token)).await.expect(401);
        assert_eq!(leave.problem(), "/bad-token");
    }
    gateway.send(Ask::get(POSITION)).await.expect(401);
    visitor.stands_at(1).await;
    assert_eq!(read_ticket(&ring, &insider.ticket().unwrap()).room, room());
}
