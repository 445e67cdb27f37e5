//! One core's pool of connections to one upstream.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::body::UpstreamBody;
use super::connection::Connection;
use super::exchange::{Failure, exchange};
use super::shared::{Permit, Upstream};
use super::wait::{Rank, Waiters};
use super::{ErrorReason, UpstreamError};
use crate::body::RequestBody;
use crate::clock::{self, Instant};
use crate::metrics::WaitResult;

/// How often idle connections are looked after: closed ones noticed, old ones closed.
const IDLE_CHECK: Duration = Duration::from_secs(1);

/// One core's connections to an upstream. Single-threaded; all cores share the [`Upstream`] and its cap.
#[derive(Debug)]
pub struct Pool {
    upstream: Arc<Upstream>,
    /// Last in, first out: under little load the rest grows old and is closed.
    idle: RefCell<Vec<Idle>>,
    waiters: Waiters,
    turn: Cell<usize>,
    /// Connections of this core, idle and at work.
    held: Rc<Cell<usize>>,
    reclaim: Arc<Notify>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Pool {
    /// A pool for the core this is called on. Starts a small task that looks after idle connections and ends with the
    /// pool; so it needs a `LocalSet` or `LocalRuntime`.
    pub fn new(upstream: Arc<Upstream>) -> Rc<Self> {
        let reclaim = upstream.join();
        let pool = Rc::new(Self {
            idle: RefCell::default(),
            waiters: Waiters::default(),
            turn: Cell::new(0),
            held: Rc::default(),
            reclaim: Arc::clone(&reclaim),
            upstream,
        });
        tokio::task::spawn_local(look_after(Rc::downgrade(&pool), reclaim));
        pool
    }

    /// The upstream it belongs to.
    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// Sends `request` (origin-form URI, `Host` set, hygiene done) and returns the head of the answer; its body holds
    /// the connection until it is complete. Dropping the future or the body closes the connection.
    ///
    /// A request that was provably not written goes over another connection, whatever its method. One that was
    /// written, without an answer, over a connection used before is repeated once if it is idempotent and has no body.
    ///
    /// Where all connections are in use it waits for one, admitted visitors first.
    ///
    /// # Errors
    /// [`UpstreamError`]; each is counted by its label.
    pub async fn send(
        self: &Rc<Self>,
        request: Request<RequestBody>,
        rank: Rank,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        let answer = self.attempt(request, rank).await;
        if let Err(error) = &answer {
            self.upstream.metrics.failed(error.reason());
            if error.reason() != ErrorReason::RequestBody {
                tracing::debug!(error = error as &dyn std::error::Error, "an upstream failed");
            }
        }
        answer
    }

    async fn attempt(
        self: &Rc<Self>,
        mut request: Request<RequestBody>,
        rank: Rank,
    ) -> Result<Response<UpstreamBody>, UpstreamError> {
        *request.version_mut() = Version::HTTP_11;
        let began = clock::monotonic();
        let mut connection = self.check_out(began, rank).await?;
        let mut repeated = false;
        loop {
            let spare = if connection.is_reused && !repeated { spare_copy(&request) } else { None };
            connection.timer.arm(clock::monotonic() + self.upstream.settings.response_timeout);
            let busy = Busy::begin(self, connection.endpoint);
            match exchange(&mut connection, request).await {
                Ok(mut answer) => {
                    // The version is the connection's, not the message's: an old upstream must not make the client's
                    // answer an old one.
                    *answer.version_mut() = Version::HTTP_11;
                    self.upstream.metrics.answered(answer.status(), clock::monotonic().duration_since(began));
                    connection.is_reused = true;
                    connection.switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
                    return Ok(answer.map(|incoming| UpstreamBody::new(incoming, connection, Rc::clone(self), busy)));
                }
                Err(Failure::Unsent(unsent, _)) if connection.is_reused => request = *unsent,
                Err(Failure::Unsent(_, error)) => {
                    busy.finish();
                    return Err(error);
                }
                Err(Failure::Unanswered(error)) => match spare {
                    Some(spare) => {
                        request = spare;
                        repeated = true;
                    }
                    None => {
                        busy.finish();
                        return Err(error);
                    }
                },
                Err(Failure::Final(error)) => {
                    busy.finish();
                    return Err(error);
                }
            }
            busy.finish();
            self.upstream.metrics.retries.inc();
            // A fresh connection cannot be one that the upstream is about to close; each round drops a used one, so
            // there are no more rounds than idle connections.
            drop(connection);
            connection = match self.upstream.try_permit() {
                Some(permit) => self.connect(permit, clock::monotonic()).await?,
                None => self.check_out(clock::monotonic(), rank).await?,
            };
        }
    }

    /// A connection that can carry an exchange: the youngest idle one, a new one, or the next to become free.
    async fn check_out(&self, now: Instant, rank: Rank) -> Result<Box<Connection>, UpstreamError> {
        if let Some(connection) = self.pop_idle(now) {
            return Ok(connection);
        }
        if let Some(permit) = self.upstream.try_permit() {
            return self.connect(permit, now).await;
        }
        self.wait(now, rank).await
    }

    fn pop_idle(&self, now: Instant) -> Option<Box<Connection>> {
        let wanted = self.upstream.choose(self.turn.replace(self.turn.get().wrapping_add(1)), now);
        let only = self.upstream.endpoints.len() == 1;
        let mut idle = self.idle.borrow_mut();
        loop {
            let at = if only {
                idle.len().checked_sub(1)?
            } else {
                idle.iter().rposition(|idle| idle.connection.endpoint == wanted)?
            };
            let Idle { mut connection, since } = idle.remove(at);
            self.upstream.metrics.idle.dec();
            let young = now.duration_since(since) < self.upstream.settings.idle_timeout;
            if young && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    async fn connect(&self, permit: Permit, now: Instant) -> Result<Box<Connection>, UpstreamError> {
        let upstream = &self.upstream;
        let mut at = upstream.choose(self.turn.get(), now);
        let mut opened = self.open(at).await;
        if opened.is_err() && upstream.endpoints.len() > 1 {
            // Nothing was written, so another endpoint may be tried for any request.
            at = upstream.choose(at + 1, clock::monotonic());
            opened = self.open(at).await;
        }
        let shares = (permit, Held::one_more(&self.held));
        Connection::new(opened?, at, shares, &upstream.settings, clock::monotonic()).await
    }

    async fn open(&self, at: usize) -> Result<TcpStream, UpstreamError> {
        let upstream = &self.upstream;
        let endpoint = &upstream.endpoints[at].endpoint;
        let opened = timeout(upstream.settings.connect_timeout, endpoint.connect()).await;
        if let Ok(Ok(stream)) = opened {
            upstream.accepted(at);
            return Ok(stream);
        }
        upstream.refused(at, clock::monotonic());
        let endpoint = endpoint.to_string();
        Err(match opened {
            Ok(Err(source)) => UpstreamError::Connect { endpoint, source },
            _ => UpstreamError::ConnectTimeout { endpoint },
        })
    }

    async fn wait(&self, began: Instant, rank: Rank) -> Result<Box<Connection>, UpstreamError> {
        let metrics = &self.upstream.metrics;
        let Some(_pending) = self.upstream.try_wait(rank) else {
            metrics.waited(rank, WaitResult::Refused);
            return Err(UpstreamError::PoolFull);
        };
        let mut waiting = self.waiters.join(rank);
        self.upstream.ask_for_idle(&self.reclaim);
        let won = timeout(self.upstream.settings.pool_wait, async {
            tokio::select! {
                biased;
                Some(connection) = waiting.connection() => Won::Connection(connection),
                Some(permit) = self.upstream.permit() => Won::Permit(permit),
                else => std::future::pending().await,
            }
        })
        .await;
        let waited = clock::monotonic().duration_since(began);
        metrics.pool_wait.observe(waited.as_secs_f64());
        let won = match won {
            Ok(won) => Some(won),
            // One may have been handed over in the very moment.
            Err(_) => waiting.try_connection().map(Won::Connection),
        };
        metrics.waited(rank, if won.is_some() { WaitResult::Served } else { WaitResult::Late });
        match won {
            Some(Won::Connection(connection)) => Ok(connection),
            Some(Won::Permit(permit)) => self.connect(permit, clock::monotonic()).await,
            None => Err(UpstreamError::PoolWait),
        }
    }

    /// A connection whose exchange is over: to the first who waits here, to another core that waits, or idle.
    pub(super) fn put_back(&self, connection: Box<Connection>) {
        let pending = self.upstream.pending();
        if pending > 0 {
            let elsewhere = pending > self.waiters.len();
            if elsewhere && self.held.get() > self.upstream.fair_share() {
                // Closing it gives the permit to whoever waits longest.
                return;
            }
            let Some(connection) = self.waiters.hand_over(connection) else { return };
            if !elsewhere {
                self.rest(connection);
            }
            return;
        }
        self.rest(connection);
    }

    fn rest(&self, connection: Box<Connection>) {
        self.upstream.metrics.idle.inc();
        self.idle.borrow_mut().push(Idle { connection, since: clock::monotonic() });
    }

    /// Closes the oldest idle connection: another core waits for its permit.
    fn give_up_oldest(&self) {
        let mut idle = self.idle.borrow_mut();
        if !idle.is_empty() {
            self.upstream.metrics.idle.dec();
            idle.remove(0);
        }
    }

    fn close_stale(&self, now: Instant) {
        let limit = self.upstream.settings.idle_timeout;
        self.idle.borrow_mut().retain_mut(|idle| {
            let keep = now.duration_since(idle.since) < limit && idle.connection.is_ready();
            if !keep {
                self.upstream.metrics.idle.dec();
            }
            keep
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let idle = self.idle.get_mut().len();
        self.upstream.metrics.idle.sub(i64::try_from(idle).unwrap_or(i64::MAX));
        self.upstream.leave(&self.reclaim);
        // Ends the task that looks after idle connections.
        self.reclaim.notify_one();
    }
}

enum Won {
    Connection(Box<Connection>),
    Permit(Permit),
}

/// A copy to send again, where sending twice is the same as sending once (RFC 9110, 9.2.2) and there is no body.
fn spare_copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let idempotent = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    );
    if !idempotent || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

async fn look_after(pool: Weak<Pool>, reclaim: Arc<Notify>) {
    loop {
        let asked = timeout(IDLE_CHECK, reclaim.notified()).await.is_ok();
        let Some(pool) = pool.upgrade() else { return };
        if asked {
            pool.give_up_oldest();
        } else {
            pool.close_stale(clock::monotonic());
        }
    }
}

/// One of a core's connections; dropping it is counted.
#[derive(Debug)]
pub(super) struct Held(Rc<Cell<usize>>);

impl Held {
    fn one_more(held: &Rc<Cell<usize>>) -> Self {
        held.set(held.get() + 1);
        Self(Rc::clone(held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// An exchange under way. Dropped without [`finish`](Self::finish), the client left in mid-exchange.
pub(super) struct Busy {
    upstream: Arc<Upstream>,
    endpoint: usize,
    finished: bool,
}

impl Busy {
    fn begin(pool: &Pool, endpoint: usize) -> Self {
        pool.upstream.metrics.active.inc();
        pool.upstream.endpoints[endpoint].busy.fetch_add(1, Ordering::Relaxed);
        Self { upstream: Arc::clone(&pool.upstream), endpoint, finished: false }
    }

    /// The exchange ended by itself, well or not.
    pub(super) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.upstream.metrics.active.dec();
        self.upstream.endpoints[self.endpoint].busy.fetch_sub(1, Ordering::Relaxed);
        if !self.finished {
            self.upstream.metrics.abandoned.inc();
        }
    }
}
