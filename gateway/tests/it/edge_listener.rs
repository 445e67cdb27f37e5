//! The public side under slow, rude and hostile clients.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use gateway::clock::monotonic;
use gateway::listener::ListenerLimits;
use gateway::upstream::UpstreamSettings;

use crate::edge_support::{Client, FakeUpstream, Gateway, PATIENCE, eventually, quick_limits};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

/// Requests on one connection are answered in their order, however they arrive.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let gateway = Gateway::alone(quick_limits());
    let mut client = gateway.client();
    client.send("GET /own HTTP/1.1\r\nhost: h\r\n\r\nPOST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabcGET /admitted HTTP/1.1\r\nhost: h\r\n\r\n");
    assert_eq!([client.answer().text(), client.answer().text(), client.answer().text()], ["own", "3", "admitted"]);
    gateway.expect_count("usher_http_requests_in_flight{listener=\"public\"} 0");
}

/// A connection that says nothing is not kept (slow connection attacks).
#[test]
fn a_silent_connection_is_closed() {
    let gateway = Gateway::alone(ListenerLimits { first_byte: SHORT, ..quick_limits() });
    let began = monotonic();
    let mut client = gateway.client();
    assert_eq!(client.until_closed(), b"");
    assert!(began.elapsed() >= SHORT - Duration::from_millis(20), "closed too early");
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"first_byte\"} 1");
    gateway.expect_count("usher_connections_open{listener=\"public\",protocol=\"http1\"} 0");
}

/// A head that trickles is bounded as a whole: single bytes do not prolong it (slowloris).
#[test]
fn a_trickling_head_is_cut() {
    let gateway = Gateway::alone(ListenerLimits { header: SHORT, first_byte: LONG, idle: LONG, ..quick_limits() });
    let mut client = gateway.client();
    let head = format!("GET /own HTTP/1.1\r\nhost: h\r\nx: {}", "y".repeat(10_000));
    assert!(client.trickle(head.as_bytes(), Duration::from_millis(10)) < 1_000);
    let answer = client.answer();
    assert_eq!(answer.status, 408);
    assert!(answer.has("connection: close"));
    client.until_closed();
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"header\"} 1");
}

/// Heads have a size and a number of fields; beyond, the answer says which of the two sides is at fault.
#[test]
fn heads_are_bounded() {
    let gateway = Gateway::alone(quick_limits());
    for head in [
        format!("GET /own HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "y".repeat(20_000)),
        format!("GET /own HTTP/1.1\r\nhost: h\r\n{}\r\n", "x: y\r\n".repeat(120)),
    ] {
        let mut client = gateway.client();
        client.send(head);
        assert_eq!(client.answer().status, 431);
        client.until_closed();
    }
    let mut client = gateway.client();
    client.send(format!("GET /own HTTP/1.1\r\nhost: h\r\nx: {}\r\n\r\n", "y".repeat(15_000)));
    assert_eq!(client.answer().status, 200);
}

/// What cannot be read in one way only is refused, not guessed at.
#[test]
fn ambiguous_requests_are_refused() {
    let gateway = Gateway::alone(quick_limits());
    for request in [
        "GET /own HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "GET /own HTTP/1.1\r\nhost: h\r\ncontent-length: +1\r\n\r\na",
        "GET /own HTTP/1.1\r\nhost: h\r\ntransfer-encoding: gzip\r\n\r\n",
        "GET /own HTTP/1.1\r\nhost : h\r\n\r\n",
        "GET /own HTTP/1.1\r\n host: h\r\n\r\n",
        "GET /own HTTP/9.9\r\nhost: h\r\n\r\n",
        "GET\t/own HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut client = gateway.client();
        client.send(request);
        if let Ok(answer) = client.try_answer() {
            assert_eq!(answer.status, 400, "{request:?}");
        }
        client.until_closed();
    }
    assert_eq!(gateway.probe.seen.lock().unwrap().len(), 0);
}

/// A body that stalls ends its request with 408, and what was waiting for it is free again.
#[test]
fn a_stalled_body_is_answered_408() {
    let mut limits = quick_limits();
    limits.body.stall = SHORT;
    let gateway = Gateway::alone(limits);
    let mut client = gateway.client();
    client.send("POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\nabc");
    let answer = client.answer();
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(answer.has("connection: close"), "{answer:?}");
    client.until_closed();
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"body\"} 1");
}

/// A body that trickles above the stall but below the floor rate is ended too (slow post).
#[test]
fn a_trickling_body_is_answered_408() {
    let mut limits = quick_limits();
    limits.body.grace = SHORT;
    limits.body.bytes_per_second = 10_000;
    let gateway = Gateway::alone(limits);
    let mut client = gateway.client();
    client.send("POST /read HTTP/1.1\r\nhost: h\r\ncontent-length: 10000\r\n\r\n");
    assert!(client.trickle(&[b'x'; 10_000], Duration::from_millis(10)) < 1_000);
    assert_eq!(client.answer().status, 408);
}

/// A client that asks for much and reads nothing holds neither memory nor its connection for long (slow read).
#[test]
fn a_client_that_never_reads_is_cut() {
    let mut limits = quick_limits();
    limits.write.stall = SHORT;
    let gateway = Gateway::alone(limits);
    let mut client = gateway.client();
    client.send("GET /huge HTTP/1.1\r\nhost: h\r\n\r\n");
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"write\"} 1");
    gateway.expect_count("usher_connections_open{listener=\"public\",protocol=\"http1\"} 0");
    eventually("its place is free", || gateway.capacity.open() == 0);
    gateway.expect_count("usher_client_aborts_total{listener=\"public\",phase=\"body\"} 0");
}

/// A slow but steady reader gets everything.
#[test]
fn a_reader_gets_a_huge_answer_whole() {
    let gateway = Gateway::alone(quick_limits());
    assert_eq!(gateway.client().get("/huge").body.len(), 64 * 1024 * 1024);
}

/// Own answers leave no bytes behind that could be taken for a request (N21): a body up to the bound is read past.
#[test]
fn an_unread_body_is_drained_before_the_next_request() {
    let gateway = Gateway::alone(quick_limits());
    let mut client = gateway.client();
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: h\r\n\r\n".repeat(1_000);
    for _ in 0..3 {
        assert_eq!(client.post("/own", smuggled.as_bytes()).text(), "own");
    }
    client.send(format!(
        "POST /own HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{smuggled}\r\n0\r\n\r\n",
        smuggled.len()
    ));
    assert_eq!(client.answer().text(), "own");
    assert_eq!(client.get("/own").text(), "own");
    let seen = gateway.probe.seen.lock().unwrap().clone();
    assert_eq!(seen, ["POST /own", "POST /own", "POST /own", "POST /own", "GET /own"]);
}

/// A body beyond the bound closes the connection, after the answer has arrived.
#[test]
fn a_body_beyond_the_bound_closes_after_the_answer() {
    for framing in ["content-length: 1000000\r\n\r\n", "transfer-encoding: chunked\r\n\r\nf4240\r\n"] {
        let gateway = Gateway::alone(quick_limits());
        let mut client = gateway.client();
        client.send(format!("POST /own HTTP/1.1\r\nhost: h\r\n{framing}"));
        // The gateway may close while this is being sent.
        let smuggled = "GET /smuggled HTTP/1.1\r\nhost: h\r\n\r\n";
        let _ = client.stream.get_mut().write_all(smuggled.repeat(5_000).as_bytes());
        assert_eq!(client.answer().text(), "own");
        // An orderly end: a reset could overtake the answer. The gateway reads on for a moment, so no reset follows.
        assert_eq!(client.stream.read(&mut [0; 1]).unwrap(), 0);
        client.send("more");
        assert!(client.stream.get_ref().take_error().unwrap().is_none());
        assert_eq!(*gateway.probe.seen.lock().unwrap(), ["POST /own"]);
    }
}

/// A client that waits for `100 Continue` gets the refusal instead, and is not asked for a body nobody wants.
#[test]
fn expect_continue_is_not_confirmed_for_an_own_answer() {
    let gateway = Gateway::alone(quick_limits());
    let mut client = gateway.client();
    client.send("POST /own HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.has("connection: close")), (200, true), "{answer:?}");
    client.until_closed();
    let mut client = gateway.client();
    client.send("POST /read HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    client.send("abc");
    assert_eq!(client.answer().text(), "3");
}

/// A body whose rest never comes does not hold the connection beyond the drain time.
#[test]
fn an_unread_body_that_never_comes_is_given_up() {
    let gateway = Gateway::alone(ListenerLimits { drain_time: SHORT, idle: LONG, ..quick_limits() });
    let mut client = gateway.client();
    client.send("POST /own HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\n");
    assert_eq!(client.answer().text(), "own");
    let began = monotonic();
    client.until_closed();
    assert!(began.elapsed() < PATIENCE / 2);
}

/// A body over the connection's limit is refused while it streams.
#[test]
fn a_body_over_the_limit_is_refused() {
    let gateway = Gateway::alone(ListenerLimits { max_body_bytes: 1_000, ..quick_limits() });
    assert_eq!(gateway.client().post("/read", &[b'x'; 1_000]).text(), "1000");
    assert_eq!(gateway.client().post("/read", &[b'x'; 1_001]).status, 413);
}

/// Idle connections go, those of admitted visitors later.
#[test]
fn idle_connections_are_closed() {
    let gateway = Gateway::alone(ListenerLimits { idle: SHORT, idle_admitted: LONG, ..quick_limits() });
    let mut admitted = gateway.client();
    assert_eq!(admitted.get("/admitted").status, 200);
    let mut anyone = gateway.client();
    assert_eq!(anyone.get("/own").status, 200);
    assert_eq!(anyone.until_closed(), b"");
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"idle\"} 1");
    assert_eq!(admitted.get("/own").status, 200);
}

/// Connections are bounded; one that ends makes room for one.
#[test]
fn connections_are_bounded() {
    let gateway = Gateway::start(quick_limits(), 2, &[], UpstreamSettings::default(), 1);
    let mut first = gateway.client();
    let mut second = gateway.client();
    assert_eq!((first.get("/own").status, second.get("/own").status), (200, 200));
    assert_eq!(gateway.client().until_closed(), b"");
    gateway.expect_count("usher_connections_rejected_total{listener=\"public\",reason=\"limit\"} 1");
    drop(first);
    eventually("room for another", || gateway.capacity.open() == 1);
    assert_eq!(gateway.client().get("/own").status, 200);
}

/// A client that leaves while nobody has asked the upstream is counted, and nothing of it stays.
#[test]
fn a_client_that_leaves_is_counted() {
    let gateway = Gateway::alone(quick_limits());
    let mut client = gateway.client();
    client.send("GET /never HTTP/1.1\r\nhost: h\r\n\r\n");
    gateway.expect_count("usher_http_requests_in_flight{listener=\"public\"} 1");
    drop(client);
    gateway.expect_count("usher_client_aborts_total{listener=\"public\",phase=\"waiting\"} 1");
    gateway.expect_count("usher_http_requests_in_flight{listener=\"public\"} 0");
    eventually("its place is free", || gateway.capacity.open() == 0);
}

/// A drain lets what is in flight finish and tells the client to go, closes what is idle, and takes nothing new (N30).
#[test]
fn a_drain_finishes_what_is_in_flight() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let upstream = FakeUpstream::start(move |mut served, seen| {
        while let Some((head, _)) = served.request() {
            seen.lock().unwrap().push(head);
            released.lock().unwrap().recv().unwrap();
            served.ok("finished");
        }
    });
    let mut gateway = Gateway::before(&[upstream.address], UpstreamSettings::default());
    let mut idle = gateway.client();
    assert_eq!(idle.get("/own").status, 200);
    let mut busy = gateway.client();
    busy.send("GET /slow HTTP/1.1\r\nhost: h\r\n\r\n");
    eventually("the upstream has the request", || upstream.seen().len() == 1);
    gateway.begin_drain();
    assert_eq!(idle.until_closed(), b"");
    release.send(()).unwrap();
    let answer = busy.answer();
    assert_eq!((answer.text(), answer.has("connection: close")), ("finished", true), "{answer:?}");
    busy.until_closed();
    let address = gateway.address;
    assert_eq!(gateway.drain().cut, 0);
    assert!(std::net::TcpStream::connect(address).is_err());
}

/// What does not finish by the deadline is cut, and said so.
#[test]
fn a_drain_has_a_deadline() {
    let gateway = Gateway::alone(ListenerLimits { shutdown_grace: SHORT, ..quick_limits() });
    let mut client = gateway.client();
    client.send("GET /never HTTP/1.1\r\nhost: h\r\n\r\n");
    gateway.expect_count("usher_http_requests_in_flight{listener=\"public\"} 1");
    let report = gateway.drain();
    assert_eq!((report.open, report.cut), (1, 1));
    client.until_closed();
}

/// A request that arrives on a connection opened just before the drain is answered.
#[test]
fn a_drain_waits_for_the_first_request_of_a_new_connection() {
    let mut gateway = Gateway::alone(quick_limits());
    let mut client = gateway.client();
    gateway.expect_count("usher_connections_open{listener=\"public\",protocol=\"http1\"} 1");
    gateway.begin_drain();
    let answer = client.get("/own");
    assert_eq!((answer.text(), answer.has("connection: close")), ("own", true));
    assert_eq!(gateway.drain().cut, 0);
}

/// Old clients without keep-alive are served and closed; HEAD and pipelined HEAD carry no body.
#[test]
fn old_clients_and_head_are_served() {
    let gateway = Gateway::alone(quick_limits());
    let mut client = gateway.client();
    client.send("GET /own HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().text(), "own");
    client.until_closed();
    let mut client = gateway.client();
    client.send("HEAD /own HTTP/1.1\r\nhost: h\r\n\r\nGET /own HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    let wire = String::from_utf8(client.until_closed()).unwrap();
    assert_eq!(wire.matches("HTTP/1.1 200 OK").count(), 2, "{wire}");
    assert_eq!(wire.matches("own").count(), 1, "{wire}");
    gateway.expect_count("usher_http_requests_total{code=\"200\",listener=\"public\",method=\"HEAD\"} 1");
    gateway.expect_count("usher_client_aborts_total{listener=\"public\",phase=\"body\"} 0");
    let _ = Client::to(gateway.address);
}
