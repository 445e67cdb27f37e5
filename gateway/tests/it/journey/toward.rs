//! What the upstream is told, and what the client is not.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use queue_core::ticket::AdmissionVerifier;

use super::ask::{Ask, HOST};
use super::origin::Origin;
use super::setup::{ISSUER, ROOM, room};
use super::{Gateway, ONE_SLOT, Occupied, Setup};

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

/// An origin with the shared key can tell what came through the gateway: the proof is there, says what was asked and
/// when, and cannot be brought by a client. Health checks have it too.
#[tokio::test]
async fn requests_carry_a_proof() {
    let secret = [7; 32];
    let origin = Origin::start().await;
    let keys = "proof_key_file = \"proof.key\"\n[upstream.health_check]\npath = \"/healthz\"\ninterval = \"20ms\"\n";
    let setup = Setup::before(&origin).upstream(keys).room(ONE_SLOT);
    setup.put("proof.key", &format!("{}\n", STANDARD.encode(secret)));
    let gateway = Gateway::ready(&setup).await;
    let mut visitor = gateway.visitor();
    visitor.send(Ask::page("/")).await.expect(200);
    visitor.send(Ask::post("/v1/holds?x=%20a").header("usher-proof", "t=1,v1=forged").body("pay")).await.expect(200);
    super::wait::eventually("a check", async || {
        origin.seen().iter().any(|seen| seen.target == "/healthz").then_some(())
    })
    .await;
    let now = gateway::clock::now().as_secs();
    for (method, target) in [("GET", "/"), ("POST", "/v1/holds?x=%20a"), ("GET", "/healthz")] {
        let seen = origin.seen().into_iter().find(|seen| seen.target == target).unwrap();
        let (time, signature) = seen.header("usher-proof").split_once(",v1=").unwrap();
        let time = time.strip_prefix("t=").unwrap();
        assert!(time.parse::<u64>().unwrap().abs_diff(now) <= 30, "{time}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let text = format!("{time}\n{method}\n{target}\n{}", seen.header("x-request-id"));
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        hmac::verify(&key, text.as_bytes(), &signature).expect("the gateway signed it");
    }
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
