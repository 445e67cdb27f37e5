//! Nothing reaches the API without a ticket from the line (N12), except orders.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use booking_api::Settings;
use booking_api::seed::Seed;
use booking_api::ticket::{KeysUrl, Tickets};
use http::{Method, StatusCode};
use queue_core::ticket::{AdmissionTicket, Algorithm, KeyRing};
use queue_core::{Epoch, RoomId, SessionId, Timestamp, VisitorId};
use serde_json::json;

use crate::world::{Customer, START, World};

const ISSUER: &str = "https://tickets.example.com";

fn ring(entropy: u8) -> KeyRing {
    KeyRing::generate(ISSUER, Algorithm::EdDsa, [entropy; 32]).unwrap()
}

fn ticket(ring: &KeyRing, room: &str, from: Timestamp) -> String {
    ring.sign_admission(&AdmissionTicket {
        room: RoomId::new(room).unwrap(),
        session: SessionId::new(VisitorId::from_entropy([1; 16]), from),
        issued_at: from,
        expires_at: from + Duration::from_secs(300),
        epoch: Epoch::new(1).unwrap(),
    })
}

async fn guarded() -> (World, Arc<Tickets>) {
    let tickets = Arc::new(Tickets::new(RoomId::new("concert").unwrap(), ISSUER.into()));
    let settings = Settings { tickets: Some(Arc::clone(&tickets)), grant: 1_000_000, ..Settings::default() };
    let directory = tempfile::tempdir().unwrap();
    (World::open(directory, Seed::concert("concert", 400), settings, START).await, tickets)
}

/// A good ticket opens every route, no other ticket opens any, and orders need none: a receipt outlives the session.
#[tokio::test]
async fn only_a_good_ticket_lets_in() {
    let (world, tickets) = guarded().await;
    let ring = ring(7);
    tickets.update(&ring.jwks()).unwrap();
    let mut stranger = world.stranger();
    let good = ticket(&ring, "concert", START);
    let changed = format!("{}{}", &good[..good.len() - 4], "AAAA");
    let cases = [
        ("none", None, "admission-required"),
        ("nonsense", Some("nonsense".to_owned()), "admission-required"),
        ("changed", Some(changed), "admission-required"),
        ("of another key", Some(ticket(&self::ring(8), "concert", START)), "admission-required"),
        ("of another room", Some(ticket(&ring, "opera", START)), "admission-required"),
        ("of later", Some(ticket(&ring, "concert", START + Duration::from_secs(60))), "admission-required"),
        ("of before", Some(ticket(&ring, "concert", START - Duration::from_secs(600))), "admission-expired"),
    ];
    let routes = [
        (Method::GET, "/v1/events"),
        (Method::GET, "/v1/events/concert"),
        (Method::GET, "/v1/events/concert/map"),
        (Method::GET, "/v1/events/concert/units"),
        (Method::GET, "/v1/events/concert/stock"),
        (Method::POST, "/v1/events/concert/holds"),
        (Method::GET, "/v1/holds/x"),
        (Method::DELETE, "/v1/holds/x"),
        (Method::POST, "/v1/holds/x/extend"),
        (Method::GET, "/v1/accounts/me"),
        (Method::GET, "/v1/accounts/me/transfers"),
        (Method::POST, "/v1/demo/sign-in"),
    ];
    for (method, route) in routes {
        for (what, ticket, problem) in &cases {
            stranger.ticket.clone_from(ticket);
            let answer = stranger.ask(method.clone(), route, Some("k"), Some(json!({"name": "Kim"})), &[]).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (403, *problem), "{what}: {method} {route}");
        }
        stranger.ticket = Some(good.clone());
        let answer = stranger.ask(method.clone(), route, Some("k"), Some(json!({"name": "Kim"})), &[]).await;
        assert_ne!(answer.status, 403, "{method} {route}");
        let answer = stranger.ask(method, route, None, None, &[("usher-ticket", &good)]).await;
        assert_eq!(answer.status, 403, "two tickets");
    }
    stranger.ticket = None;
    stranger.get("/v1/orders").await.refused(401, "unauthenticated");
    world.is_consistent().await;
}

/// A ticket that was verified once is refused when its time is over, however it is remembered.
#[tokio::test]
async fn a_remembered_ticket_ends_too() {
    let (world, tickets) = guarded().await;
    let ring = ring(7);
    tickets.update(&ring.jwks()).unwrap();
    let mut stranger = world.stranger();
    stranger.ticket = Some(ticket(&ring, "concert", START));
    for _ in 0..2 {
        stranger.get("/v1/events").await.expect(200);
    }
    world.clock.advance(Duration::from_secs(303));
    stranger.get("/v1/events").await.refused(403, "admission-expired");
    tickets.update(&self::ring(9).jwks()).unwrap();
    stranger.get("/v1/events").await.refused(403, "admission-required");
    world.is_consistent().await;
}

/// Until the gateway's keys are there nothing can be decided, so nobody is let in and nobody is sent away for good.
#[tokio::test]
async fn without_keys_nobody_is_let_in() {
    let (world, tickets) = guarded().await;
    let mut stranger = world.stranger();
    stranger.get("/v1/events").await.refused(403, "admission-required");
    stranger.ticket = Some(ticket(&ring(7), "concert", START));
    let answer = stranger.get("/v1/events").await.refused(503, "admission-unverifiable");
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(tickets.update("{\"keys\":[]}").is_err());
    tickets.update(&ring(7).jwks()).unwrap();
    stranger.get("/v1/events").await.expect(200);
    world.is_consistent().await;
}

/// Keys come from the gateway: it may start later, and it may change them; a ticket with a new key is good soon after.
#[tokio::test]
async fn keys_are_fetched_and_followed() {
    let served = Arc::new(Mutex::new(String::new()));
    let document = Arc::clone(&served);
    let keys = move || {
        let document = document.lock().unwrap().clone();
        async move { if document.is_empty() { Err(StatusCode::BAD_GATEWAY) } else { Ok(document) } }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/_usher/jwks.json", listener.local_addr().unwrap());
    let gateway = axum::Router::new().route("/_usher/jwks.json", axum::routing::get(keys));
    tokio::spawn(async move { axum::serve(listener, gateway).await });

    let tickets = Arc::new(Tickets::new(RoomId::new("concert").unwrap(), ISSUER.into()));
    let settings = Settings { tickets: Some(tickets), keys_url: Some(KeysUrl::parse(&url).unwrap()), grant: 0 };
    let world = World::open(tempfile::tempdir().unwrap(), Seed::concert("concert", 20), settings, START).await;
    let mut stranger = world.stranger();
    stranger.ticket = Some(ticket(&ring(7), "concert", START));
    stranger.get("/v1/events").await.refused(503, "admission-unverifiable");
    *served.lock().unwrap() = ring(7).jwks();
    let accepted = async |stranger: &Customer| {
        let until = async {
            while stranger.get("/v1/events").await.status != 200 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), until).await.unwrap();
    };
    accepted(&stranger).await;
    *served.lock().unwrap() = ring(8).jwks();
    stranger.ticket = Some(ticket(&ring(8), "concert", START));
    accepted(&stranger).await;
    stranger.ticket = Some(ticket(&ring(7), "concert", START));
    stranger.get("/v1/events").await.refused(403, "admission-required");
}
