//! What those who wait are shown: people a page, programs a problem.

use super::ask::Ask;
use super::setup::ROOM;
use super::{Occupied, Setup};

/// A person sees a page in the own language that nobody stores, works without scripts, and keeps the place by cookie;
/// reloading it keeps the place and shows a page again, however impatient the finger.
#[tokio::test]
async fn people_wait_on_a_page() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    let mut visitor = gateway.visitor();
    let korean = Ask::page("/events/7").header("accept-language", "ko-KR,ko;q=0.9,en;q=0.5");
    let answer = visitor.send(korean).await.expect(200);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("vary").contains("Accept-Language"));
    assert!(answer.header("content-security-policy").contains("default-src 'none'"));
    assert!(answer.text().contains(r#"<html lang="ko">"#), "{}", answer.text());
    assert!(answer.text().contains(r#"<noscript><meta http-equiv="refresh""#), "it goes on without scripts");
    assert!(answer.set_cookie(&format!("usher-queue-{ROOM}")).is_some());
    assert!(answer.set_cookie(&format!("usher-ticket-{ROOM}")).is_none());
    let place = visitor.token();

    for _ in 0..12 {
        let english = Ask::page("/").header("accept-language", "en");
        let answer = visitor.send(english).await.expect(200);
        assert!(answer.text().contains(r#"<html lang="en">"#), "{}", answer.text());
        assert!(answer.text().contains("data-phase=\"waiting\"") || answer.text().contains("data-phase=\"nearly\""));
        assert_eq!(visitor.token(), place, "a reload keeps the place");
    }
    let head = visitor.send(Ask::new(http::Method::HEAD, "/").accepting_pages()).await.expect(200);
    assert!(head.body.is_empty() && head.header("content-type").starts_with("text/html"));
    let mut after = gateway.visitor();
    after.join().await;
    after.stands_at(2).await;
}

/// The status of the waiting page is the operator's choice: some crawlers and caches must not take it for the page.
#[tokio::test]
async fn the_page_has_the_configured_status() {
    let busy = |setup: Setup| setup.room("queueing_status_code = 503\n");
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::of(busy).await;
    let answer = gateway.send(Ask::page("/")).await.expect(503);
    assert!(answer.text().contains("data-phase="), "{}", answer.text());
}

/// A program is told in a document what a page would show: that it waits, where, and with which token to ask again.
#[tokio::test]
async fn programs_wait_with_a_document() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    let mut visitor = gateway.visitor();
    for ask in [Ask::get("/v1/events"), Ask::post("/v1/holds").header("accept", "text/html").body("x")] {
        let answer = gateway.send(ask).await.expect(429);
        assert_eq!(answer.problem(), "/queued");
        assert_eq!(answer.header("retry-after"), "1");
        let document = answer.json();
        assert_eq!((&document["room"], &document["state"]), (&ROOM.into(), &"waiting".into()));
        assert!(document["position"].as_u64() >= Some(1) && document["line_length"].as_u64() >= Some(1));
        assert!(
            document["estimated_wait_seconds"]["p90"].as_u64() >= document["estimated_wait_seconds"]["p50"].as_u64()
        );
        assert_eq!(document["poll_after_seconds"], 1);
        for instant in ["joined_at", "updated_at"] {
            assert!(document[instant].as_str().unwrap().ends_with('Z'), "{document}");
        }
        assert_eq!(document["degraded"], false);
        assert!(document.get("ticket").is_none());
        let by_header = Ask::get(format!("/_usher/{ROOM}/position"));
        let token = document["token"].as_str().unwrap();
        gateway.send(by_header.header("usher-token", token)).await.expect(200);
    }
    let waiting = visitor.send(Ask::get("/v1/events")).await.expect(429);
    let again = visitor.send(Ask::get("/v1/events")).await.expect(429);
    assert!(waiting.json().get("token").is_some() && again.json().get("token").is_none(), "no second place");
}
