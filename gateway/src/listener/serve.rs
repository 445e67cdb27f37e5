//! Accepting connections on one core, and the drain at the end.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;

use super::capacity::{Capacity, CapacityGuard};
use super::client::ClientConnection;
use super::connection;
use super::watch::Watch;
use super::{Handler, ListenerLimits, http1, http2};
use crate::client_addr::TrustedProxies;
use crate::metrics::{ListenerMetrics, Protocol, Rejection};

/// What all cores of a listener have in common.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// Limits of each connection.
    pub limits: ListenerLimits,
    /// Room for connections, over all cores.
    pub capacity: Arc<Capacity>,
    /// Where they are counted.
    pub metrics: Arc<ListenerMetrics>,
    /// What is spoken.
    pub speaks: Speaks,
    /// The balancers in front, where each connection begins with their PROXY protocol header.
    pub proxy_protocol: Option<TrustedProxies>,
}

/// What a listener speaks. Never guessed from what a client sends.
#[derive(Clone, Debug)]
pub enum Speaks {
    /// HTTP/1 in cleartext.
    Http1,
    /// HTTP/2 in cleartext, with prior knowledge.
    Http2,
    /// TLS; within it what ALPN agrees on, HTTP/1 where a client does not use ALPN.
    Tls(Arc<ServerConfig>),
}

impl ListenerSettings {
    /// HTTP/1 in cleartext, clients connecting directly.
    pub const fn cleartext(limits: ListenerLimits, capacity: Arc<Capacity>, metrics: Arc<ListenerMetrics>) -> Self {
        Self { limits, capacity, metrics, speaks: Speaks::Http1, proxy_protocol: None }
    }
}

/// How a drain went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections open when the drain began, those taken from the backlog included.
    pub open: usize,
    /// Connections cut at the deadline.
    pub cut: usize,
}

/// Accepts and serves connections until `shutdown` completes, then drains: takes what the backlog holds, lets every
/// connection finish its exchange, and cuts what is left after `limits.shutdown_grace`.
///
/// Runs on a current-thread runtime, inside a `LocalSet` or `LocalRuntime`.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    settings: ListenerSettings,
    handler: Rc<H>,
    shutdown: impl Future<Output = ()>,
) -> DrainReport {
    let watch = Watch::new(settings.limits, Arc::clone(&settings.metrics));
    let core = Rc::new(Core {
        http1: http1::builder(&settings.limits),
        http2: http2::builder(&settings.limits),
        watch: Rc::clone(&watch),
        settings,
        handler,
    });
    let mut sweeps = pin!(sweep(&watch));
    let mut shutdown = pin!(shutdown);
    tokio::select! {
        () = &mut shutdown => {}
        never = core.accept(&listener) => match never {},
        never = &mut sweeps => match never {},
    }
    core.take_backlog(listener);
    let open = watch.open();
    watch.drain();
    let grace = core.settings.limits.shutdown_grace;
    let drained = tokio::select! {
        drained = tokio::time::timeout(grace, watch.emptied()) => drained.is_ok(),
        never = &mut sweeps => match never {},
    };
    let cut = if drained { 0 } else { watch.cut_all() };
    if cut > 0 {
        // Each cut connection is polled once more to drop what it held.
        let _ = tokio::time::timeout(CUT_TIME, watch.emptied()).await;
    }
    DrainReport { open, cut }
}

/// Cut connections only have to be dropped; this is far more than that takes.
const CUT_TIME: Duration = Duration::from_secs(2);

enum Never {}

async fn sweep(watch: &Watch) -> Never {
    let mut ticks = tokio::time::interval(watch.limits.sweep_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        watch.sweep();
    }
}

/// The first wait after a failed `accept`, doubled up to the longest.
const FIRST_BACKOFF: Duration = Duration::from_millis(5);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// What all connections of one core have in common.
pub(super) struct Core<H> {
    pub(super) http1: hyper::server::conn::http1::Builder,
    pub(super) http2: h2::server::Builder,
    watch: Rc<Watch>,
    pub(super) settings: ListenerSettings,
    pub(super) handler: Rc<H>,
}

impl<H: Handler> Core<H> {
    async fn accept(self: &Rc<Self>, listener: &TcpListener) -> Never {
        let mut backoff = FIRST_BACKOFF;
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    backoff = FIRST_BACKOFF;
                    self.admit(stream, remote);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    // Out of descriptors or memory: connections that end give some back, so wait for that.
                    tracing::warn!(%error, wait_ms = backoff.as_millis(), "cannot accept a connection");
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                }
            }
        }
    }

    fn admit(self: &Rc<Self>, stream: TcpStream, remote: std::net::SocketAddr) {
        let Some(guard) = self.settings.capacity.try_take() else {
            // Refused as early and cheaply as can be: the client sees its connection closed.
            self.settings.metrics.opened(Protocol::Http1);
            self.settings.metrics.rejected(Rejection::Limit);
            return;
        };
        // Fails only on a socket that is already dead, which the first read will show.
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(self.serve(stream, remote, guard));
    }

    fn serve(
        self: &Rc<Self>,
        stream: TcpStream,
        remote: std::net::SocketAddr,
        guard: CapacityGuard,
    ) -> impl Future<Output = ()> + use<H> {
        let core = Rc::clone(self);
        let client = ClientConnection::new(remote, &self.watch);
        // Registered before the task first runs: a drain that begins in between must wait for it.
        let registration = self.watch.register(&client);
        async move {
            let _held = (guard, registration);
            connection::run(stream, client, core).await;
        }
    }

    /// Closing a listener resets what its backlog holds: those connections were accepted by the kernel in our name.
    fn take_backlog(self: &Rc<Self>, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        // The backlog is bounded by the kernel; what arrives while it is emptied is bounded by this.
        for _ in 0..MAX_BACKLOG {
            let Ok((stream, remote)) = listener.accept() else { return };
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.admit(stream, remote);
            }
        }
    }
}

/// More than any `somaxconn` in use.
const MAX_BACKLOG: usize = 65_536;

/// Errors of `accept` that concern the connection it would have returned.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
