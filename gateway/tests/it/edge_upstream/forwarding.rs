//! What passes between a client and an upstream that are both well.

use std::io::Write as _;
use std::sync::atomic::Ordering;

use gateway::upstream::UpstreamSettings;

use super::roomy;
use crate::edge_support::{Client, FakeUpstream, Gateway, eventually};

/// A request passes with what it may carry, and connections are used again.
#[test]
fn requests_are_forwarded_over_one_connection() {
    let upstream = FakeUpstream::plain();
    let gateway = Gateway::before(&[upstream.address], roomy());
    let mut client = gateway.client();
    for _ in 0..20 {
        assert_eq!(client.get("/v1/events?x=1").text(), "0");
    }
    assert_eq!(gateway.client().get("/other").text(), "0");
    assert_eq!(upstream.accepted.load(Ordering::SeqCst), 1);
    let head = &upstream.seen()[0];
    assert!(head.starts_with("GET /v1/events?x=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nhost: h\r\n") && head.contains("\r\nusher-room: concert\r\n"), "{head}");
    gateway.expect_count("usher_upstream_requests_total{code=\"200\",upstream=\"booking\"} 21");
    gateway.expect_count("usher_upstream_connections{state=\"idle\",upstream=\"booking\"} 1");
    gateway.expect_count("usher_upstream_connections{state=\"active\",upstream=\"booking\"} 0");
}

/// Bodies stream both ways, byte for byte, whatever their framing.
#[test]
fn bodies_stream_both_ways() {
    let upstream = FakeUpstream::start(|mut served, _| {
        while let Some((_, body)) = served.request() {
            served.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            for chunk in body.chunks(10_000) {
                served.send(format!("{:x}\r\n", chunk.len()));
                served.send(chunk);
                served.send("\r\n");
            }
            served.send("0\r\n\r\n");
        }
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    let body: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let mut client = gateway.client();
    assert!(client.post("/echo", &body).body == body);
    client.send("POST /echo HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "abcde");
    assert_eq!(upstream.accepted.load(Ordering::SeqCst), 1);
    gateway.expect_count("usher_http_body_bytes_total{direction=\"in\",listener=\"public\"} 1000005");
    gateway.expect_count("usher_http_body_bytes_total{direction=\"out\",listener=\"public\"} 1000005");
}

/// The first bytes of an answer reach the client before its last ones exist.
#[test]
fn an_answer_is_not_collected_first() {
    let (more, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = FakeUpstream::start(move |mut served, _| {
        served.request();
        served.send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc");
        let _ = wait.lock().unwrap().recv();
        served.send("def");
        served.until_closed();
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    let mut client = gateway.client();
    client.send("GET /slow HTTP/1.1\r\nhost: h\r\n\r\n");
    eventually("the first half arrived", || {
        let mut peeked = [0; 4096];
        let length = client.stream.get_ref().peek(&mut peeked).unwrap();
        peeked[..length].ends_with(b"abc")
    });
    more.send(()).unwrap();
    assert_eq!(client.answer().text(), "abcdef");
}

/// Trailers pass to a client that asked for them.
#[test]
fn trailers_pass() {
    let upstream = FakeUpstream::start(|mut served, seen| {
        while let Some((head, _)) = served.request() {
            seen.lock().unwrap().push(head);
            served.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 42\r\n\r\n");
        }
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    let mut client = gateway.client();
    for _ in 0..2 {
        client.send("GET /sum HTTP/1.1\r\nhost: h\r\nte: trailers\r\nconnection: te\r\n\r\n");
        let answer = client.answer();
        assert_eq!((answer.text(), answer.trailers.as_str()), ("abc", "x-sum: 42\r\n"));
    }
    assert!(upstream.seen()[0].contains("\r\nte: trailers\r\n"));
    assert_eq!(upstream.accepted.load(Ordering::SeqCst), 1);
}

/// An upstream that answers before it has read the body is heard, and what is left of the body harms nobody.
#[test]
fn an_early_answer_passes() {
    let upstream = FakeUpstream::start(|mut served, _| {
        let mut head = [0; 64];
        let _ = std::io::Read::read(&mut served.stream, &mut head);
        served.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
        served.until_closed();
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    let mut client = gateway.client();
    client.send("POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\n");
    let _ = client.stream.get_mut().write_all(&[b'x'; 1_000]);
    let answer = client.answer();
    assert_eq!((answer.status, answer.text()), (403, "no"));
    eventually("the connection is not used again", || gateway.open_upstream_connections() == 0);
}

/// Answers of two clients are never mixed up, whoever leaves in between (N20).
#[test]
fn answers_reach_whom_they_belong_to() {
    let upstream = FakeUpstream::start(|mut served, _| {
        while let Some((head, _)) = served.request() {
            let path = head.split(' ').nth(1).unwrap().to_owned();
            served.ok(&path);
        }
    });
    let settings = UpstreamSettings { max_connections: 3, ..roomy() };
    let gateway = Gateway::before(&[upstream.address], settings);
    for round in 0..30 {
        let mut crowd: Vec<Client> = (0..20).map(|_| gateway.client()).collect();
        for (at, client) in crowd.iter_mut().enumerate() {
            client.send(format!("GET /{round}/{at} HTTP/1.1\r\nhost: h\r\n\r\n"));
        }
        for (at, mut client) in crowd.into_iter().enumerate() {
            if at % 3 == 1 {
                drop(client);
            } else {
                assert_eq!(client.answer().text(), format!("/{round}/{at}"));
            }
        }
    }
}

/// Answers that have no body keep their fields and leave the connection in step.
#[test]
fn answers_without_body_pass() {
    let upstream = FakeUpstream::start(|mut served, _| {
        while let Some((head, _)) = served.request() {
            match head.split(' ').nth(1).unwrap() {
                "/304" => served.send("HTTP/1.1 304 Not Modified\r\netag: \"e\"\r\ncontent-length: 7\r\n\r\n"),
                "/204" => served.send("HTTP/1.1 204 No Content\r\n\r\n"),
                "/hints" => served
                    .send("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
                "/old" => return served.send("HTTP/1.0 200 OK\r\n\r\nuntil the end"),
                _ => served.send("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n"),
            }
        }
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    let mut client = gateway.client();
    client.send("HEAD /x HTTP/1.1\r\nhost: h\r\n\r\nGET /204 HTTP/1.1\r\nhost: h\r\n\r\n");
    let mut wire = [0; 1024];
    let mut read = 0;
    while !wire[..read].windows(14).any(|at| at == b"204 No Content") {
        read += std::io::Read::read(&mut client.stream, &mut wire[read..]).unwrap();
    }
    let head = String::from_utf8_lossy(&wire[..read]).into_owned();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-length: 1234\r\n"), "{head}");
    let mut client = gateway.client();
    let answer = client.get("/304");
    assert_eq!((answer.status, answer.has("etag: \"e\"")), (304, true), "{answer:?}");
    assert_eq!(client.get("/204").status, 204);
    assert_eq!(client.get("/hints").text(), "ok");
    assert_eq!(upstream.accepted.load(Ordering::SeqCst), 1);
    assert_eq!(client.get("/old").text(), "until the end");
}
