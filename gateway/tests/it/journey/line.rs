//! The line: a place, its position, its turn, and giving it up.

use serde_json::json;

use super::ask::Ask;
use super::credential::{read_ticket, read_token};
use super::redis_server::RedisServer;
use super::setup::ROOM;
use super::visitor::Visitor;
use super::wait::eventually;
use super::{Gateway, ONE_SLOT, Occupied, Origin, Setup};

const JOIN: &str = "/_usher/concert/join";
const POSITION: &str = "/_usher/concert/position";

/// N2: a token brought back, in whichever way, is the same place; nobody loses one by joining again.
#[tokio::test]
async fn a_token_keeps_its_place() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    let first = gateway.send(Ask::post(JOIN)).await.expect(201);
    assert_eq!(first.header("cache-control"), "no-store");
    let document = first.json();
    assert_eq!(document["state"], "waiting");
    let token = document["token"].as_str().unwrap().to_owned();
    let (cookie, _) = first.set_cookie(&format!("usher-queue-{ROOM}")).unwrap();
    assert_eq!(cookie, token);
    let mut second = gateway.visitor();
    second.join().await;

    let by_cookie = Ask::post(JOIN).header("cookie", &format!("usher-queue-{ROOM}={token}"));
    let by_header = Ask::post(JOIN).header("usher-token", &token);
    let by_body = Ask::post(JOIN).json(&json!({"token": token}));
    let with_spaces = by_header.clone().body(" \r\n");
    let with_nothing = by_header.clone().json(&json!({}));
    let with_null = by_header.clone().json(&json!({"token": null}));
    for ask in [by_cookie, by_header, by_body, with_spaces, with_nothing, with_null] {
        let answer = gateway.send(ask.clone()).await.expect(200);
        let kept = answer.json();
        assert_eq!((&kept["state"], &kept["position"]), (&"waiting".into(), &1.into()), "{ask:?}: {kept}");
        assert_eq!(kept["joined_at"], document["joined_at"]);
        assert!(answer.headers.get("set-cookie").is_none(), "nothing new is granted");
    }
    second.stands_at(2).await;
}

/// Places are dense and positions exact: each is one more than those who still wait ahead, however people leave.
#[tokio::test]
async fn positions_are_exact() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    let mut line: Vec<Visitor> = Vec::new();
    for _ in 0..6 {
        let mut visitor = gateway.visitor();
        visitor.join().await;
        line.push(visitor);
    }
    for (index, visitor) in line.iter_mut().enumerate() {
        let document = visitor.stands_at(index as u64 + 1).await;
        assert!(document["line_length"].as_u64().unwrap() <= 6, "{document}");
    }
    for leaver in [4, 1] {
        line.remove(leaver).leave().await;
    }
    for (index, visitor) in line.iter_mut().enumerate() {
        let document = visitor.stands_at(index as u64 + 1).await;
        let document = match document["line_length"] == 4 {
            true => document,
            false => visitor.polls_until("claim=false", "the length", |document| document["line_length"] == 4).await,
        };
        assert_eq!(document["position"], index + 1);
    }
}

/// N4: a position shown does not grow without its reason, so a page never has to explain one that did.
#[tokio::test]
async fn a_position_shown_does_not_grow() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    let (mut ahead, mut visitor) = (gateway.visitor(), gateway.visitor());
    ahead.join().await;
    visitor.join().await;
    visitor.stands_at(2).await;
    for (seen, shown) in [(1, 1), (2, 2), (9, 2)] {
        let document = visitor.polls_until(&format!("seen={seen}"), "a document", |_| true).await;
        assert_eq!(document["position"], shown, "seen {seen}: {document}");
        assert!(document.get("moved").is_none());
    }
    for query in ["seen=x", "seen=-1", "seen=", "claim=maybe", "claim="] {
        assert_eq!(visitor.poll(query).await.expect(400).problem(), "/bad-request", "{query}");
    }
}

/// N1, N4: who fell silent at the turn loses nothing but the turn, and whoever stands behind is told why the position
/// grew when the silent one is back.
#[tokio::test]
async fn a_return_is_told_to_those_behind() {
    let Occupied { gateway, mut insider, origin: _origin } =
        Occupied::of(|setup| setup.room("position_retention = \"2s\"\n")).await;
    let [mut silent, mut called, mut behind] = [gateway.visitor(), gateway.visitor(), gateway.visitor()];
    for visitor in [&mut silent, &mut called, &mut behind] {
        visitor.join().await;
    }
    insider.leave().await;
    silent.polls_until("claim=false", "the first call", |document| document["state"] == "called").await;
    // The silent one is out of the line, the next was called in its place and has not claimed.
    let far = |document: &serde_json::Value| document["state"] == "called" && document["position"] == 1;
    called.polls_until("claim=false", "the second call", far).await;
    behind.stands_at(2).await;

    let back = silent.polls_until("claim=false", "the old place", |document| document["position"] == 1).await;
    assert_ne!(back["state"], "ended", "{back}");
    let moved = |document: &serde_json::Value| document.get("moved").is_some();
    let told = behind.polls_until("seen=2", "the reason", moved).await;
    assert_eq!((&told["moved"], &told["position"]), (&"returned".into(), &3.into()), "{told}");
    let told = called.polls_until("claim=false&seen=1", "the reason", moved).await;
    assert_eq!((&told["moved"], &told["position"]), (&"returned".into(), &2.into()), "{told}");
}

/// The turn: told without claiming when asked so, then claimed by the next poll; a lost answer costs nothing, because
/// the claim repeated is the same session (N13).
#[tokio::test]
async fn a_turn_is_told_then_claimed_once() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).room(ONE_SLOT);
    let gateway = Gateway::start(&setup).await;
    let mut insider = gateway.admitted().await;
    let mut visitor = gateway.visitor();
    visitor.join().await;
    let (place, joined) = {
        let token = read_token(&setup.ring(), &visitor.token().unwrap());
        (token.visitor, token.joined)
    };

    insider.send(Ask::get("/session/complete")).await.expect(200);
    let called = visitor.polls_until("claim=false", "the call", |document| document["state"] == "called").await;
    assert_eq!(called["position"], 1, "{called}");
    assert!(called.get("ticket").is_none() && visitor.ticket().is_none());

    let admitted = visitor.enters().await;
    assert_eq!(admitted["ticket"].as_str(), visitor.ticket().as_deref(), "in body and cookie");
    assert!(admitted["session_ends_at"].as_str().unwrap().ends_with("00Z"), "a whole second: {admitted}");
    let first = read_ticket(&setup.ring(), admitted["ticket"].as_str().unwrap());
    assert_eq!(first.session.visitor, place);
    assert!(first.session.started >= joined);

    for _ in 0..2 {
        let again = visitor.enters().await;
        let again = read_ticket(&setup.ring(), again["ticket"].as_str().unwrap());
        assert_eq!((again.session, again.expires_at, again.epoch), (first.session, first.expires_at, first.epoch));
    }
    let joined_again = visitor.send(Ask::post(JOIN)).await.expect(200);
    assert_eq!(joined_again.json()["state"], "admitted", "a member of the cohort keeps the session");
    let page = visitor.send(Ask::get("/v1/events")).await.expect(200);
    assert_eq!(page.json()["headers"]["usher-visitor"][0], place.to_string());
}

/// An app keeps its credentials in headers: no cookie is set for it, and its ticket comes in the body.
#[tokio::test]
async fn an_app_enters_by_headers() {
    let Occupied { gateway, mut insider, origin: _origin } = Occupied::new().await;
    let token = gateway.send(Ask::post(JOIN)).await.expect(201).json()["token"].as_str().unwrap().to_owned();
    insider.leave().await;
    let ticket = eventually("admission", async || {
        let answer = gateway.send(Ask::get(POSITION).header("usher-token", &token)).await.expect(200);
        assert!(answer.headers.get("set-cookie").is_none(), "{:?}", answer.headers);
        answer.json()["ticket"].as_str().map(str::to_owned)
    })
    .await;
    gateway.send(Ask::get("/v1/events").header("usher-ticket", &ticket)).await.expect(200);
}

/// Whoever was in has had the turn: the old place is over for good, says so, and joining again gives a new one.
#[tokio::test]
async fn after_the_visit_comes_a_new_place() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).room(ONE_SLOT);
    let gateway = Gateway::start(&setup).await;
    let mut visitor = gateway.admitted().await;
    let old = read_token(&setup.ring(), &visitor.token().unwrap());
    visitor.send(Ask::get("/session/complete")).await.expect(200);
    let mut next = gateway.admitted().await;

    let ended = visitor.polls_until("", "the end", |document| document["state"] == "ended").await;
    assert!(ended.get("ticket").is_none() && ended["position"].is_null(), "{ended}");
    let again = visitor.send(Ask::post(JOIN)).await.expect(201).json();
    assert_eq!(again["state"], "waiting");
    let new = read_token(&setup.ring(), &visitor.token().unwrap());
    assert!(new.place > old.place && new.visitor != old.visitor);
    next.leave().await;
    visitor.enters().await;
}

/// Leaving gives up the place at once, or the session: the slot goes to the next. Strangers have nothing to give up.
#[tokio::test]
async fn leaving_gives_up_place_or_session() {
    let Occupied { gateway, mut insider, origin: _origin } = Occupied::new().await;
    let (mut leaver, mut next) = (gateway.visitor(), gateway.visitor());
    leaver.join().await;
    next.join().await;
    let token = leaver.token().unwrap();
    leaver.leave().await;
    assert_eq!((leaver.token(), leaver.ticket()), (None, None), "the cookies are gone");
    next.stands_at(1).await;
    let old = gateway.send(Ask::get(POSITION).header("usher-token", &token)).await.expect(200);
    assert_eq!(old.json()["state"], "ended", "a place given up does not come back");

    let ticket = insider.ticket().unwrap();
    insider.leave().await;
    next.enters().await;
    gateway.send(Ask::get("/").header("usher-ticket", &ticket)).await.expect(429);

    let stranger = gateway.send(Ask::post("/_usher/concert/leave")).await.expect(401);
    assert_eq!(stranger.problem(), "/bad-token");
}

/// N10: a line at its greatest length says so at once, to people and programs, and those who have a place keep it.
#[tokio::test]
async fn a_full_line_says_so() {
    let Occupied { gateway, insider: _insider, origin: _origin } =
        Occupied::of(|setup| setup.room("max_line_length = 1\n")).await;
    let mut visitor = gateway.visitor();
    visitor.join().await;
    let answer = gateway.send(Ask::post(JOIN)).await.expect(503);
    assert_eq!((answer.problem().as_str(), answer.header("retry-after")), ("/line-full", "30"));
    let page = gateway.send(Ask::page("/")).await.expect(503);
    assert!(page.text().contains("<html") && page.set_cookie(&format!("usher-queue-{ROOM}")).is_none());
    visitor.stands_at(1).await;
}

/// Nobody waits behind ghosts: who falls silent leaves the line after the retention, and has the old place back when heard.
#[tokio::test]
async fn the_silent_leave_the_line() {
    let Some(redis) = RedisServer::start() else { return };
    let origin = Origin::start().await;
    let setup = Setup::before(&origin)
        .redis(&redis.url())
        .room("total_active_users = 1\nposition_retention = \"6s\"\n")
        .room("poll_interval = { min = \"250ms\", max = \"1s\" }\n");
    let gateway = Gateway::ready(&setup).await;
    let _insider = gateway.admitted().await;
    let (mut silent, mut heard) = (gateway.visitor(), gateway.visitor());
    silent.join().await;
    heard.join().await;
    heard.stands_at(2).await;
    heard.polls_until("claim=false", "the first place in line", |document| document["position"] == 1).await;
    let departures = "usher_departures_total{reason=\"silent\",room=\"concert\"}";
    assert_eq!(gateway.metrics().await.value(departures), 1.0);
    silent.stands_at(1).await;
    let moved = heard.polls_until("claim=false&seen=1", "the return", |document| document["position"] == 2).await;
    assert_eq!(moved["moved"], "returned");
}
