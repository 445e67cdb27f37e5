//! A visit: what ends it, what prolongs it, and how soon everybody knows.

use std::time::Duration;

use gateway::clock;
use queue_core::ticket::AdmissionTicket;

use super::ask::Ask;
use super::credential::read_ticket;
use super::setup::ROOM;
use super::wait::within;
use super::{Gateway, ONE_SLOT, Occupied, Origin, Setup};

/// An ended session's ticket is refused everywhere within this time.
const KNOWN_EVERYWHERE: Duration = Duration::from_secs(1);

/// When the upstream says that the visit is complete, the slot is free at once and the ticket worth nothing within a
/// second; the client never sees the word.
#[tokio::test]
async fn the_upstream_completes_a_visit() {
    let Occupied { gateway, mut insider, origin: _origin } = Occupied::new().await;
    let mut next = gateway.visitor();
    next.join().await;
    let answer = insider.send(Ask::get("/session/complete")).await.expect(200);
    assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("usher-")), "{:?}", answer.headers);
    let ticket = insider.ticket().unwrap();
    within(KNOWN_EVERYWHERE, "the ended ticket is refused", async || {
        let answer = gateway.send(Ask::get("/").header("usher-ticket", &ticket)).await;
        (answer.status == 429).then_some(())
    })
    .await;
    next.enters().await;
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.value(&format!("usher_departures_total{{reason=\"completed\",room=\"{ROOM}\"}}")), 1.0);
    assert!(metrics.value(&format!("usher_ticket_verifications_total{{result=\"revoked\",room=\"{ROOM}\"}}")) >= 1.0);
}

/// The upstream prolongs a visit that pays for something; the longer ticket comes back the way the old one came.
#[tokio::test]
async fn the_upstream_prolongs_a_visit() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).room("total_active_users = 9\nsession_duration = \"20s\"\n");
    let gateway = Gateway::start(&setup).await;
    let mut browser = gateway.admitted().await;
    let app = gateway.admitted().await.ticket().unwrap();
    let prolonged = |old: &AdmissionTicket, new: &AdmissionTicket| {
        assert_eq!(new.session, old.session);
        let left = new.expires_at.since(clock::now()).as_secs();
        assert!((290..=300).contains(&left), "{left} s");
    };

    let old = read_ticket(&setup.ring(), &browser.ticket().unwrap());
    let answer = browser.send(Ask::get("/session/extend=300")).await.expect(200);
    assert!(answer.headers.get("usher-ticket").is_none() && answer.headers.get("usher-session").is_none());
    prolonged(&old, &read_ticket(&setup.ring(), &browser.ticket().unwrap()));

    let answer = gateway.send(Ask::get("/session/extend=300").header("usher-ticket", &app)).await.expect(200);
    assert!(answer.headers.get("set-cookie").is_none());
    let new = answer.header("usher-ticket");
    prolonged(&read_ticket(&setup.ring(), &app), &read_ticket(&setup.ring(), new));
    gateway.send(Ask::get("/").header("usher-ticket", new)).await.expect(200);
    let unmoved = gateway.send(Ask::get("/session/extend=10").header("usher-ticket", new)).await.expect(200);
    assert!(unmoved.headers.get("usher-ticket").is_none(), "what is longer already stays");
}

/// Who is active stays: once less than half of the session is left, a request brings a ticket with a later end; before
/// that it does not, so that a visit does not write to the store with every click.
#[tokio::test]
async fn activity_renews_a_visit() {
    let origin = Origin::start().await;
    let setup = Setup::before(&origin).room(ONE_SLOT);
    let gateway = Gateway::start(&setup).await;
    let mut visitor = gateway.admitted().await;
    let fresh = read_ticket(&setup.ring(), &visitor.ticket().unwrap());
    // The ticket of the same session as it would be if it had been given four minutes ago.
    let earlier = Duration::from_secs(240);
    let worn = AdmissionTicket { expires_at: fresh.expires_at - earlier, ..fresh.clone() };
    visitor.set_ticket(&setup.ring().sign_admission(&worn));
    visitor.send(Ask::get("/")).await.expect(200);
    let renewed = read_ticket(&setup.ring(), &visitor.ticket().unwrap());
    assert_eq!(renewed.session, fresh.session);
    assert!(renewed.expires_at >= fresh.expires_at, "{renewed:?}");
    let before = gateway.metrics().await.store_operations("renew");
    assert_eq!(before, 1.0);
    let answer = visitor.send(Ask::get("/")).await.expect(200);
    assert!(answer.headers.get("set-cookie").is_none());
    assert_eq!(gateway.metrics().await.store_operations("renew"), before);
}

/// A visit that nobody prolongs ends by itself, and its slot goes to the next.
#[tokio::test]
async fn a_visit_ends_by_itself() {
    let short = "session_duration = \"10s\"\nmax_session_duration = \"10s\"\n";
    let Occupied { gateway, mut insider, origin: _origin } = Occupied::of(|setup| setup.room(short)).await;
    let mut next = gateway.visitor();
    next.join().await;
    let began = clock::monotonic();
    let lasts = Duration::from_secs(30);
    within(lasts, "admission of the next", async || {
        // Activity does not keep a visit beyond its greatest length.
        let kept = insider.ticket().map(|ticket| Ask::get("/assets/x").header("usher-ticket", &ticket));
        gateway.send(kept.unwrap()).await.expect(200);
        (next.position("").await["state"] == "admitted").then_some(())
    })
    .await;
    let lasted = clock::monotonic().duration_since(began);
    assert!(lasted > Duration::from_secs(8), "ended after {lasted:?}");
    insider.send(Ask::get("/")).await.expect(429);
    let ended = insider.polls_until("", "a document", |_| true).await;
    assert_eq!(ended["state"], "waiting", "the page of the expired visitor joined anew");
}
