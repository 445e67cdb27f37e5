//! The pool and the exchange under upstreams that fail in every way.

use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gateway::clock::monotonic;
use gateway::upstream::UpstreamSettings;

use crate::edge_support::{Client, FakeUpstream, Gateway, eventually, nobody, quick_limits};

const SHORT: Duration = Duration::from_millis(300);

fn roomy() -> UpstreamSettings {
    UpstreamSettings {
        pool_wait: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(5),
        ..UpstreamSettings::default()
    }
}

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
