//! TLS between gateway and upstream: nobody else can pass for the upstream, and it can ask who the gateway is.

use super::ask::Ask;
use super::origin::Origin;
use super::secure::Authority;
use super::{Gateway, ONE_SLOT, Setup};

const NAME: &str = "booking.internal";

/// A visitor's first request through a gateway with these keys, before an upstream that shows a certificate for `NAME`.
async fn through(authority: &Authority, asks: bool, keys: &str) -> (Origin, u16) {
    let origin = Origin::secure(authority.server(NAME, asks)).await;
    let setup = Setup::before(&origin).secure_upstream(keys).room(ONE_SLOT);
    setup.put("ca.pem", &authority.pem());
    setup.put("other.pem", &Authority::new().pem());
    let (certificate, key) = authority.server_certificate(&["usher.internal"]);
    setup.put("usher.crt", &certificate);
    setup.put("usher.key", &key);
    let gateway = Gateway::ready(&setup).await;
    let mut visitor = gateway.visitor();
    let answer = visitor.send(Ask::page("/")).await;
    let status = answer.status.as_u16();
    if status == 200 {
        // Bodies both ways, and the connection is used again.
        let posted = visitor.send(Ask::post("/v1/holds").body("pay")).await.expect(200);
        assert!(posted.text().contains("\"body_bytes\":3"), "{}", posted.text());
        visitor.send(Ask::get("/bytes/1000000")).await.expect(200);
    } else {
        assert_eq!(visitor.send(Ask::get("/")).await.expect(status).problem(), "/upstream-unavailable");
        // With TLS 1.3 a server refuses a client's certificate only after the handshake.
        let reason = if asks { "reset" } else { "connect" };
        let errors = format!("usher_upstream_errors_total{{reason=\"{reason}\",upstream=\"booking\"}}");
        assert!(gateway.metrics().await.value(&errors) >= 2.0);
    }
    (origin, status)
}

/// Who shows a certificate of the named authority for the named host is the upstream; nobody else gets a request.
#[tokio::test]
async fn only_the_upstream_gets_requests() {
    let authority = Authority::new();
    let good = format!("ca_file = \"ca.pem\"\nserver_name = \"{NAME}\"\n");
    let (origin, status) = through(&authority, false, &good).await;
    assert_eq!(status, 200);
    assert_eq!(origin.seen().len(), 3);
    for (bad, why) in [
        (format!("server_name = \"{NAME}\"\n"), "the host does not trust this authority"),
        (format!("ca_file = \"other.pem\"\nserver_name = \"{NAME}\"\n"), "another authority"),
        ("ca_file = \"ca.pem\"\nserver_name = \"other.internal\"\n".to_owned(), "another name"),
        ("ca_file = \"ca.pem\"\n".to_owned(), "the endpoint's own host is not in the certificate"),
    ] {
        let (origin, status) = through(&authority, false, &bad).await;
        assert_eq!(status, 502, "{why}");
        assert!(origin.seen().is_empty(), "{why}");
    }
}

/// An upstream that asks for a certificate gets the gateway's, and serves nobody without.
#[tokio::test]
async fn the_gateway_shows_who_it_is() {
    let authority = Authority::new();
    let anonymous = format!("ca_file = \"ca.pem\"\nserver_name = \"{NAME}\"\n");
    let known = format!("{anonymous}client_cert_file = \"usher.crt\"\nclient_key_file = \"usher.key\"\n");
    let (origin, status) = through(&authority, true, &known).await;
    assert_eq!((status, origin.seen().len()), (200, 3));
    let (origin, status) = through(&authority, true, &anonymous).await;
    assert_eq!((status, origin.seen().len()), (502, 0));
}
