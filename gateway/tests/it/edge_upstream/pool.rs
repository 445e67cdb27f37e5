//! The cap on connections, and who waits for one.

use std::sync::atomic::Ordering;

use gateway::clock::monotonic;
use gateway::upstream::UpstreamSettings;

use super::{SHORT, roomy};
use crate::edge_support::{Client, FakeUpstream, Gateway, eventually, quick_limits};

/// The cap holds under far more clients than connections, over all cores, and nobody is lost.
#[test]
fn the_cap_holds_under_a_crowd() {
    const CAP: usize = 8;
    let upstream = FakeUpstream::plain();
    let settings = UpstreamSettings { max_connections: CAP, ..roomy() };
    let gateway = Gateway::start(quick_limits(), 10_000, &[upstream.address], settings, 2);
    for _ in 0..3 {
        let mut crowd: Vec<Client> = (0..500).map(|at| Client::to(gateway.cores[at % 2])).collect();
        for client in &mut crowd {
            client.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
        }
        for client in &mut crowd {
            assert_eq!(client.answer().status, 200);
        }
    }
    // Connections move between cores now and then, but most requests find one that is open.
    assert!(upstream.accepted.load(Ordering::SeqCst) < 500, "{:?}", upstream.accepted);
    assert!(gateway.open_upstream_connections() <= CAP);
    assert_eq!(upstream.seen().len(), 1_500);
    gateway.expect_count("usher_upstream_connections{state=\"waiting\",upstream=\"booking\"} 0");
}

/// At no instant are more connections open than the cap, as the upstream itself sees them.
#[test]
fn the_upstream_never_sees_more_than_the_cap() {
    const CAP: usize = 4;
    let upstream = FakeUpstream::plain();
    let settings = UpstreamSettings { max_connections: CAP, ..roomy() };
    let gateway = Gateway::start(quick_limits(), 10_000, &[upstream.address], settings, 1);
    let mut crowd: Vec<Client> = (0..500).map(|_| gateway.client()).collect();
    for client in &mut crowd {
        client.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
    }
    for client in &mut crowd {
        assert_eq!(client.answer().status, 200);
    }
    assert!(upstream.most_open.load(Ordering::SeqCst) <= CAP);
}

/// A full pool answers 503 after its wait, and at once when too many wait already.
#[test]
fn a_full_pool_is_503() {
    let upstream = FakeUpstream::start(|mut served, _| {
        served.request();
        served.until_closed();
    });
    let settings =
        UpstreamSettings { max_connections: 1, max_pending: 1, pool_wait: SHORT, ..UpstreamSettings::default() };
    let gateway = Gateway::before(&[upstream.address], settings);
    let mut holder = gateway.client();
    holder.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
    gateway.expect_count("usher_upstream_connections{state=\"active\",upstream=\"booking\"} 1");
    let began = monotonic();
    let mut waiting = gateway.client();
    waiting.send("GET /x HTTP/1.1\r\nhost: h\r\n\r\n");
    gateway.expect_count("usher_upstream_connections{state=\"waiting\",upstream=\"booking\"} 1");
    let refused = gateway.client().get("/x");
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("/upstream-busy"));
    assert_eq!(waiting.answer().status, 503);
    assert!(began.elapsed() >= SHORT);
    gateway.expect_count("usher_upstream_errors_total{reason=\"pool_wait\",upstream=\"booking\"} 2");
    gateway.expect_count("usher_upstream_pool_wait_seconds_count{upstream=\"booking\"} 1");
}

/// Where not all can be served, those whose turn it is go first, and a crowd on open paths leaves them room to wait.
#[test]
fn admitted_visitors_go_first() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = FakeUpstream::start(move |mut served, seen| {
        while let Some((head, _)) = served.request() {
            seen.lock().unwrap().push(head);
            let _ = wait.lock().unwrap().recv();
            served.ok("x");
        }
    });
    let gateway =
        Gateway::before(&[upstream.address], UpstreamSettings { max_connections: 1, max_pending: 4, ..roomy() });
    let ask = |path: &str| {
        let mut client = gateway.client();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: h\r\n\r\n"));
        client
    };
    let waiting = |count| {
        gateway.expect_count(&format!("usher_upstream_connections{{state=\"waiting\",upstream=\"booking\"}} {count}"));
    };
    let mut clients = vec![ask("/first")];
    eventually("the upstream has the first", || upstream.seen().len() == 1);
    for (path, count) in [("/open", 1), ("/open", 2), ("/admitted-1", 3), ("/admitted-2", 4)] {
        clients.push(ask(path));
        waiting(count);
        // Half of the places to wait are taken.
        if count == 2 {
            assert_eq!(gateway.client().get("/open").status, 503);
        }
    }
    (0..5).for_each(|_| go.send(()).unwrap());
    assert!(clients.into_iter().all(|mut client| client.answer().status == 200));
    let order: Vec<String> = upstream.seen().iter().map(|head| head.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(order, ["/first", "/admitted-1", "/admitted-2", "/open", "/open"]);
    for (rank, result, count) in [("open", "refused", 1), ("open", "served", 2), ("admitted", "served", 2)] {
        gateway.expect_count(&format!(
            "usher_upstream_waits_total{{rank=\"{rank}\",result=\"{result}\",upstream=\"booking\"}} {count}"
        ));
    }
}

/// Idle connections of one core are given up for another core that has none.
#[test]
fn idle_connections_move_between_cores() {
    let upstream = FakeUpstream::plain();
    let settings = UpstreamSettings { max_connections: 1, ..roomy() };
    let gateway = Gateway::start(quick_limits(), 10_000, &[upstream.address], settings, 2);
    let (mut here, mut there) = (Client::to(gateway.cores[0]), Client::to(gateway.cores[1]));
    for _ in 0..5 {
        assert_eq!(here.get("/x").status, 200);
        assert_eq!(there.get("/x").status, 200);
    }
    assert_eq!(gateway.open_upstream_connections(), 1);
}
