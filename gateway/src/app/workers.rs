//! The threads that serve visitors, one a core.

use std::net::TcpListener;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use http::HeaderValue;
use queue_core::limit::lease::Away;
use rustls_pki_types::ServerName;
use secrecy::ExposeSecret as _;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::reload::Reload;
use crate::access_log::{AccessLog, AccessLogSink, FLUSH_EVERY};
use crate::client_addr::TrustedProxies;
use crate::clock;
use crate::config::{self, Config, RateLimitFailMode, RateLimitScope};
use crate::credentials::RoomCookies;
use crate::door::Door;
use crate::forward::{ProofKey, Scheme};
use crate::keys;
use crate::listener::{self, Capacity, ListenerLimits, ListenerSettings, Pace, Speaks};
use crate::metrics::{LimitMetrics, Metrics, register_tracked_keys};
use crate::page::Pages;
use crate::room::Room;
use crate::route::Router;
use crate::shaping::{LeaseDriver, LimitSettings, Over, Scope, Shaper};
use crate::upgrade::AllowedUpgrades;
use crate::upstream::{Endpoint, HealthCheck, Pool, Upstream, UpstreamSettings};
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

/// The limits on requests, and the drivers of those that hold over several gateways.
pub(super) fn shaper(config: &Config, metrics: &Metrics) -> (Arc<Shaper>, Vec<LeaseDriver>) {
    let names = config.rate_limits.iter().map(|limit| &*limit.name);
    let limits = LimitMetrics::new(metrics.registry(), names);
    let is_shared = config.store.url.is_shared();
    let settings = config.rate_limits.iter().map(|it| limit(it, is_shared)).collect();
    let (shaper, drivers) = Shaper::new(settings, &limits, clock::monotonic());
    let shaper = Arc::new(shaper);
    let counted = shaper.clone();
    register_tracked_keys(metrics.registry(), move |tell| {
        counted.tracked_keys().for_each(|(limit, keys)| tell(limit, keys));
    });
    (shaper, drivers)
}

/// What all cores read.
pub(super) fn shared(config: &Config, rooms: Vec<Arc<Room>>, shaper: Arc<Shaper>) -> anyhow::Result<Shared> {
    let keys = keys::ring(&config.tickets).context("the ticket keys cannot be used")?;
    let fronts = config.rooms.iter().zip(rooms).map(|(room, running)| {
        Ok(RoomFront {
            room: running,
            upstream: room.upstream,
            queueing_status: room.queueing_status_code,
            name: HeaderValue::from_str(room.id.as_str())?,
            entry: room.path.as_str().into(),
            upstream_name: config.upstreams[room.upstream].name.as_str().into(),
            proof: proof(&config.upstreams[room.upstream]),
            upgrades: AllowedUpgrades::new(room.upgrades.iter().cloned()),
        })
    });
    Ok(Shared {
        router: Router::new(config.rooms.iter().map(config::Room::route)),
        rooms: fronts.collect::<anyhow::Result<_>>()?,
        keys,
        pages: Pages::new()?,
        shaper,
    })
}

/// Starts a thread a core; each ends when `stop` says so and its connections have finished or run out of time.
pub(super) fn start(
    config: &Config,
    sockets: Sockets,
    shared: &Arc<Shared>,
    metrics: &Arc<Metrics>,
    reload: &Reload,
    upstreams: &[Arc<Upstream>],
    (sink, stop): (&AccessLogSink, &watch::Receiver<bool>),
) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<()>>>> {
    let plan = Arc::new(Plan {
        listeners: config
            .listeners
            .iter()
            .map(|listener| ListenerPlan::of(listener, config, metrics, reload))
            .collect::<anyhow::Result<_>>()?,
        upstreams: upstreams.to_vec(),
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

/// What every core is told to do.
struct Plan {
    shared: Arc<Shared>,
    listeners: Vec<ListenerPlan>,
    upstreams: Vec<Arc<Upstream>>,
    access_log: Option<AccessLogSink>,
}

/// One listener, the same on every core.
struct ListenerPlan {
    name: Arc<str>,
    scheme: Scheme,
    trusted: TrustedProxies,
    cookies: Vec<RoomCookies>,
    settings: ListenerSettings,
}

impl ListenerPlan {
    fn of(listener: &config::Listener, config: &Config, metrics: &Metrics, reload: &Reload) -> anyhow::Result<Self> {
        let usual = ListenerLimits::default();
        let limits = ListenerLimits {
            first_byte: listener.limits.first_byte_timeout,
            header: listener.limits.header_timeout,
            tunnel_idle: listener.limits.tunnel_idle_timeout,
            idle_admitted: listener.limits.idle_timeout,
            idle: listener.limits.idle_timeout.min(usual.idle),
            body: Pace { stall: listener.limits.body_timeout, ..usual.body },
            write: Pace { stall: listener.limits.write_timeout, ..usual.write },
            max_header_bytes: listener.limits.max_header_bytes,
            max_body_bytes: listener.limits.max_body_bytes as u64,
            shutdown_grace: config.drain.timeout,
            ..usual
        };
        let speaks = match reload.certificates(&listener.name) {
            Some(certificates) => Speaks::Tls(certificates.server_config()?),
            None if listener.http2_cleartext => Speaks::Http2,
            None => Speaks::Http1,
        };
        Ok(Self {
            name: listener.name.as_str().into(),
            scheme: if listener.tls.is_some() { Scheme::Https } else { Scheme::Http },
            trusted: listener.trusted_proxies.clone(),
            cookies: config.rooms.iter().map(|room| RoomCookies::new(&room.id, listener.cookies)).collect(),
            settings: ListenerSettings {
                limits,
                capacity: Capacity::new(listener.limits.max_connections as usize),
                metrics: metrics.http.listener(&listener.name),
                speaks,
                proxy_protocol: listener.proxy_protocol.then(|| listener.trusted_proxies.clone()),
            },
        })
    }
}

/// The services behind, by index.
pub(super) fn upstreams(config: &Config, metrics: &Metrics) -> anyhow::Result<Vec<Arc<Upstream>>> {
    config.upstreams.iter().map(|it| upstream(it, metrics)).collect()
}

/// Checks the endpoints of those upstreams that are to be checked; never ends.
pub(super) async fn check_health(config: &Config, upstreams: &[Arc<Upstream>]) {
    let checks = config.upstreams.iter().zip(upstreams);
    let checks = checks.filter_map(|(told, upstream)| {
        let check = told.health_check.clone()?;
        Some(upstream.clone().check_health(HealthCheck { proof: proof(told), ..check }))
    });
    futures_util::future::join_all(checks).await;
    std::future::pending::<()>().await;
}

/// What requests to an upstream are signed with.
fn proof(upstream: &config::Upstream) -> Option<Arc<ProofKey>> {
    let secret = upstream.proof_key.as_ref()?;
    Some(Arc::new(ProofKey::new(secret.expose_secret())))
}

fn upstream(upstream: &config::Upstream, metrics: &Metrics) -> anyhow::Result<Arc<Upstream>> {
    let has_tls = upstream.endpoints.iter().any(|endpoint| endpoint.is_tls);
    let tls = has_tls.then(|| upstream.tls.client_config());
    let tls = tls.transpose().with_context(|| format!("TLS with upstream {:?}", upstream.name))?;
    let mut endpoints = upstream.endpoints.iter().map(|endpoint| -> anyhow::Result<Endpoint> {
        let whose = || format!("an endpoint of upstream {:?}", upstream.name);
        let read = format!("http://{endpoint}").parse::<Endpoint>().with_context(whose)?;
        let Some(tls) = tls.as_ref().filter(|_| endpoint.is_tls) else { return Ok(read) };
        let name = match &upstream.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(endpoint.host.clone()).with_context(whose)?,
        };
        Ok(read.secured(tls.clone(), name))
    });
    let first = endpoints.next().with_context(|| format!("upstream {:?} has no endpoint", upstream.name))??;
    let settings = UpstreamSettings {
        max_connections: upstream.max_connections as usize,
        max_pending: upstream.max_pending as usize,
        pool_wait: upstream.pool_wait,
        connect_timeout: upstream.connect_timeout,
        response_timeout: upstream.response_timeout,
        body_timeout: upstream.body_timeout,
        total_timeout: upstream.total_timeout,
        failure_threshold: upstream.failure_threshold,
        failure_statuses: upstream.failure_statuses,
        ejection_time: upstream.ejection_time,
        max_ejection_time: upstream.max_ejection_time,
        half_open_trials: upstream.half_open_trials,
        slow_start: upstream.slow_start,
        ..UpstreamSettings::default()
    };
    let others = endpoints.collect::<anyhow::Result<_>>()?;
    Ok(Upstream::new(first, others, settings, metrics.upstream.upstream(&upstream.name)))
}

fn limit(limit: &config::RateLimit, store_is_shared: bool) -> LimitSettings {
    LimitSettings {
        name: limit.name.as_str().into(),
        scope: match limit.scope {
            RateLimitScope::Client => Scope::Client,
            RateLimitScope::Visitor => Scope::Visitor,
            RateLimitScope::Room => Scope::Room,
            RateLimitScope::Upstream => Scope::Upstream,
        },
        rule: limit.rule,
        over: match limit.distributed {
            Some(fail_mode) if store_is_shared => Over::AllGateways(match fail_mode {
                RateLimitFailMode::Share => Away::Share,
                RateLimitFailMode::Closed => Away::Closed,
                RateLimitFailMode::Open => Away::Open,
            }),
            // A memory store has no other gateways.
            _ => Over::OneGateway,
        },
        ipv6_prefix: limit.ipv6_prefix,
        max_tracked_keys: limit.max_tracked_keys as usize,
    }
}

/// One core's life.
fn serve(plan: &Plan, sockets: Vec<TcpListener>, stop: &watch::Receiver<bool>) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let pools: Rc<Vec<Rc<Pool>>> = Rc::new(plan.upstreams.iter().cloned().map(Pool::new).collect());
        let door = Rc::new(Door::default());
        let log = plan.access_log.as_ref().map(|sink| Rc::new(sink.log()));
        if let Some(log) = &log {
            tokio::task::spawn_local(flush(Rc::downgrade(log)));
        }
        let serving = plan.listeners.iter().zip(sockets).map(|(listener, socket)| {
            let worker = Rc::new(Worker {
                shared: plan.shared.clone(),
                listener: listener.name.clone(),
                scheme: listener.scheme,
                trusted: listener.trusted.clone(),
                cookies: listener.cookies.clone(),
                door: door.clone(),
                upstreams: pools.clone(),
                access_log: log.clone(),
            });
            let mut stop = stop.clone();
            async move {
                let socket = tokio::net::TcpListener::from_std(socket)?;
                let stopped = async move {
                    let _ = stop.wait_for(|stop| *stop).await;
                };
                let report = listener::serve(socket, listener.settings.clone(), worker, stopped).await;
                if report.cut > 0 {
                    tracing::warn!(listener = %listener.name, ?report, "connections were cut at the drain's deadline");
                }
                anyhow::Ok(())
            }
        });
        futures_util::future::try_join_all(serving).await.map(drop)
    })
}

/// Hands a quiet core's lines over, until the core is gone.
async fn flush(log: Weak<AccessLog>) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    loop {
        ticks.tick().await;
        match log.upgrade() {
            Some(log) => log.flush(),
            None => return,
        }
    }
}
