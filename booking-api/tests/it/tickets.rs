//! Nothing reaches the API without a ticket from the line (N12), except orders.

use std::sync::Arc;
use std::time::Duration;

use booking_api::Settings;
use booking_api::seed::Seed;
use booking_api::ticket::Tickets;
use http::Method;
use queue_core::ticket::{AdmissionTicket, Algorithm, KeyRing};
use queue_core::{Epoch, RoomId, SessionId, Timestamp, VisitorId};
use serde_json::json;

use crate::world::{START, World};

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
