//! TLS: what is spoken, with which certificate, and how that changes without a restart.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ask::HOST;
use super::secure::{Authority, Http2, request};
use super::setup::ROOM;
use super::wait::{PATIENCE, eventually};
use super::{Gateway, Origin, Setup};

/// A browser and an old client are both served over TLS, each in what it offered; the upstream is told that it was TLS,
/// and the cookies are kept to it.
#[tokio::test]
async fn both_protocols_are_served_over_tls() {
    let origin = Origin::start().await;
    let (setup, authority) = Setup::before(&origin).tls("");
    let gateway = Gateway::ready(&setup).await;

    let stream = authority.connect(gateway.address, HOST, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let client = Http2::over(stream).await;
    let answer = client.get(request("GET", "/").header("accept", "text/html")).await.unwrap().expect(200);
    let cookie = answer.headers.get("set-cookie").unwrap().to_str().unwrap();
    assert!(cookie.starts_with(&format!("__Host-usher-ticket-{ROOM}=")) || cookie.contains("__Host-"), "{cookie}");
    assert!(cookie.contains("; Secure"), "{cookie}");
    assert!(answer.headers.contains_key("date"));
    assert_eq!(origin.last().header("x-forwarded-proto"), "https");
    assert_eq!(origin.last().header("host"), HOST);

    for protocols in [&["http/1.1"][..], &[]] {
        let mut stream = authority.connect(gateway.address, HOST, protocols).await.unwrap();
        let ask = format!("GET /_usher/{ROOM} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("a whole answer, and a close that says so");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{protocols:?}: {answer}");
    }
    let metrics = gateway.metrics().await;
    assert_eq!(metrics.value("usher_connections_total{listener=\"public\",protocol=\"http2\"}"), 1.0);
    assert_eq!(metrics.value("usher_connections_total{listener=\"public\",protocol=\"http1\"}"), 2.0);
}

/// What is not TLS, or agrees on nothing, comes to nothing: counted, and nothing is answered in cleartext.
#[tokio::test]
async fn a_bad_handshake_comes_to_nothing() {
    let origin = Origin::start().await;
    let (setup, authority) = Setup::before(&origin).tls("");
    let gateway = Gateway::ready(&setup).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(authority.connect(gateway.address, HOST, &["spdy/3"]).await.is_err());
    drop(TcpStream::connect(gateway.address).await.unwrap());
    eventually("the counts", async || {
        let metrics = gateway.metrics().await;
        let failed = |reason: &str| {
            metrics.value(&format!("usher_tls_handshake_failures_total{{listener=\"public\",reason=\"{reason}\"}}"))
        };
        (failed("tls") == 2.0 && failed("closed") == 1.0).then_some(())
    })
    .await;
    assert!(origin.seen().is_empty());
}

/// A handshake that stalls, silent or half said, does not hold a connection (N27).
#[tokio::test]
async fn a_stalled_handshake_is_cut() {
    let origin = Origin::start().await;
    let (setup, _authority) = Setup::before(&origin).tls("first_byte_timeout = \"500ms\"\n");
    let gateway = Gateway::ready(&setup).await;
    let mut silent = TcpStream::connect(gateway.address).await.unwrap();
    let mut stalled = TcpStream::connect(gateway.address).await.unwrap();
    // A record that promises 256 bytes and brings two.
    stalled.write_all(b"\x16\x03\x01\x01\x00\x01\x00").await.unwrap();
    for stream in [&mut silent, &mut stalled] {
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "still open");
    }
    eventually("the count", async || {
        let metrics = gateway.metrics().await;
        let cut = |reason: &str| {
            metrics.value(&format!("usher_connections_rejected_total{{listener=\"public\",reason=\"{reason}\"}}"))
        };
        (cut("first_byte") == 1.0 && cut("handshake") == 1.0).then_some(())
    })
    .await;
}

/// Which certificate a client gets goes by the name it asks for.
#[tokio::test]
async fn the_name_chooses_the_certificate() {
    let origin = Origin::start().await;
    let (setup, authority) = Setup::before(&origin).tls("");
    let (certificate, key) = authority.server_certificate(&["*.fair.example"]);
    setup.put("other.crt", &certificate);
    setup.put("other.key", &key);
    let tls = "tls = { cert_file = \"tls.crt\", key_file = \"tls.key\", \
               additional = [{ cert_file = \"other.crt\", key_file = \"other.key\" }] }\n";
    let gateway = Gateway::ready(&setup.listener(tls)).await;
    for (name, good) in [(HOST, true), ("main.fair.example", true), ("a.b.fair.example", false), ("x.example", false)] {
        assert_eq!(authority.connect(gateway.address, name, &[]).await.is_ok(), good, "{name}");
    }
}

/// A new certificate is taken up on HUP while connections go on; a bad one is told and the old stays.
#[tokio::test]
async fn certificates_change_without_a_restart() {
    let origin = Origin::start().await;
    let (setup, old) = Setup::before(&origin).tls("");
    let gateway = Gateway::ready(&setup).await;
    let under_way = Http2::over(old.connect(gateway.address, HOST, &["h2"]).await.unwrap()).await;
    let state = || request("GET", &format!("/_usher/{ROOM}"));
    under_way.get(state()).await.unwrap().expect(200);
    let reloads = async |result: &str| {
        gateway.metrics().await.value(&format!("usher_config_reloads_total{{result=\"{result}\"}}"))
    };
    assert_eq!(reloads("ok").await, 0.0);

    setup.put("tls.key", "no key");
    gateway.process.signal("HUP");
    eventually("the failure", async || (reloads("failed").await == 1.0).then_some(())).await;
    assert!(gateway.process.log().contains("tls.key"), "{}", gateway.process.log());
    assert!(old.connect(gateway.address, HOST, &[]).await.is_ok(), "the old stays");

    let new = Authority::new();
    setup.certify(&new.server_certificate(&[HOST]));
    gateway.process.signal("HUP");
    eventually("the reload", async || (reloads("ok").await == 1.0).then_some(())).await;
    assert!(old.connect(gateway.address, HOST, &[]).await.is_err());
    assert!(new.connect(gateway.address, HOST, &[]).await.is_ok());
    under_way.get(state()).await.unwrap().expect(200);
    let expiry = gateway.metrics().await.value("usher_tls_certificate_expiry_timestamp_seconds{listener=\"public\"}");
    assert!(expiry > 1.8e9, "{expiry}");
}
