//! Clients that leave, break off or send too much.

use std::io::Write as _;
use std::sync::atomic::Ordering;

use gateway::upstream::UpstreamSettings;

use super::roomy;
use crate::edge_support::{FakeUpstream, Gateway, eventually, quick_limits};

/// A client that leaves takes its upstream connection with it: the work behind stops, the place in the pool is free.
#[test]
fn a_client_that_leaves_frees_the_upstream() {
    let upstream = FakeUpstream::start(|mut served, seen| {
        let (head, _) = served.request().unwrap();
        seen.lock().unwrap().push(head);
        served.until_closed();
    });
    let gateway = Gateway::before(&[upstream.address], UpstreamSettings { max_connections: 1, ..roomy() });
    let mut client = gateway.client();
    client.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
    eventually("the upstream has the request", || upstream.seen().len() == 1);
    drop(client);
    eventually("the upstream sees the end", || upstream.open.load(Ordering::SeqCst) == 0);
    eventually("the place is free", || gateway.open_upstream_connections() == 0);
    gateway.expect_count("usher_upstream_abandoned_total{upstream=\"booking\"} 1");
    gateway.expect_count("usher_client_aborts_total{listener=\"public\",phase=\"upstream\"} 1");
}

/// The same while the answer's body is on its way.
#[test]
fn a_client_that_leaves_in_the_body_frees_the_upstream() {
    let upstream = FakeUpstream::start(|mut served, _| {
        served.request();
        served.send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
        while served.stream.get_mut().write_all(&[b'x'; 10_000]).is_ok() {}
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    let mut client = gateway.client();
    client.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
    eventually("the answer began", || client.stream.get_ref().peek(&mut [0; 1]).unwrap() == 1);
    drop(client);
    eventually("the place is free", || gateway.open_upstream_connections() == 0);
    gateway.expect_count("usher_client_aborts_total{listener=\"public\",phase=\"body\"} 1");
    gateway.expect_count("usher_upstream_abandoned_total{upstream=\"booking\"} 1");
}

/// A client whose body breaks off reaches the upstream as a broken request, never as a shorter one.
#[test]
fn a_broken_request_body_is_not_passed_off_as_whole() {
    let upstream = FakeUpstream::start(|mut served, seen| match served.request() {
        Some(_) => seen.lock().unwrap().push("whole".into()),
        None => seen.lock().unwrap().push("broken".into()),
    });
    let gateway = Gateway::before(&[upstream.address], roomy());
    for framing in ["content-length: 100\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let before = upstream.seen().len();
        let mut client = gateway.client();
        client.send(format!("POST /x HTTP/1.1\r\nhost: h\r\n{framing}"));
        gateway.expect_count("usher_upstream_connections{state=\"active\",upstream=\"booking\"} 1");
        drop(client);
        eventually("the upstream sees the end", || upstream.seen().len() == before + 1);
        gateway.expect_count("usher_upstream_connections{state=\"active\",upstream=\"booking\"} 0");
    }
    assert_eq!(upstream.seen(), ["broken", "broken"]);
}

/// A body beyond the limit ends as 413 for the client and as a broken request for the upstream.
#[test]
fn a_body_over_the_limit_is_413() {
    let upstream = FakeUpstream::start(|mut served, _| while served.request().is_some() {});
    let limits = gateway::listener::ListenerLimits { max_body_bytes: 1_000, ..quick_limits() };
    let gateway = Gateway::start(limits, 100, &[upstream.address], roomy(), 1);
    let answer = gateway.client().post("/x", &[b'x'; 5_000]);
    assert_eq!(answer.status, 413, "{answer:?}");
    gateway.expect_count("usher_upstream_errors_total{reason=\"request_body\",upstream=\"booking\"} 1");
}
