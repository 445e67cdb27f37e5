//! A small waiting room with a small shop behind it, on one port: honest, or with exactly one fault.

mod line;
mod shop;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
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

use crate::database::Database;
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
    /// Answers a payment as taken and writes no row.
    ForgetsRows,
    /// Writes a paid order that nobody was told about.
    InventsRows,
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
        Self::with_rows(fault, limit, seats, None)
    }

    /// The same, writing its sales as rows into a database at `rows`.
    pub(crate) fn with_rows(fault: Fault, limit: usize, seats: usize, rows: Option<&Path>) -> Self {
        let line = Arc::new(Mutex::new(Line::new(fault, limit)));
        let shop = Arc::new(Mutex::new(Shop::new(fault, seats)));
        let served = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let listeners = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").expect("a free port"));
        let addresses = listeners.iter().map(|listener| listener.local_addr().expect("just bound")).collect();
        let (its_shop, its_served) = (Arc::clone(&shop), Arc::clone(&served));
        let rows = rows.map(Path::to_owned);
        let (tell_ready, ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let database = match rows {
                    Some(path) => Some(Database::create(&path).await),
                    None => None,
                };
                let sale = Arc::new(Sale { line, shop: its_shop, database: tokio::sync::Mutex::new(database) });
                tell_ready.send(()).unwrap();
                let gateways = listeners.into_iter().enumerate();
                let gateways = gateways
                    .map(|(which, listener)| accept(listener, which, Arc::clone(&its_served), Arc::clone(&sale)));
                futures_util::future::join_all(gateways).await
            })
        });
        ready.recv().unwrap();
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

async fn accept(listener: std::net::TcpListener, which: usize, served: Arc<[AtomicUsize; 2]>, sale: Arc<Sale>) {
    listener.set_nonblocking(true).expect("a listener of our own");
    let listener = TcpListener::from_std(listener).expect("within a runtime");
    while let Ok((stream, _)) = listener.accept().await {
        let (served, sale) = (Arc::clone(&served), Arc::clone(&sale));
        let service = service_fn(move |request| {
            served[which].fetch_add(1, Ordering::Relaxed);
            serve(Arc::clone(&sale), request)
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn serve(sale: Arc<Sale>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap_or_default();
    let (reply, sold) = sale.answer(&head, &body);
    if let (Some(database), Some((order, units))) = (sale.database.lock().await.as_mut(), sold) {
        database.sell(&order, &units).await;
    }
    let response = Response::builder().status(reply.status).header("content-type", "application/json");
    let text = match reply.body {
        Value::String(text) => text,
        document => document.to_string(),
    };
    Ok(response.body(Full::from(text)).unwrap())
}

/// Line and shop, and where sales are written.
struct Sale {
    line: Arc<Mutex<Line>>,
    shop: Arc<Mutex<Shop>>,
    database: tokio::sync::Mutex<Option<Database>>,
}

impl Sale {
    /// The answer, and the order it has just sold.
    fn answer(&self, head: &http::request::Parts, body: &Value) -> (Reply, Option<(String, Vec<String>)>) {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (method, path, now) = (head.method.as_str(), head.uri.path(), now());
        let [token, ticket] = ["usher-token", "usher-ticket"].map(header);
        let mut line = self.line.lock().unwrap();
        let reply = match (method, path) {
            ("GET", "/metrics") => Reply::of(200, line.metrics(now).into()),
            ("POST", "/_usher/concert/join") => line.join(now),
            ("GET", "/_usher/concert/position") => line.position(now, token.as_deref()),
            ("POST", "/_usher/concert/leave") => line.leave(token.as_deref(), ticket.as_deref()),
            _ if !line.lets_pass(now, ticket.as_deref()) => Reply::problem(429, "queued"),
            _ => {
                let mut shop = self.shop.lock().unwrap();
                let customer = header("authorization");
                let reply = shop.answer(method, path, body, customer.as_deref(), header("idempotency-key"));
                return (reply, shop.unwritten());
            }
        };
        (reply, None)
    }
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
