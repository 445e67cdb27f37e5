//! Closed-loop load: a few connections that each send the next request as soon as the last is answered. It measures
//! what a request costs the server, not how long visitors wait; `crowd rush` does that.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};

use crate::clock::Clock;
use crate::latency::{Percentiles, Spread};

/// A load of one kind of request.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to connect.
    pub address: std::net::SocketAddr,
    /// The path of every request, all of them GET.
    pub path: String,
    /// Credentials taken in turn, one a request: the field and its values. A request carries none when it is empty.
    pub credentials: Rc<Vec<(HeaderName, HeaderValue)>>,
    /// Connections.
    pub connections: usize,
    /// How many requests in all.
    pub requests: u64,
    /// No request is begun after this long.
    pub at_most: Duration,
}

/// What a load saw.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Outcome {
    /// Answers 200.
    pub good: u64,
    /// Other answers.
    pub other: u64,
    /// From the first request to the last answer, seconds.
    pub seconds: f64,
    /// Time to the whole answer, in a closed loop.
    pub times: Percentiles,
}

/// Runs a load to its end.
///
/// # Errors
/// When a connection cannot be opened or breaks.
pub async fn run(load: &Load) -> anyhow::Result<Outcome> {
    ensure!(load.connections > 0, "a load needs a connection");
    let clock = Clock::start();
    let shared = Rc::new(Shared { clock, left: Cell::new(load.requests), turn: Cell::new(0) });
    let local = LocalSet::new();
    let (mut times, mut good, mut other) = (Spread::default(), 0, 0);
    local
        .run_until(async {
            let mut connections = JoinSet::new();
            for _ in 0..load.connections {
                connections.spawn_local(connection(load.clone(), Rc::clone(&shared)));
            }
            while let Some(seen) = connections.join_next().await {
                let seen = seen.context("a load's connection")??;
                times.merge(&seen.times);
                good += seen.good;
                other += seen.other;
            }
            anyhow::Ok(())
        })
        .await?;
    let seconds = clock.now().as_micros() as f64 / 1e6;
    Ok(Outcome { good, other, seconds, times: times.percentiles() })
}

struct Shared {
    clock: Clock,
    left: Cell<u64>,
    turn: Cell<usize>,
}

#[derive(Default)]
struct Seen {
    times: Spread,
    good: u64,
    other: u64,
}

async fn connection(load: Load, shared: Rc<Shared>) -> anyhow::Result<Seen> {
    let stream = TcpStream::connect(load.address).await.with_context(|| load.address.to_string())?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(connection);
    let host = HeaderValue::from_str(&load.address.to_string())?;
    let end = crate::clock::Moment::START + load.at_most;
    let mut seen = Seen::default();
    while shared.left.get() > 0 && shared.clock.now() < end {
        shared.left.set(shared.left.get() - 1);
        let sent = shared.clock.now();
        let status = exchange(&mut sender, &load, &host, &shared.turn).await?;
        seen.times.record(shared.clock.now().since(sent));
        *if status == StatusCode::OK { &mut seen.good } else { &mut seen.other } += 1;
    }
    Ok(seen)
}

async fn exchange(
    sender: &mut SendRequest<Empty<Bytes>>,
    load: &Load,
    host: &HeaderValue,
    turn: &Cell<usize>,
) -> anyhow::Result<StatusCode> {
    let mut request = Request::get(&load.path).header(HOST, host);
    if !load.credentials.is_empty() {
        let (name, value) = &load.credentials[turn.get()];
        turn.set((turn.get() + 1) % load.credentials.len());
        request = request.header(name, value);
    }
    sender.ready().await?;
    let mut response = sender.send_request(request.body(Empty::new())?).await?;
    while let Some(frame) = response.body_mut().frame().await {
        frame?;
    }
    Ok(response.status())
}
