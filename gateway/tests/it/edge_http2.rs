//! HTTP/2 connections and streams under slow and rude clients.

use std::time::Duration;

use bytes::Bytes;
use gateway::listener::ListenerLimits;

use crate::edge_support::{Gateway, quick_limits};
use crate::journey::http2_frames::{Frames, Heard, field, kind};
use crate::journey::secure::{Http2, request};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

fn head(method: &str, path: &str) -> Vec<u8> {
    [field(":method", method), field(":scheme", "http"), field(":path", path), field(":authority", "h")].concat()
}

/// A steady reader gets everything, through windows far smaller than the answer, beside other streams.
#[tokio::test]
async fn a_reader_gets_a_huge_answer_whole() {
    let gateway = Gateway::alone_in_http2(quick_limits());
    let client = Http2::cleartext(gateway.address).await;
    let (huge, small) = tokio::join!(client.get(request("GET", "/huge")), client.get(request("GET", "/own")));
    assert_eq!(huge.unwrap().expect(200).body.len(), 64 * 1024 * 1024);
    assert_eq!(small.unwrap().expect(200).body, "own");
    gateway.expect_count("usher_http_requests_in_flight{listener=\"public\"} 0");
    gateway.expect_count("usher_connections_open{listener=\"public\",protocol=\"http2\"} 1");
}

/// A body that stalls ends its request with 408; other streams of the connection go on.
#[tokio::test]
async fn a_stalled_body_is_answered_408() {
    let mut limits = quick_limits();
    limits.body.stall = SHORT;
    let gateway = Gateway::alone_in_http2(limits);
    let mut frames = Frames::connect(gateway.address).await;
    let stalled = frames.request(&head("POST", "/read"), false).await;
    frames.send(kind::DATA, 0, stalled, b"abc").await;
    assert_eq!(frames.status(stalled).await, Some(408));
    let next = frames.request(&head("GET", "/own"), true).await;
    assert_eq!(frames.outcome(next).await, Some(200));
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"body\"} 1");
}

/// A body nobody wants is refused, not read: the stream ends after its answer and the connection goes on (N21).
#[tokio::test]
async fn an_unread_body_ends_with_its_stream() {
    let gateway = Gateway::alone_in_http2(quick_limits());
    let client = Http2::cleartext(gateway.address).await;
    for _ in 0..3 {
        let body = Bytes::from(vec![b'x'; 32 * 1024]);
        assert_eq!(client.send(request("POST", "/own"), body, None).await.unwrap().expect(200).body, "own");
    }
    assert_eq!(gateway.probe.seen.lock().unwrap().len(), 3);
}

/// An answer that its reader does not take is broken off, not only its stream's share of the window kept; what the reader
/// does take goes on.
#[tokio::test]
async fn what_cannot_progress_is_reset() {
    let mut limits = quick_limits();
    limits.write.stall = SHORT;
    let gateway = Gateway::alone_in_http2(limits);
    // Windows of 100 bytes.
    let mut frames = Frames::with_settings(gateway.address, &[(4, 100)]).await;
    let stalled = frames.request(&head("GET", "/huge"), true).await;
    assert_eq!(frames.status(stalled).await, Some(200));
    assert_eq!(frames.next_of(stalled).await, Some(Heard::Data { length: 100 }));
    assert_eq!(frames.next_of(stalled).await, Some(Heard::Reset));
    let small = frames.request(&head("GET", "/own"), true).await;
    assert_eq!(frames.outcome(small).await, Some(200));
    gateway.expect_count("usher_http_requests_in_flight{listener=\"public\"} 0");
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"write\"} 1");
}

/// An idle connection is told to go and closed; pings between requests do not keep it.
#[tokio::test]
async fn an_idle_connection_is_closed() {
    let gateway = Gateway::alone_in_http2(ListenerLimits { idle: SHORT, header: LONG, ..quick_limits() });
    let mut frames = Frames::connect(gateway.address).await;
    let stream = frames.request(&head("GET", "/own"), true).await;
    assert_eq!(frames.outcome(stream).await, Some(200));
    frames.send(kind::PING, 0, 0, &[7; 8]).await;
    assert_eq!(frames.until_closed().await, Some(0), "GOAWAY without an error");
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"idle\"} 1");
    gateway.expect_count("usher_connections_open{listener=\"public\",protocol=\"http2\"} 0");
}

/// A client that takes its request back frees what worked for it.
#[tokio::test]
async fn a_request_taken_back_is_dropped() {
    let gateway = Gateway::alone_in_http2(quick_limits());
    let mut frames = Frames::connect(gateway.address).await;
    let stream = frames.request(&head("GET", "/never"), true).await;
    gateway.expect_count("usher_http_requests_in_flight{listener=\"public\"} 1");
    frames.send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]).await;
    gateway.expect_count("usher_client_aborts_total{listener=\"public\",phase=\"waiting\"} 1");
    gateway.expect_count("usher_http_requests_in_flight{listener=\"public\"} 0");
}

/// HTTP/1 on a listener of HTTP/2 is refused: nothing is guessed from the bytes, in either direction.
#[tokio::test]
async fn nothing_is_guessed() {
    let gateway = Gateway::alone_in_http2(quick_limits());
    let mut client = gateway.client();
    client.send("GET /own HTTP/1.1\r\nhost: h\r\n\r\n");
    let answer = client.until_closed();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(gateway.probe.seen.lock().unwrap().is_empty());
}
