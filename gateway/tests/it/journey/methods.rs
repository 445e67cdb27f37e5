//! No method is exempt from admission, and each means at the upstream what it meant at the client.

use http::Method;

use super::Occupied;
use super::ask::{Ask, raw};

/// N12: whoever has no ticket waits, whatever the method; nothing of it reaches the upstream.
#[tokio::test]
async fn every_method_is_guarded() {
    let Occupied { origin, gateway, mut insider } = Occupied::new().await;
    let before = origin.seen().len();
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW", "get"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = gateway.send(Ask::new(method.clone(), "/v1/holds")).await;
        assert_eq!(answer.status, 429, "{method}");
        assert_eq!(answer.body.is_empty(), method == Method::HEAD, "{method}");
    }
    let preflight = Ask::new(Method::OPTIONS, "/v1/holds")
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST");
    gateway.send(preflight).await.expect(429);
    assert_eq!(origin.seen().len(), before);
    for method in [Method::OPTIONS, Method::DELETE, Method::from_bytes(b"PROPFIND").unwrap()] {
        let answer = insider.send(Ask::new(method.clone(), "/v1/holds")).await.expect(200);
        assert_eq!(answer.json()["method"], method.as_str());
    }
    let head = insider.send(Ask::new(Method::HEAD, "/v1/holds")).await.expect(200);
    assert!(head.body.is_empty());
    assert_ne!(head.header("content-length"), "");
}

/// CONNECT asks for a forward proxy, which this is not: no ticket opens one (N22).
#[tokio::test]
async fn connect_is_refused() {
    let Occupied { origin, gateway, insider } = Occupied::new().await;
    let before = origin.seen().len();
    let ticket = insider.ticket().unwrap();
    for target in ["127.0.0.1:22", "sale.example:443", "/"] {
        let head = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUsher-Ticket: {ticket}\r\nConnection: close\r\n\r\n"
        );
        let answer = raw(gateway.address, &format!("{head}SSH-2.0-x\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 405 ") || answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
    }
    assert_eq!(origin.seen().len(), before);
}

/// A client that waits for `100 Continue` hears it when somebody wants the body, and a refusal when nobody does.
#[tokio::test]
async fn expectations_are_met() {
    let Occupied { gateway, insider, origin: _origin } = Occupied::new().await;
    let ask = |credential: &str| {
        format!(
            "POST /v1/holds HTTP/1.1\r\nHost: a\r\n{credential}Expect: 100-continue\r\nContent-Length: 3\r\n\
             Connection: close\r\n\r\n"
        )
    };
    let refused = raw(gateway.address, &ask("")).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    let ticket = format!("Usher-Ticket: {}\r\n", insider.ticket().unwrap());
    let granted = raw(gateway.address, &format!("{}abc", ask(&ticket))).await;
    assert!(granted.contains("HTTP/1.1 200 ") && granted.contains("\"body_bytes\":3"), "{granted}");
}
