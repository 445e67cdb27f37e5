//! One connection of a client: what it waits for, and since when.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http_body::Body as _;
use hyper::body::Incoming;

use super::pace::{Pacer, millis};
use super::watch::Watch;
use crate::forward::ForwardedFieldsCache;
use crate::metrics::{AbortPhase, Rejection};

/// A connection of a client, as handlers see it. It outlives its requests and stays on its core.
#[derive(Debug)]
pub struct ClientConnection {
    remote: SocketAddr,
    forwarded: ForwardedFieldsCache,
    pub(super) watch: Rc<Watch>,
    /// Where the watch keeps it.
    pub(super) slot: Cell<usize>,
    phase: Cell<Phase>,
    since_ms: Cell<u64>,
    idle_class: Cell<IdleClass>,
    abort_phase: Cell<AbortPhase>,
    body: Pacer,
    write: Pacer,
    body_overdue: Cell<bool>,
    leftover: RefCell<Option<Leftover>>,
    left_unread: Cell<bool>,
    overdue: Cell<Option<Rejection>>,
    waker: RefCell<Option<Waker>>,
}

/// For how long a connection may stand idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdleClass {
    /// Anyone.
    #[default]
    Anyone,
    /// A visitor with a live session.
    Admitted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come yet.
    FirstByte,
    /// A request has begun.
    Header,
    /// A request is being answered.
    Exchange,
    /// Between requests.
    Idle,
}

/// The unread rest of a request that has been answered.
#[derive(Debug)]
struct Leftover {
    incoming: Incoming,
    allowance: u64,
    since_ms: u64,
}

impl ClientConnection {
    pub(super) fn new(remote: SocketAddr, watch: &Rc<Watch>) -> Rc<Self> {
        Rc::new(Self {
            remote,
            forwarded: ForwardedFieldsCache::default(),
            watch: Rc::clone(watch),
            slot: Cell::new(0),
            phase: Cell::new(Phase::FirstByte),
            since_ms: Cell::new(watch.now_ms()),
            idle_class: Cell::default(),
            abort_phase: Cell::new(AbortPhase::Waiting),
            body: Pacer::default(),
            write: Pacer::default(),
            body_overdue: Cell::new(false),
            leftover: RefCell::default(),
            left_unread: Cell::new(false),
            overdue: Cell::new(None),
            waker: RefCell::default(),
        })
    }

    /// The TCP peer: the client itself, or a proxy before the gateway.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The forwarding fields of this connection's client, kept from request to request.
    pub fn forwarded_fields(&self) -> &ForwardedFieldsCache {
        &self.forwarded
    }

    /// Admitted visitors may keep their connection longer.
    pub fn set_idle_class(&self, class: IdleClass) {
        self.idle_class.set(class);
    }

    /// How far the request is, for the count should its client leave now. Handlers say
    /// [`AbortPhase::Upstream`] before they ask the upstream.
    pub fn reached(&self, phase: AbortPhase) {
        self.abort_phase.set(phase);
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since_ms.set(self.watch.now_ms());
    }

    pub(super) fn abort_phase(&self) -> AbortPhase {
        self.abort_phase.get()
    }

    // What the socket reports.

    pub(super) fn got_bytes(&self) {
        if matches!(self.phase.get(), Phase::FirstByte | Phase::Idle) {
            self.enter(Phase::Header);
        }
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.write.moved(bytes as u64, self.watch.now_ms());
    }

    pub(super) fn waits_to_write(&self) {
        self.write.waits(self.watch.now_ms());
    }

    // What an exchange reports.

    pub(super) fn exchange_began(&self) {
        self.enter(Phase::Exchange);
        self.abort_phase.set(AbortPhase::Waiting);
        self.body.restart();
        self.write.restart();
    }

    pub(super) fn exchange_ended(&self) {
        self.enter(Phase::Idle);
    }

    // What a request's body reports.

    pub(crate) fn waits_for_body(&self) {
        self.body.waits(self.watch.now_ms());
    }

    pub(crate) fn got_body(&self, bytes: u64) {
        self.watch.metrics.body_in.inc_by(bytes);
        self.body.moved(bytes, self.watch.now_ms());
    }

    pub(crate) fn body_ended(&self) {
        self.body.moved(0, self.watch.now_ms());
    }

    /// Whether the sweep found the body too slow.
    pub(crate) fn is_body_overdue(&self) -> bool {
        self.body_overdue.get()
    }

    /// The rest of a body that nobody reads: to be drained, or the connection to be closed.
    pub(crate) fn leave_behind(&self, incoming: Incoming) {
        if incoming.is_end_stream() {
            return;
        }
        let allowance = self.watch.limits.drain_bytes;
        let since_ms = self.watch.now_ms();
        *self.leftover.borrow_mut() = Some(Leftover { incoming, allowance, since_ms });
    }

    /// After an answer: a rest that is known to be too long, or that the client has not begun to send because it waits
    /// for a `100 Continue`, is given up at once, so the answer itself already says `Connection: close`.
    pub(super) fn settle_leftover(&self, expects_continue: bool) {
        let mut leftover = self.leftover.borrow_mut();
        let hopeless = leftover
            .as_ref()
            .is_some_and(|rest| expects_continue || rest.incoming.size_hint().lower() > rest.allowance);
        if hopeless {
            *leftover = None;
            self.left_unread.set(true);
        }
    }

    /// Reads on in a body that nobody wants, up to its allowance.
    pub(super) fn poll_leftover(&self, cx: &mut Context<'_>) {
        let mut leftover = self.leftover.borrow_mut();
        while let Some(rest) = &mut *leftover {
            match Pin::new(&mut rest.incoming).poll_frame(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                    match rest.allowance.checked_sub(length) {
                        Some(allowance) => rest.allowance = allowance,
                        None => {
                            self.left_unread.set(true);
                            *leftover = None;
                        }
                    }
                }
                Poll::Ready(None | Some(Err(_))) => *leftover = None,
            }
        }
    }

    // What the connection's task and the core's sweep agree on.

    /// Remembers whom to wake; a task's waker hardly ever changes.
    pub(super) fn note_waker(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    pub(super) fn cut(&self, reason: Rejection) {
        if self.overdue.get().is_none() {
            self.overdue.set(Some(reason));
            self.watch.metrics.rejected(reason);
        }
        self.wake();
    }

    /// The reason to cut the connection, once there is one.
    pub(super) fn overdue(&self) -> Option<Rejection> {
        self.overdue.get()
    }

    /// Looks for what has waited too long.
    pub(super) fn check(&self) {
        let (limits, now) = (&self.watch.limits, self.watch.now_ms());
        let waited = now.saturating_sub(self.since_ms.get());
        if self.write.is_too_slow(&limits.write, now) {
            return self.cut(Rejection::Write);
        }
        if self.expire_leftover(now) {
            return self.wake();
        }
        match self.phase.get() {
            Phase::FirstByte if waited >= millis(limits.first_byte) => self.cut(Rejection::FirstByte),
            Phase::Header if waited >= millis(limits.header) => self.cut(Rejection::Header),
            Phase::Idle if self.leftover.borrow().is_none() && waited >= millis(self.idle_limit()) => {
                self.cut(Rejection::Idle);
            }
            Phase::Exchange if !self.body_overdue.get() && self.body.is_too_slow(&limits.body, now) => {
                // Not cut: whoever reads the body fails, and its answer says why.
                self.body_overdue.set(true);
                self.left_unread.set(true);
                self.watch.metrics.rejected(Rejection::Body);
                self.wake();
            }
            _ if self.watch.draining_ms().is_some() => self.wake(),
            _ => {}
        }
    }

    fn idle_limit(&self) -> std::time::Duration {
        match self.idle_class.get() {
            IdleClass::Anyone => self.watch.limits.idle,
            IdleClass::Admitted => self.watch.limits.idle_admitted,
        }
    }

    fn expire_leftover(&self, now: u64) -> bool {
        let mut leftover = self.leftover.borrow_mut();
        let limit = millis(self.watch.limits.drain_time);
        let expired = leftover.as_ref().is_some_and(|rest| now.saturating_sub(rest.since_ms) >= limit);
        if expired {
            *leftover = None;
            self.left_unread.set(true);
        }
        expired
    }

    /// While draining: whether this connection should end after what it is doing. One that has sent nothing yet was
    /// probably just opened for a request, which gets its moment to arrive.
    pub(super) fn should_close(&self) -> bool {
        match self.watch.draining_ms() {
            None => false,
            Some(drained_ms) => self.phase.get() != Phase::FirstByte || drained_ms >= FIRST_REQUEST_GRACE_MS,
        }
    }

    /// Whether the client may be in the middle of sending something nobody will read.
    pub(super) fn left_unread(&self) -> bool {
        self.left_unread.get()
    }

    /// Whether the answer under way is the connection's last, so that it should say so.
    pub(super) fn answers_last(&self) -> bool {
        self.left_unread.get() || self.watch.draining_ms().is_some()
    }

    /// Whether bytes of an answer wait for the client.
    pub(super) fn is_writing(&self) -> bool {
        self.write.is_waiting()
    }
}

/// How long a new connection may take for its first request while the listener drains.
const FIRST_REQUEST_GRACE_MS: u64 = 1_000;
