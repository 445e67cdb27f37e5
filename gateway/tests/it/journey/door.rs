//! Who passes the door: guarded by default, open where listed, straight in when the room is free.

use http::Method;

use super::ask::{Ask, raw};
use super::setup::ROOM;
use super::{Gateway, ONE_SLOT, Occupied, Origin, Setup};

/// N12: whatever the method and whatever the path, nothing that is not listed as open reaches the upstream without a
/// ticket; the usual side doors (HEAD, OPTIONS, unknown methods, look-alikes of open paths) are closed.
#[tokio::test]
async fn everything_not_listed_is_guarded() {
    let Occupied { origin, gateway, insider: _insider } = Occupied::new().await;
    let before = origin.seen().len();
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let answer = gateway.send(Ask::new(method.parse().unwrap(), "/v1/holds")).await.expect(429);
        if method != "HEAD" {
            assert_eq!(answer.problem(), "/queued", "{method}");
        }
    }
    for path in ["/", "/assets", "/Assets/x", "/v1/orders", "/v1/ordersx", "/assets.css", "//assets-not/x"] {
        gateway.send(Ask::get(path)).await.expect(429);
    }
    for path in ["/assets/../v1/holds", "/assets/%2e%2e/v1/holds", "/assets/./../", "/x/../y"] {
        let answer =
            raw(gateway.address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 429 "), "{path}: {answer}");
    }
    assert_eq!(origin.seen().len(), before, "something slipped by");
}

/// A receipt and the pictures of the page must be reachable by people who are not in, and the upstream must not take
/// them for visitors of the room.
#[tokio::test]
async fn open_paths_need_no_ticket() {
    let Occupied { origin, gateway, insider: _insider } = Occupied::new().await;
    for path in ["/assets/site.css", "/assets/a/b?v=3", "/v1/orders/7"] {
        let forged = Ask::get(path).header("usher-visitor", "somebody").header("usher-ticket", "a.b.c");
        let answer = gateway.send(forged).await.expect(200);
        assert!(answer.headers.get("set-cookie").is_none(), "no place is taken by looking at a picture");
        let seen = origin.last();
        assert_eq!(seen.target, path);
        assert_eq!((seen.header("usher-visitor"), seen.header("usher-ticket")), ("", ""));
        assert_eq!(seen.header("usher-room"), ROOM);
    }
    gateway.send(Ask::new(Method::PUT, "/v1/orders/7").body("x")).await.expect(200);
    gateway.send(Ask::post("/assets/x/../y")).await.expect(200);
    assert_eq!(origin.last().target, "/assets/y", "the upstream gets the canonical form that was decided on");
}

/// Nobody waits without need: when the room is free, one request brings the place, the ticket and the page asked for.
#[tokio::test]
async fn straight_in_when_the_room_is_free() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).room(ONE_SLOT)).await;
    let mut visitor = gateway.visitor();
    let answer = visitor.send(Ask::post("/v1/holds?seat=4").body("seat 4")).await.expect(200);
    assert_eq!(answer.json()["body_bytes"], 6, "the request went on to the upstream as it was");
    assert_eq!(answer.json()["target"], "/v1/holds?seat=4");
    assert_eq!(origin.last().header("usher-ticket"), visitor.ticket().unwrap());
    for (cookie, longest) in [("ticket", 303), ("queue", 86_400)] {
        let (_, attributes) = answer.set_cookie(&format!("usher-{cookie}-{ROOM}")).unwrap();
        assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"), "{attributes}");
        assert!(attributes.contains("Path=/") && !attributes.contains("Domain"), "{attributes}");
        let age = attributes.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().parse::<u64>().unwrap();
        assert!((longest - 5..=longest).contains(&age), "{cookie}: {age} s");
    }

    let again = visitor.send(Ask::page("/")).await.expect(200);
    assert!(again.headers.get("set-cookie").is_none(), "a good ticket is not replaced");
    assert_eq!(again.json()["headers"]["usher-visitor"][0], answer.json()["headers"]["usher-visitor"][0]);
}

/// Behind TLS no other host, no cleartext page and no path can set or read the credentials.
#[tokio::test]
async fn cookies_are_bound_to_the_host() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).listener("").room(ONE_SLOT)).await;
    let answer = gateway.send(Ask::page("/")).await.expect(200);
    for cookie in ["ticket", "queue"] {
        let (_, attributes) = answer.set_cookie(&format!("__Host-usher-{cookie}-{ROOM}")).expect("the cookie");
        assert!(attributes.contains("Secure") && attributes.contains("Path=/"), "{attributes}");
    }
    let (ticket, _) = answer.set_cookie(&format!("__Host-usher-ticket-{ROOM}")).unwrap();
    let plain = Ask::get("/").header("cookie", &format!("usher-ticket-{ROOM}={ticket}"));
    gateway.send(plain).await.expect(429);
    let bound = Ask::get("/").header("cookie", &format!("__Host-usher-ticket-{ROOM}={ticket}"));
    gateway.send(bound).await.expect(200);
}
