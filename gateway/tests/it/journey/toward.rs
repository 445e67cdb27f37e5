//! What the upstream is told, and what the client is not.

use queue_core::ticket::AdmissionVerifier;

use super::Occupied;
use super::ask::{Ask, HOST};
use super::setup::{ISSUER, ROOM, room};

/// N23: the upstream can rely on what it is told about the visitor, because nothing of it can come from the client;
/// and it never sees a credential of the gateway that it was not meant to have.
#[tokio::test]
async fn the_upstream_is_told_the_truth() {
    let Occupied { origin, gateway, mut insider } = Occupied::new().await;
    let forged = Ask::get("/v1/holds?x=%20a&x=b")
        .header("cookie", "basket=7")
        .header("usher-visitor", "somebody")
        .header("usher-room", "other")
        .header("usher-token", "not.a.token")
        .header("usher-session", "complete")
        .header("usher_visitor", "somebody")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "for=203.0.113.9")
        .header("x-real-ip", "203.0.113.9")
        .header("x-request-id", "mine")
        .header("traceparent", "00-11111111111111111111111111111111-2222222222222222-01")
        .header("x-http-method-override", "DELETE")
        .header("connection", "x-secret, keep-alive")
        .header("x-secret", "hop")
        .header("te", "trailers")
        .header("accept", "application/json")
        .header("authorization", "Bearer customer");
    let answer = insider.send(forged).await.expect(200);
    let seen = origin.last();
    assert_eq!(seen.target, "/v1/holds?x=%20a&x=b", "path and query as they came");
    for (name, value) in [
        ("host", HOST),
        ("cookie", "basket=7"),
        ("authorization", "Bearer customer"),
        ("accept", "application/json"),
        ("usher-room", ROOM),
        ("usher-ticket", &insider.ticket().unwrap()),
        ("forwarded", &format!("for=127.0.0.1;proto=http;host=\"{HOST}\"")),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", HOST),
        ("usher-token", ""),
        ("usher-session", ""),
        ("usher_visitor", ""),
        ("x-real-ip", ""),
        ("x-http-method-override", ""),
        ("x-secret", ""),
        ("connection", ""),
    ] {
        assert_eq!(seen.header(name), value, "{name}");
    }
    let request_id = seen.header("x-request-id");
    assert_eq!(request_id.len(), 32);
    assert_eq!(answer.header("x-request-id"), request_id, "the client can name its request to the operators");
    let trace = seen.header("traceparent");
    assert_eq!((trace.len(), &trace[3..35]), (55, request_id), "{trace}");

    let keys = gateway.send(Ask::get("/_usher/jwks.json")).await.expect(200).text();
    let verifier = AdmissionVerifier::from_jwks(&keys, ISSUER).unwrap();
    let told = verifier.verify(seen.header("usher-ticket"), &room(), gateway::clock::now()).unwrap();
    assert_eq!(told.session.visitor.to_string(), seen.header("usher-visitor"));
}

/// A proxy before the gateway is believed, but only one that the operator named.
#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let trusting = "insecure_cookies = true\ntrusted_proxies = [\"127.0.0.0/8\"]\n";
    let Occupied { origin, mut insider, gateway: _gateway } = Occupied::of(|setup| setup.listener(trusting)).await;
    let ask = Ask::get("/").header("x-forwarded-for", "198.51.100.7, 203.0.113.9").header("x-request-id", "edge-1");
    insider.send(ask).await.expect(200);
    assert_eq!(origin.last().header("x-forwarded-for"), "203.0.113.9");
    assert_eq!(origin.last().header("x-request-id"), "edge-1");
}

/// N23 the other way: an upstream cannot hand out tickets or places, and hop-by-hop fields end at the hop; its own
/// cookies pass.
#[tokio::test]
async fn the_client_sees_nothing_of_the_inside() {
    let Occupied { mut insider, origin: _origin, gateway: _gateway } = Occupied::new().await;
    let (ticket, token) = (insider.ticket(), insider.token());
    let answer = insider.send(Ask::get("/forge")).await.expect(200);
    for name in answer.headers.keys() {
        assert!(!name.as_str().starts_with("usher-"), "{name}");
        assert!(!["keep-alive", "proxy-authenticate"].contains(&name.as_str()), "{name}");
    }
    assert_eq!(answer.header("set-cookie"), "basket=7; Path=/");
    assert_eq!((insider.ticket(), insider.token()), (ticket, token));
}
