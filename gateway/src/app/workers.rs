//! The threads that serve visitors, one a core.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use http::HeaderValue;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::LocalSet;

use crate::access_log::{AccessLogSink, FLUSH_EVERY};
use crate::config::{self, Config};
use crate::credentials::RoomCookies;
use crate::door::Door;
use crate::forward::Scheme;
use crate::keys;
use crate::listener::{self, Capacity, ListenerLimits, ListenerSettings};
use crate::metrics::Metrics;
use crate::page::Pages;
use crate::room::Room;
use crate::route::Router;
use crate::shaping::Shaper;
use crate::upstream::{Upstream, UpstreamSettings};
use crate::worker::{RoomFront, Shared, Worker};

/// One listener's sockets, one a core.
pub(super) struct Sockets(Vec<Vec<TcpListener>>);

/// How many cores serve.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Opens every listener's address once a core, before anything else starts.
pub(super) fn bind(config: &Config) -> anyhow::Result<Sockets> {
    let per_core = (0..cores()).map(|_| {
        config.listeners.iter().map(|listener| Ok(listener::bind(listener.bind, true)?)).collect::<anyhow::Result<_>>()
    });
    Ok(Sockets(per_core.collect::<anyhow::Result<_>>()?))
}

/// What all cores read.
pub(super) fn shared(config: &Config, rooms: Vec<Arc<Room>>) -> anyhow::Result<Shared> {
    let keys = keys::ring(&config.tickets).context("the ticket keys cannot be used")?;
    let fronts = config.rooms.iter().zip(rooms).map(|(room, running)| {
        Ok(RoomFront {
            room: running,
            upstream: room.upstream,
            queueing_status: room.queueing_status_code,
            name: HeaderValue::from_str(room.id.as_str())?,
        })
    });
    Ok(Shared {
        router: Router::new(config.rooms.iter().map(config::Room::route)),
        rooms: fronts.collect::<anyhow::Result<_>>()?,
        jwks: keys.jwks().into(),
        keys,
        pages: Pages::new()?,
    })
}

/// Starts a thread a core; each ends when `stop` says so and its connections have finished or run out of time.
pub(super) fn start(
    config: &Config,
    sockets: Sockets,
    shared: &Arc<Shared>,
    metrics: &Arc<Metrics>,
    sink: &AccessLogSink,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let plan = Arc::new(Plan {
        listeners: config.listeners.iter().map(|listener| ListenerPlan::of(listener, config, metrics)).collect(),
        upstreams: config.upstreams.iter().map(|upstream| UpstreamSettings::from(upstream).shared(metrics)).collect(),
        shaping: crate::shaping::plan(&config.rate_limits, metrics),
        access_log: config.telemetry.access_log.then(|| sink.clone()),
        shared: shared.clone(),
    });
    let start = |(core, sockets): (usize, Vec<TcpListener>)| {
        let (plan, stop) = (plan.clone(), stop.clone());
        let name = format!("core-{core}");
        thread::Builder::new().name(name).spawn(move || serve(&plan, sockets, &stop)).context("cannot start a thread")
    };
    sockets.0.into_iter().enumerate().map(start).collect()
}
