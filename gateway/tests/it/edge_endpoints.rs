//! Several endpoints of one upstream, some of which fail and come back.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use gateway::clock::monotonic;
use gateway::upstream::{HealthCheck, UpstreamSettings};

use crate::edge_support::{FakeUpstream, Gateway, PATIENCE, eventually, on_core};

const WELL: u8 = 0;
/// Takes requests and closes without an answer, as one that is killed does.
const DIES: u8 = 1;
/// Takes requests and says nothing.
const HANGS: u8 = 2;
/// Answers 503.
const SHEDS: u8 = 3;

/// An upstream that behaves as it is told.
fn told(mode: &Arc<AtomicU8>) -> FakeUpstream {
    let mode = Arc::clone(mode);
    FakeUpstream::start(move |mut served, seen| {
        while let Some((head, _)) = served.request() {
            seen.lock().unwrap().push(head.lines().next().unwrap().to_owned());
            match mode.load(Ordering::SeqCst) {
                WELL => served.ok("well"),
                SHEDS => served.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"),
                DIES => return served.close(),
                _ => return served.until_closed(),
            }
        }
    })
}

const THRESHOLD: u32 = 3;

fn quick() -> UpstreamSettings {
    UpstreamSettings {
        failure_threshold: THRESHOLD,
        ejection_time: Duration::from_millis(100),
        max_ejection_time: Duration::from_millis(200),
        half_open_trials: 2,
        slow_start: Duration::from_millis(50),
        response_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_secs(5),
        pool_wait: Duration::from_secs(5),
        ..UpstreamSettings::default()
    }
}

/// Sends requests, each with a path of its own, and counts those that failed.
struct Crowd<'g> {
    gateway: &'g Gateway,
    sent: u32,
    failed: u32,
}

impl Crowd<'_> {
    fn ask(&mut self) -> u16 {
        self.sent += 1;
        let path = format!("/{}", self.sent);
        let mut client = self.gateway.client();
        let answer = if self.sent.is_multiple_of(2) { client.get(&path) } else { client.post(&path, b"pay") };
        self.failed += u32::from(answer.status != 200);
        answer.status
    }

    fn ask_until(&mut self, what: &str, condition: impl Fn(&Gateway) -> bool) {
        let began = monotonic();
        while !condition(self.gateway) {
            assert!(began.elapsed() < PATIENCE, "{what} did not come true");
            self.ask();
        }
    }
}

/// `endpoint` is its place in the list.
fn endpoint_up(gateway: &Gateway, endpoint: usize, up: bool) -> bool {
    let up = u8::from(up);
    gateway.counts(&format!("usher_upstream_endpoint_up{{endpoint=\"{endpoint}\",upstream=\"booking\"}} {up}"))
}

fn ejections(gateway: &Gateway, endpoint: usize) -> u32 {
    let line = format!("usher_upstream_ejections_total{{endpoint=\"{endpoint}\",upstream=\"booking\"}} ");
    let text = String::from_utf8(gateway.metrics.render().unwrap()).unwrap();
    text.lines().find_map(|shown| shown.strip_prefix(&line)?.parse().ok()).unwrap()
}

/// Of three endpoints one dies, sheds, hangs, and comes back each time: no more requests fail than those that find it out
/// and one for each later trial, nothing that may have had an effect is sent twice (N25), and it is used again.
#[test]
fn one_of_three_fails_and_comes_back() {
    let mode = Arc::new(AtomicU8::new(WELL));
    let well = Arc::new(AtomicU8::new(WELL));
    let (sick, one, other) = (told(&mode), told(&well), told(&well));
    let gateway = Gateway::before(&[sick.address, one.address, other.address], quick());
    let mut crowd = Crowd { gateway: &gateway, sent: 0, failed: 0 };
    (0..60).for_each(|_| assert_eq!(crowd.ask(), 200));
    assert!([&sick, &one, &other].iter().all(|origin| origin.seen().len() >= 5), "all have their share");
    let mut found_out = 0;
    for trouble in [DIES, SHEDS, HANGS] {
        mode.store(trouble, Ordering::SeqCst);
        crowd.ask_until("it is ejected", |gateway| endpoint_up(gateway, 0, false));
        found_out += 1;
        let before = sick.seen().len();
        let failed = crowd.failed;
        crowd.ask_until("a trial failed", |gateway| ejections(gateway, 0) >= 2 * found_out);
        assert!(sick.seen().len() <= before + 1, "only a trial was sent there");
        assert!(crowd.failed <= failed + 1);
        gateway.expect_count("usher_upstream_up{upstream=\"booking\"} 1");
        mode.store(WELL, Ordering::SeqCst);
        crowd.ask_until("it serves again", |gateway| endpoint_up(gateway, 0, true));
        let before = sick.seen().len();
        crowd.ask_until("it has its share again", |_| sick.seen().len() >= before + 5);
        // Each time so many found it out, and one each trial that failed.
        let trials = ejections(&gateway, 0) - found_out;
        assert!(crowd.failed <= found_out * THRESHOLD + trials, "{} failed, {trials} trials", crowd.failed);
    }
    let mut times: HashMap<String, u32> = HashMap::new();
    for line in [&sick, &one, &other].iter().flat_map(|origin| origin.seen()) {
        *times.entry(line).or_default() += 1;
    }
    assert!(times.iter().all(|(line, times)| line.starts_with("GET") || *times == 1), "{times:?}");
    assert_eq!(times.len() as u32, crowd.sent, "each reached an endpoint");
}

/// With all endpoints ejected nobody is sent anywhere: the answer is 503 at once, until a trial is due.
#[test]
fn the_circuit_opens_when_all_fail() {
    let mode = Arc::new(AtomicU8::new(SHEDS));
    let (one, other) = (told(&mode), told(&mode));
    let settings = UpstreamSettings { ejection_time: Duration::from_secs(2), ..quick() };
    let gateway = Gateway::before(&[one.address, other.address], settings);
    let mut crowd = Crowd { gateway: &gateway, sent: 0, failed: 0 };
    crowd.ask_until("both are ejected", |gateway| endpoint_up(gateway, 0, false) && endpoint_up(gateway, 1, false));
    gateway.expect_count("usher_upstream_up{upstream=\"booking\"} 0");
    let began = monotonic();
    let seen = one.seen().len() + other.seen().len();
    let refused: Vec<_> = (0..20).map(|_| gateway.client().get("/x")).collect();
    if began.elapsed() < Duration::from_secs(1) {
        assert_eq!(one.seen().len() + other.seen().len(), seen, "nobody was asked");
        for answer in refused {
            assert_eq!(answer.status, 503);
            assert!(answer.text().contains("/upstream-unavailable"), "{}", answer.text());
        }
        gateway.expect_count("usher_upstream_errors_total{reason=\"ejected\",upstream=\"booking\"} 20");
    }
    mode.store(WELL, Ordering::SeqCst);
    crowd.ask_until("both serve again", |gateway| endpoint_up(gateway, 0, true) && endpoint_up(gateway, 1, true));
    gateway.expect_count("usher_upstream_up{upstream=\"booking\"} 1");
}

/// A 500 is one request's own trouble and ejects nobody, and neither does a client that leaves or sends a broken body.
#[test]
fn what_is_not_the_endpoints_fault_does_not_count() {
    let upstream = FakeUpstream::start(|mut served, _| {
        while let Some((head, _)) = served.request() {
            if head.starts_with("GET /hang") {
                return served.until_closed();
            }
            served.send("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let settings = UpstreamSettings { response_timeout: Duration::from_secs(20), ..quick() };
    let gateway = Gateway::before(&[upstream.address], settings);
    for count in 1..=10 {
        assert_eq!(gateway.client().get("/x").status, 500);
        let mut leaves = gateway.client();
        leaves.send("GET /hang HTTP/1.1\r\nhost: h\r\n\r\n");
        gateway.expect_count("usher_upstream_connections{state=\"active\",upstream=\"booking\"} 1");
        drop(leaves);
        gateway.expect_count(&format!("usher_upstream_abandoned_total{{upstream=\"booking\"}} {count}"));
        let mut broken = gateway.client();
        broken.send("POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n");
        broken.until_closed();
    }
    assert_eq!(ejections(&gateway, 0), 0);
}

/// Health checks find an endpoint unwell before a request has to, and find it well again; requests meanwhile go to the
/// other one, and none fails.
#[test]
fn health_checks_spare_requests() {
    let (mode, well) = (Arc::new(AtomicU8::new(WELL)), Arc::new(AtomicU8::new(WELL)));
    let (sick, other) = (told(&mode), told(&well));
    let gateway = Gateway::before(&[sick.address, other.address], quick());
    let check = HealthCheck {
        path: "/healthz?deep=1".parse().unwrap(),
        proof: None,
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(500),
        healthy_threshold: 2,
        unhealthy_threshold: 2,
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let checking = gateway.upstream.clone().unwrap().check_health(check);
    let checker = std::thread::spawn(move || {
        on_core(async {
            tokio::select! {
                () = checking => {}
                _ = stopped => {}
            }
        });
    });
    eventually("checks are made", || sick.seen().len() >= 3);
    assert!(sick.seen().iter().all(|line| line == "GET /healthz?deep=1 HTTP/1.1"), "{:?}", sick.seen());
    let mut crowd = Crowd { gateway: &gateway, sent: 0, failed: 0 };
    for trouble in [SHEDS, DIES, HANGS] {
        mode.store(trouble, Ordering::SeqCst);
        eventually("it is found unwell", || endpoint_up(&gateway, 0, false));
        (0..20).for_each(|_| assert_eq!(crowd.ask(), 200));
        assert_eq!(ejections(&gateway, 0), 0, "no request had to find out");
        mode.store(WELL, Ordering::SeqCst);
        eventually("it is found well", || endpoint_up(&gateway, 0, true));
        let before = sick.seen().iter().filter(|line| !line.contains("healthz")).count();
        crowd.ask_until("it has its share again", |_| {
            sick.seen().iter().filter(|line| !line.contains("healthz")).count() >= before + 5
        });
    }
    assert_eq!(crowd.failed, 0);
    drop(stop);
    checker.join().unwrap();
}
