//! The PROXY protocol: a balancer says whose connection it passes on, and nobody else can.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ask::HOST;
use super::usher::Gateway;
use super::{Origin, Setup};

const TRUSTING: &str = "insecure_cookies = true\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.0/8\"]\n";

async fn answer(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A refusal may be a reset.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// `GET /assets/x` right behind a header.
fn behind(header: &[u8]) -> Vec<u8> {
    let ask = format!("GET /assets/x HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    [header, ask.as_bytes()].concat()
}

fn version_2() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24".to_vec();
    header.extend("2001:db8::7".parse::<std::net::Ipv6Addr>().unwrap().octets());
    header.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    header.extend([0xdc, 0x04, 0x01, 0xbb]);
    header
}

/// Both versions name the client to decisions and to the upstream, in one segment with the request or byte by byte.
#[tokio::test]
async fn the_balancer_names_the_client() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).listener(TRUSTING)).await;
    let version_1 = b"PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n".to_vec();
    for (header, client) in [(version_1.clone(), "203.0.113.7"), (version_2(), "2001:db8::7")] {
        let answer = answer(&gateway, &behind(&header)).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(origin.last().header("x-forwarded-for"), client);
    }
    let answer_unknown = answer(&gateway, &behind(b"PROXY UNKNOWN\r\n")).await;
    assert!(answer_unknown.starts_with("HTTP/1.1 200 "), "{answer_unknown}");
    assert_eq!(origin.last().header("x-forwarded-for"), "127.0.0.1");

    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in behind(&version_1) {
        stream.write_all(&[byte]).await.unwrap();
    }
    let mut trickled = String::new();
    stream.read_to_string(&mut trickled).await.unwrap();
    assert!(trickled.starts_with("HTTP/1.1 200 "), "{trickled}");
    assert_eq!(origin.last().header("x-forwarded-for"), "203.0.113.7");
}

/// Without a header there is no service, and a peer that is no balancer cannot give one (N24).
#[tokio::test]
async fn nobody_else_is_believed() {
    let origin = Origin::start().await;
    let gateway = Gateway::ready(&Setup::before(&origin).listener(TRUSTING)).await;
    for header in [&b""[..], b"PROXY TCP4 a b c d\r\n", b"PROXY TCP9 \r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c"] {
        assert_eq!(answer(&gateway, &behind(header)).await, "", "{header:?}");
    }
    let metrics = gateway.metrics().await;
    let refused = "usher_connections_rejected_total{listener=\"public\",reason=\"proxy_header\"}";
    assert_eq!(metrics.value(refused), 4.0);

    let elsewhere = TRUSTING.replace("127.0.0.0/8", "192.0.2.0/24");
    let gateway = Gateway::ready(&Setup::before(&origin).listener(&elsewhere)).await;
    let header = b"PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n";
    assert_eq!(answer(&gateway, &behind(header)).await, "");
    assert!(origin.seen().is_empty());
}

/// The header comes before TLS, so a balancer that knows nothing of TLS can pass it on.
#[tokio::test]
async fn the_header_comes_before_tls() {
    let origin = Origin::start().await;
    let (setup, authority) = Setup::before(&origin).tls("proxy_protocol = true\ntrusted_proxies = [\"127.0.0.0/8\"]\n");
    let gateway = Gateway::ready(&setup).await;
    let stream = TcpStream::connect(gateway.address).await.unwrap();
    let mut stream = authority.connect_over(stream, &version_2()).await;
    let ask = format!("GET /assets/x HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(origin.last().header("x-forwarded-for"), "2001:db8::7");
}
