//! One core's pool of connections to one upstream.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::body::UpstreamBody;
use super::connection::Connection;
use super::exchange::{Failure, exchange};
use super::shared::{Permit, Upstream};
use super::stream::UpstreamStream;
use super::turn::Turn;
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
        let (mut connection, mut turn) = self.check_out(began, rank).await?;
        let until = began + self.upstream.settings.total_timeout;
        let mut repeated = false;
        loop {
            let spare = if connection.is_reused && !repeated { spare_copy(&request) } else { None };
            connection.timer.arm((clock::monotonic() + self.upstream.settings.response_timeout).min(until));
            let mut busy = Busy::begin(turn);
            match exchange(&mut connection, request).await {
                Ok(mut answer) => {
                    // The version is the connection's, not the message's: an old upstream must not make the client's
                    // answer an old one.
                    *answer.version_mut() = Version::HTTP_11;
                    self.upstream.metrics.answered(answer.status(), clock::monotonic().duration_since(began));
                    connection.is_reused = true;
                    connection.switches = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
                    busy.answered(answer.status());
                    return Ok(
                        answer.map(|incoming| UpstreamBody::new(incoming, connection, Rc::clone(self), busy, until))
                    );
                }
                Err(Failure::Unsent(unsent, _)) if connection.is_reused => request = *unsent,
                Err(Failure::Unsent(_, error) | Failure::Final(error)) => {
                    busy.failed(&error);
                    return Err(error);
                }
                Err(Failure::Unanswered(error)) => match spare {
                    Some(spare) => {
                        request = spare;
                        repeated = true;
                    }
                    None => {
                        busy.failed(&error);
                        return Err(error);
                    }
                },
            }
            busy.finish();
            self.upstream.metrics.retries.inc();
            // A fresh connection cannot be one that the upstream is about to close; each round drops a used one, so
            // there are no more rounds than idle connections.
            drop(connection);
            let now = clock::monotonic();
            (connection, turn) = match self.upstream.try_permit() {
                Some(permit) => self.connect(permit, Turn::next(&self.upstream, now)?).await?,
                None => self.check_out(now, rank).await?,
            };
        }
    }

    /// A connection that can carry an exchange: the youngest idle one, a new one, or the next to become free.
    async fn check_out(&self, now: Instant, rank: Rank) -> Result<(Box<Connection>, Turn), UpstreamError> {
        let turn = Turn::next(&self.upstream, now)?;
        if let Some(connection) = self.pop_idle(Some(turn.endpoint()), now) {
            return Ok((connection, turn));
        }
        if let Some(permit) = self.upstream.try_permit() {
            return self.connect(permit, turn).await;
        }
        drop(turn);
        // Where all are in use, an idle one to a busier endpoint is better than waiting.
        if let Some(connection) = self.pop_idle(None, now) {
            let turn = Turn::at(&self.upstream, connection.endpoint);
            return Ok((connection, turn));
        }
        self.wait(now, rank).await
    }

    /// The youngest idle connection to this endpoint, or to any that serves.
    fn pop_idle(&self, wanted: Option<usize>, now: Instant) -> Option<Box<Connection>> {
        let fits = |endpoint: usize| match wanted {
            Some(wanted) => endpoint == wanted,
            None => self.upstream.fleet.serves(endpoint),
        };
        let mut idle = self.idle.borrow_mut();
        loop {
            let at = idle.iter().rposition(|idle| fits(idle.connection.endpoint))?;
            let Idle { mut connection, since } = idle.remove(at);
            self.upstream.metrics.idle.dec();
            let young = now.duration_since(since) < self.upstream.settings.idle_timeout;
            if young && connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// A new connection. Where an endpoint takes none, the others are asked: nothing was written, so any request may go
    /// there.
    async fn connect(&self, permit: Permit, mut turn: Turn) -> Result<(Box<Connection>, Turn), UpstreamError> {
        let upstream = &self.upstream;
        let mut opened = self.open(&mut turn).await;
        for _ in 1..upstream.fleet.len() {
            if opened.is_ok() {
                break;
            }
            let Some(next) = Turn::elsewhere(upstream, clock::monotonic()) else { break };
            turn = next;
            opened = self.open(&mut turn).await;
        }
        let shares = (permit, Held::one_more(&self.held));
        let connection =
            Connection::new(opened?, turn.endpoint(), shares, &upstream.settings, clock::monotonic()).await?;
        Ok((connection, turn))
    }

    async fn open(&self, turn: &mut Turn) -> Result<UpstreamStream, UpstreamError> {
        let upstream = &self.upstream;
        let endpoint = upstream.fleet.endpoint(turn.endpoint());
        let opened = timeout(upstream.settings.connect_timeout, endpoint.connect()).await;
        if let Ok(Ok(stream)) = opened {
            upstream.fleet.accepted(turn.endpoint());
            return Ok(stream);
        }
        upstream.fleet.refused(turn.endpoint(), clock::monotonic());
        turn.failed();
        if let Ok(Err(source)) = &opened {
            upstream.fleet.tell_tls(turn.endpoint(), source);
        }
        let endpoint = endpoint.to_string();
        Err(match opened {
            Ok(Err(source)) => UpstreamError::Connect { endpoint, source },
            _ => UpstreamError::ConnectTimeout { endpoint },
        })
    }

    async fn wait(&self, began: Instant, rank: Rank) -> Result<(Box<Connection>, Turn), UpstreamError> {
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
            Some(Won::Connection(connection)) => {
                let turn = Turn::at(&self.upstream, connection.endpoint);
                Ok((connection, turn))
            }
            Some(Won::Permit(permit)) => self.connect(permit, Turn::next(&self.upstream, clock::monotonic())?).await,
            None => Err(UpstreamError::PoolWait),
        }
    }

    /// A connection whose exchange is over: to the first who waits here, to another core that waits, or idle.
    pub(super) fn put_back(&self, connection: Box<Connection>) {
        if !self.upstream.fleet.serves(connection.endpoint) {
            // Closing it gives the permit to whoever waits, for another endpoint.
            return;
        }
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
            let serves = self.upstream.fleet.serves(idle.connection.endpoint);
            let keep = serves && now.duration_since(idle.since) < limit && idle.connection.is_ready();
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

/// An exchange under way. Dropped without an end of its own, the client left in mid-exchange.
pub(super) struct Busy {
    upstream: Arc<Upstream>,
    turn: Turn,
    finished: bool,
}

impl Busy {
    fn begin(turn: Turn) -> Self {
        let upstream = Arc::clone(turn.upstream());
        upstream.metrics.active.inc();
        Self { upstream, turn, finished: false }
    }

    /// The head of an answer has come.
    fn answered(&mut self, status: StatusCode) {
        if self.upstream.settings.failure_statuses.contains(status) {
            self.turn.failed();
        } else {
            self.turn.succeeded();
        }
    }

    /// The exchange is over.
    pub(super) fn finish(mut self) {
        self.finished = true;
    }

    /// The exchange broke.
    pub(super) fn failed(mut self, error: &UpstreamError) {
        if error.is_of_endpoint() {
            self.turn.failed();
        }
        self.finish();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.upstream.metrics.active.dec();
        if !self.finished {
            self.upstream.metrics.abandoned.inc();
        }
    }
}
