//! An upstream that refuses, hangs, breaks off or talks nonsense.

use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::clock::monotonic;
use gateway::upstream::UpstreamSettings;

use super::{SHORT, roomy};
use crate::edge_support::{FakeUpstream, Gateway, eventually, nobody};

/// Nobody listens: 502 at once, named.
#[test]
fn a_refused_connection_is_502() {
    let gateway = Gateway::before(&[nobody()], roomy());
    let answer = gateway.client().get("/x");
    assert_eq!(answer.status, 502);
    assert!(answer.text().contains("/upstream-unavailable"), "{}", answer.text());
    gateway.expect_count("usher_upstream_errors_total{reason=\"connect\",upstream=\"booking\"} 1");
    gateway.expect_count("usher_upstream_up{upstream=\"booking\"} 0");
    assert_eq!(gateway.open_upstream_connections(), 0);
}

/// Where one of several endpoints refuses, the others serve, for any method; the refusing one is passed over.
#[test]
fn another_endpoint_serves() {
    let upstream = FakeUpstream::plain();
    let gateway = Gateway::before(&[nobody(), upstream.address, nobody()], roomy());
    for _ in 0..10 {
        let mut client = gateway.client();
        client.send("POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc");
        assert_eq!(client.answer().status, 200);
    }
    assert_eq!(upstream.seen().len(), 10);
}

/// No answer in time: 504, and the connection is not used again.
#[test]
fn a_hanging_upstream_is_504() {
    let upstream = FakeUpstream::start(|mut served, _| {
        served.request();
        served.until_closed();
    });
    let gateway = Gateway::before(&[upstream.address], UpstreamSettings { response_timeout: SHORT, ..roomy() });
    let began = monotonic();
    let answer = gateway.client().get("/x");
    assert_eq!(answer.status, 504);
    assert!(began.elapsed() >= SHORT);
    gateway.expect_count("usher_upstream_errors_total{reason=\"timeout\",upstream=\"booking\"} 1");
    eventually("the connection is closed", || gateway.open_upstream_connections() == 0);
}

/// An answer that breaks off breaks off for the client too: it never looks whole (N26).
#[test]
fn a_broken_answer_looks_broken() {
    for framing in ["content-length: 100\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        for reset in [false, true] {
            let upstream = FakeUpstream::start(move |mut served, _| {
                served.request();
                served.send(format!("HTTP/1.1 200 OK\r\n{framing}"));
                if reset { served.reset() } else { served.close() }
            });
            let gateway = Gateway::before(&[upstream.address], roomy());
            let mut client = gateway.client();
            client.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
            // A reset may overtake the head: then the gateway says 502 itself.
            if let Ok(answer) = client.try_answer() {
                assert_eq!(answer.status, 502, "{answer:?}");
            }
            eventually("the connection is closed", || gateway.open_upstream_connections() == 0);
            gateway.expect_count("usher_client_aborts_total{listener=\"public\",phase=\"body\"} 0");
        }
    }
}

/// An answer's body that stalls is ended.
#[test]
fn a_stalled_answer_is_ended() {
    let upstream = FakeUpstream::start(|mut served, _| {
        served.request();
        served.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
        served.until_closed();
    });
    let gateway = Gateway::before(&[upstream.address], UpstreamSettings { body_timeout: SHORT, ..roomy() });
    let mut client = gateway.client();
    client.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
    assert!(client.try_answer().is_err());
    gateway.expect_count("usher_upstream_errors_total{reason=\"timeout\",upstream=\"booking\"} 1");
}

/// An answer that never pauses and never ends is ended all the same, and that is not the endpoint's fault.
#[test]
fn an_endless_answer_is_ended() {
    let upstream = FakeUpstream::start(|mut served, _| {
        served.request();
        served.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while served.stream.get_mut().write_all(b"1\r\nx\r\n").is_ok() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    });
    let settings = UpstreamSettings { total_timeout: SHORT, failure_threshold: 1, ..roomy() };
    let gateway = Gateway::before(&[upstream.address], settings);
    let began = monotonic();
    let mut client = gateway.client();
    client.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
    assert!(client.try_answer().is_err(), "it must not look whole");
    assert!(began.elapsed() >= SHORT);
    gateway.expect_count("usher_upstream_errors_total{reason=\"timeout\",upstream=\"booking\"} 1");
    gateway.expect_count("usher_upstream_up{upstream=\"booking\"} 1");
    eventually("the connection is closed", || upstream.open.load(Ordering::SeqCst) == 0);
}

/// What is not HTTP is 502, and an upgrade nobody asked for is not followed (N22).
#[test]
fn an_answer_that_is_no_http_is_502() {
    for answer in
        ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"]
    {
        let upstream = FakeUpstream::start(move |mut served, seen| {
            let (head, _) = served.request().unwrap();
            seen.lock().unwrap().push(head);
            served.send(answer);
            served.until_closed();
        });
        let gateway = Gateway::before(&[upstream.address], roomy());
        let mut client = gateway.client();
        client.send("GET /x HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
        assert_eq!(client.answer().status, 502);
        assert!(!upstream.seen()[0].contains("upgrade"), "{:?}", upstream.seen());
        gateway.expect_count("usher_upstream_errors_total{reason=\"protocol\",upstream=\"booking\"} 1");
        assert_eq!(upstream.seen().len(), 1);
    }
}

/// An upstream that closes idle connections is not noticed by clients, whatever they send.
#[test]
fn an_idle_connection_closed_by_the_upstream_is_replaced() {
    let upstream = FakeUpstream::start(|mut served, seen| {
        let Some((head, _)) = served.request() else { return };
        seen.lock().unwrap().push(head);
        served.ok("once");
        served.close();
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    let mut client = gateway.client();
    for round in 0..20 {
        // Closed before the next request is sent: the pool has seen the end of the connection or will.
        eventually("the upstream closed", || upstream.open.load(Ordering::SeqCst) == 0);
        if round % 2 == 0 {
            assert_eq!(client.get("/x").text(), "once");
        }
    }
    assert_eq!(upstream.seen().len(), 10);
}

/// The upstream takes a request over a used connection and closes without a word: a GET is sent again, once; a POST
/// may have had an effect and is not (N25).
#[test]
fn only_what_has_no_effect_is_sent_again() {
    let script = |mut served: crate::edge_support::Served, seen: &std::sync::Mutex<Vec<String>>| {
        let mut first = true;
        while let Some((head, _)) = served.request() {
            let line = head.lines().next().unwrap().to_owned();
            seen.lock().unwrap().push(line);
            if !first {
                return served.close();
            }
            first = false;
            served.ok("first");
        }
    };
    let upstream = FakeUpstream::start(script);
    let gateway = Gateway::before(&[upstream.address], roomy());
    let mut client = gateway.client();
    assert_eq!(client.get("/1").text(), "first");
    assert_eq!(client.get("/2").text(), "first");
    assert_eq!(upstream.seen(), ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1", "GET /2 HTTP/1.1"]);
    gateway.expect_count("usher_upstream_retries_total{upstream=\"booking\"} 1");
    for (method, body) in [("POST", ""), ("POST", "abc"), ("PUT", "abc"), ("PATCH", "")] {
        let upstream = FakeUpstream::start(script);
        let gateway = Gateway::before(&[upstream.address], roomy());
        let mut client = gateway.client();
        assert_eq!(client.get("/1").text(), "first");
        client.send(format!("{method} /2 HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        assert_eq!(client.answer().status, 502, "{method} {body:?}");
        assert_eq!(upstream.seen().len(), 2, "{method} {body:?}: {:?}", upstream.seen());
        gateway.expect_count("usher_upstream_errors_total{reason=\"reset\",upstream=\"booking\"} 1");
    }
}

/// A fresh connection that breaks without an answer is not tried again: it was not the pool's fault.
#[test]
fn a_fresh_connection_is_not_retried() {
    let upstream = FakeUpstream::start(|mut served, seen| {
        let Some((head, _)) = served.request() else { return };
        seen.lock().unwrap().push(head);
        served.close();
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    assert_eq!(gateway.client().get("/x").status, 502);
    assert_eq!(upstream.seen().len(), 1);
}
