//! Requests that are no good: each has its clear answer, and none reaches the upstream.

use serde_json::json;

use super::ask::{Ask, raw};
use super::{Gateway, Occupied, Origin, Setup};

/// N19: a path that two parsers could read differently is refused, by everybody's paths alike.
#[tokio::test]
async fn ambiguous_paths_are_refused() {
    let Occupied { origin, gateway, insider: _insider } = Occupied::new().await;
    let before = origin.seen().len();
    for path in [
        "/assets/%2f/x",
        "/assets/..%2fv1",
        "/a%5cb",
        "/a\\b",
        "/a%00b",
        "/a%252e",
        "/a;x=1",
        "/a%zz",
        "/a%ff",
        "/a%c0%af",
        "/a%0d%0aX:1",
        "/_usher/concert;x/join",
        "*",
    ] {
        let answer =
            raw(gateway.address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    assert_eq!(origin.seen().len(), before);
}

/// A refusal says what it is: people get a page, programs a problem.
#[tokio::test]
async fn refusals_are_readable() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin)).await;
    assert_eq!(gateway.send(Ask::get("/a%5cb")).await.expect(400).problem(), "/bad-request");
    let page = gateway.send(Ask::page("/a%5cb").header("accept-language", "ko")).await.expect(400);
    assert!(page.text().contains("<html lang=\"ko\">"), "{}", page.text());
}

/// N19: hosts that are not exactly one are refused, and so is a body of two lengths: the classic ways to smuggle.
#[tokio::test]
async fn ambiguous_messages_are_refused() {
    let Occupied { origin, gateway, insider } = Occupied::new().await;
    let before = origin.seen().len();
    let ticket = insider.ticket().unwrap();
    let close = format!("Usher-Ticket: {ticket}\r\nConnection: close\r\n\r\n");
    for head in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: b\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n",
    ] {
        let answer = raw(gateway.address, &format!("{head}{close}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.is_empty(), "{head}: {answer}");
    }
    assert_eq!(origin.seen().len(), before);
}

/// A join that is neither empty nor a token in JSON is refused, and takes no place.
#[tokio::test]
async fn a_malformed_join_is_refused() {
    let Occupied { gateway, insider: _insider, origin: _origin } = Occupied::new().await;
    let join = || Ask::post("/_usher/concert/join");
    for body in ["{", "[]", "\"token\"", "{\"token\": 7}", "token=x", "\u{0}"] {
        let answer = gateway.send(join().body(body)).await.expect(400);
        assert_eq!(answer.problem(), "/bad-request", "{body}");
    }
    let long = gateway.send(join().json(&json!({"token": "x".repeat(5_000)}))).await.expect(413);
    assert_eq!(long.problem(), "/body-too-large");
    let unknown = gateway.send(join().json(&json!({"token": "x", "more": 1}))).await.expect(201);
    assert_eq!(unknown.json()["position"], 1, "nobody took a place before");
}

/// N27: a body longer than the listener allows is refused, whether it says so before or not; the connection does not
/// carry its rest into another request.
#[tokio::test]
async fn a_body_too_long_is_refused() {
    let small = "insecure_cookies = true\nmax_body_bytes = \"64KiB\"\n";
    let Occupied { gateway, insider, origin: _origin } = Occupied::of(|setup| setup.listener(small)).await;
    let ticket = insider.ticket().unwrap();
    let long = vec![b'x'; 64 * 1024 + 1];
    let fits = Ask::post("/v1/holds").header("usher-ticket", &ticket).body(long[1..].to_vec());
    assert_eq!(gateway.send(fits).await.expect(200).json()["body_bytes"], 64 * 1024);
    let told = Ask::post("/v1/holds").header("usher-ticket", &ticket).body(long);
    assert_eq!(gateway.send(told).await.expect(413).problem(), "/body-too-large");
    let head = format!("POST /v1/holds HTTP/1.1\r\nHost: a\r\nUsher-Ticket: {ticket}\r\nConnection: close\r\n");
    let piece = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{}1\r\nx\r\n0\r\n\r\n", piece.repeat(2));
    let answer = raw(gateway.address, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

/// N27: a header beyond the limit is refused before anything is decided on it.
#[tokio::test]
async fn a_header_too_long_is_refused() {
    let Occupied { origin, gateway, insider: _insider } = Occupied::new().await;
    let before = origin.seen().len();
    let head = format!("GET /assets/x HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(20 * 1024));
    let answer = raw(gateway.address, &head).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(origin.seen().len(), before);
}
