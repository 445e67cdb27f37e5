//! A small waiting room with a small shop behind it, on one port: honest, or with exactly one fault.

mod line;
mod shop;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) use line::Line;
pub(crate) use shop::Shop;

/// What a fake does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// Later joins get places ahead.
    ReordersJoins,
    /// Everyone in line gets the same place.
    SharesPlaces,
    /// Lets in three times the limit.
    ExceedsCohort,
    /// Moves people back without saying why.
    GrowsPositions,
    /// Calls the last who joined first.
    CallsBackwards,
    /// Refuses tokens it has given.
    RefusesTokens,
    /// Sells every seat twice.
    SellsTwice,
    /// Says "sold out" with half the seats left.
    SoldOutEarly,
    /// Answers every payment with 500, having taken it.
    LosesPayments,
    /// Every poll costs a store operation.
    CountsPolls,
}

/// A running fake; it stops with the test's process.
pub(crate) struct Fake {
    /// Where it listens: two gateways of one line.
    pub(crate) addresses: Vec<SocketAddr>,
    /// How many requests each has seen.
    pub(crate) served: Arc<[AtomicUsize; 2]>,
    /// What its shop really did.
    pub(crate) shop: Arc<Mutex<Shop>>,
}

impl Fake {
    /// Starts one with `limit` slots and `seats` seats.
    pub(crate) fn start(fault: Fault, limit: usize, seats: usize) -> Self {
        let line = Arc::new(Mutex::new(Line::new(fault, limit)));
        let shop = Arc::new(Mutex::new(Shop::new(fault, seats)));
        let served = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let listeners = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let addresses = listeners.iter().map(|listener| listener.local_addr().expect("just bound")).collect();
        let (its_shop, its_served) = (Arc::clone(&shop), Arc::clone(&served));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let gateways = listeners.into_iter().enumerate().map(|(which, listener)| {
                accept(listener, which, Arc::clone(&its_served), Arc::clone(&line), Arc::clone(&its_shop))
            });
            runtime.block_on(futures_util::future::join_all(gateways))
        });
        Self { addresses, served, shop }
    }
}

/// An answer in the making.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn of(status: u16, body: Value) -> Self {
        Self { status, body }
    }

    pub(crate) fn problem(status: u16, kind: &str) -> Self {
        Self::of(status, json!({"type": format!("https://example.invalid/problems/{kind}"), "status": status}))
    }
}

async fn accept(
    listener: std::net::TcpListener,
    which: usize,
    served: Arc<[AtomicUsize; 2]>,
    line: Arc<Mutex<Line>>,
    shop: Arc<Mutex<Shop>>,
) {
    listener.set_nonblocking(true).expect("a listener of our own");
    let listener = TcpListener::from_std(listener).expect("within a runtime");
    while let Ok((stream, _)) = listener.accept().await {
        let (served, line, shop) = (Arc::clone(&served), Arc::clone(&line), Arc::clone(&shop));
        let service = service_fn(move |request| {
            served[which].fetch_add(1, Ordering::Relaxed);
            serve(Arc::clone(&line), Arc::clone(&shop), request)
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn serve(
    line: Arc<Mutex<Line>>,
    shop: Arc<Mutex<Shop>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap_or_default();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (method, path) = (head.method.as_str(), head.uri.path());
    let now = now();
    let mut line = line.lock().unwrap();
    if path == "/metrics" {
        return Ok(Response::new(Full::from(line.metrics(now))));
    }
    let reply = match (method, path) {
        ("POST", "/_usher/concert/join") => line.join(now),
        ("GET", "/_usher/concert/position") => line.position(now, header("usher-token").as_deref()),
        ("POST", "/_usher/concert/leave") => {
            line.leave(header("usher-token").as_deref(), header("usher-ticket").as_deref())
        }
        _ if !line.lets_pass(now, header("usher-ticket").as_deref()) => Reply::problem(429, "queued"),
        _ => shop.lock().unwrap().answer(
            method,
            path,
            &body,
            header("authorization").as_deref(),
            header("idempotency-key"),
        ),
    };
    let response = Response::builder().status(reply.status).header("content-type", "application/json");
    Ok(response.body(Full::from(reply.body.to_string())).unwrap())
}

/// Milliseconds since 1970, running on monotonically from the first call.
#[expect(clippy::disallowed_methods, reason = "a fake server has a clock of its own")]
fn now() -> u64 {
    static ORIGIN: std::sync::OnceLock<(Instant, u64)> = std::sync::OnceLock::new();
    let (instant, wall) = ORIGIN.get_or_init(|| {
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        (Instant::now(), u64::try_from(wall.as_millis()).unwrap())
    });
    wall + u64::try_from(instant.elapsed().as_millis()).unwrap()
}
