//! Who asks too often is told so, and loses nothing by it.

use super::ask::{Answer, Ask};
use super::setup::ROOM;
use super::wait::eventually;
use super::{Gateway, Occupied, Origin, Setup};

/// Three times the told rate is answered, more is not; the place is the same afterwards.
#[tokio::test]
async fn early_polls_cost_no_place() {
    let slow = |setup: Setup| setup.room("claim_window = \"120s\"\n");
    let origin = Origin::start().await;
    let room = "total_active_users = 1\npoll_interval = { min = \"30s\", max = \"60s\" }\n";
    let gateway = Gateway::start(&slow(Setup::before(&origin).room(room))).await;
    let _insider = gateway.admitted().await;
    gateway.knows_of_sessions(1).await;
    let mut visitor = gateway.visitor();
    let told = visitor.join().await;
    assert_eq!(told["poll_after_seconds"], 30);
    for poll in 0..3 {
        let document = visitor.poll("").await.expect(200).json();
        assert_eq!(document["state"], "waiting", "poll {poll}");
    }
    for _ in 0..5 {
        let early = visitor.poll("").await.expect(429);
        assert_eq!(early.problem(), "/rate-limited");
        let seconds: u64 = early.header("retry-after").parse().unwrap();
        assert!((1..=30).contains(&seconds), "{seconds}");
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.value(&format!("usher_polls_total{{result=\"limited\",room=\"{ROOM}\"}}")), 5.0);
    let page = visitor.send(Ask::page("/")).await.expect(200);
    assert!(page.text().contains("data-position=\"1\""), "{}", page.text());
    let kept = visitor.send(Ask::post(format!("/_usher/{ROOM}/join"))).await.expect(200).json();
    assert_eq!(kept["position"], 1);
    let mut next = gateway.visitor();
    next.join().await;
    assert_eq!(next.position("").await["position"], 2, "the impatient one still stands ahead");
}

fn is_limited(answer: &Answer) -> bool {
    let limited = answer.status == 429 && answer.problem() == "/rate-limited";
    if limited {
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    limited
}

/// The limit on one client holds for everything that costs something, tickets or not, and is no line: its type says so.
#[tokio::test]
async fn a_client_is_limited() {
    let limit = "[[rate_limit]]\nname = \"per-client\"\nscope = \"client\"\nrate_per_second = 0.05\nburst = 4\n";
    let trusting = "insecure_cookies = true\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).listener(trusting).more(limit)).await;
    let from = |client: &str, ask: Ask| gateway.send(ask.header("x-forwarded-for", client));
    for ask in [Ask::get("/"), Ask::get("/assets/x"), Ask::post("/_usher/concert/join"), Ask::get("/v1/events")] {
        from("203.0.113.7", ask).await;
    }
    for ask in [Ask::get("/"), Ask::get("/assets/x"), Ask::post("/_usher/concert/join")] {
        assert!(is_limited(&from("203.0.113.7", ask.clone()).await), "{ask:?}");
    }
    let page = from("203.0.113.7", Ask::page("/")).await.expect(429);
    assert!(page.text().contains("<html") && !page.header("retry-after").is_empty(), "{}", page.text());
    from("203.0.113.8", Ask::get("/assets/x")).await.expect(200);
    let decided = format!("usher_decisions_total{{outcome=\"limited\",room=\"{ROOM}\"}}");
    assert_eq!(gateway.metrics().await.value(&decided), 3.0);
}

/// The limit on one visitor counts the session, not the address: neighbours behind one address do not pay for each
/// other, and a ticket shared by many is one visitor.
#[tokio::test]
async fn a_visitor_is_limited() {
    let limit = "[[rate_limit]]\nname = \"per-visitor\"\nscope = \"visitor\"\nrate_per_second = 0.05\nburst = 2\n";
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).more(limit)).await;
    let mut greedy = gateway.admitted().await;
    let mut neighbour = gateway.admitted().await;
    let limited = eventually("the limit", async || {
        let answer = greedy.send(Ask::get("/")).await;
        (answer.status == 429).then_some(answer)
    })
    .await;
    assert!(is_limited(&limited));
    let copy = Ask::get("/").header("usher-ticket", &greedy.ticket().unwrap());
    assert!(is_limited(&gateway.send(copy).await));
    neighbour.send(Ask::get("/")).await.expect(200);
    // A session is still there, it only has to slow down.
    assert_eq!(greedy.position("").await["state"], "admitted");
}

/// Guessing tokens is a request like any other: the client's limit counts it.
#[tokio::test]
async fn guessing_is_limited() {
    let limit = "[[rate_limit]]\nname = \"per-client\"\nscope = \"client\"\nrate_per_second = 0.05\nburst = 8\n";
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::of(|setup: Setup| setup.more(limit)).await;
    let guess = || gateway.send(Ask::get(format!("/_usher/{ROOM}/position")).header("usher-token", "a.b.c"));
    for _ in 0..7 {
        guess().await.expect(401);
    }
    assert!(is_limited(&guess().await));
}
