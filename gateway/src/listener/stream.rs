//! One stream of requests: an HTTP/1 connection is one, an HTTP/2 connection has one a request.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;

use hyper::body::Incoming;

use super::client::{ClientConnection, IdleClass, Protocol};
use super::pace::Pacer;
use super::tunnel::Tunnel;
use crate::forward::ForwardedFieldsCache;
use crate::metrics::{AbortPhase, Rejection};

/// What an answer that stays open depends on; looked at a few times a second.
pub trait Stay {
    /// Whether it is over: the answer, or the tunnel, is broken off.
    fn is_over(&self) -> bool;
}

/// One stream of requests, as handlers see it. It stays on its core.
pub struct ClientStream {
    connection: Rc<ClientConnection>,
    /// Where the connection keeps it.
    slot: Cell<usize>,
    abort_phase: Cell<AbortPhase>,
    body: Pacer,
    body_overdue: Cell<bool>,
    /// Waiting for the client's window; HTTP/1 has only the socket's.
    write: Pacer,
    overdue: Cell<Option<Rejection>>,
    waker: RefCell<Option<Waker>>,
    stay: RefCell<Option<Rc<dyn Stay>>>,
    expects_continue: Cell<bool>,
    wants_continue: Cell<bool>,
    tunnel: RefCell<Option<Box<Tunnel>>>,
}

/// A stream's entry with its connection; dropping it takes the stream out.
pub(super) struct StreamEntry(Rc<ClientStream>);

impl ClientStream {
    /// A new stream of this connection.
    pub(super) fn open(connection: &Rc<ClientConnection>) -> StreamEntry {
        let mut streams = connection.streams.borrow_mut();
        let stream = Rc::new(Self {
            connection: Rc::clone(connection),
            slot: Cell::new(streams.len()),
            abort_phase: Cell::new(AbortPhase::Waiting),
            body: Pacer::default(),
            body_overdue: Cell::new(false),
            write: Pacer::default(),
            overdue: Cell::new(None),
            waker: RefCell::default(),
            stay: RefCell::default(),
            expects_continue: Cell::new(false),
            wants_continue: Cell::new(false),
            tunnel: RefCell::default(),
        });
        streams.push(Rc::clone(&stream));
        StreamEntry(stream)
    }

    /// The client: the TCP peer, or whom a trusted balancer named by the PROXY protocol.
    pub fn remote(&self) -> SocketAddr {
        self.connection.remote()
    }

    /// The forwarding fields of this connection's client, kept from request to request.
    pub fn forwarded_fields(&self) -> &ForwardedFieldsCache {
        self.connection.forwarded_fields()
    }

    /// Admitted visitors may keep their connection longer.
    pub fn set_idle_class(&self, class: IdleClass) {
        self.connection.set_idle_class(class);
    }

    /// How far the request is, for the count should its client leave now. Handlers say
    /// [`AbortPhase::Upstream`] before they ask the upstream.
    pub fn reached(&self, phase: AbortPhase) {
        self.abort_phase.set(phase);
    }

    /// Whether this stream can become a tunnel: HTTP/2 has none here (no extended CONNECT, RFC 8441).
    pub fn can_switch(&self) -> bool {
        self.connection.protocol() == Protocol::Http1
    }

    /// The answer, or the tunnel, lasts no longer than this.
    pub fn ends_with(&self, stay: Rc<dyn Stay>) {
        *self.stay.borrow_mut() = Some(stay);
    }

    /// After the answer under way, a `101`, this connection is a tunnel.
    pub fn switches_to(&self, tunnel: Tunnel) {
        *self.tunnel.borrow_mut() = Some(Box::new(tunnel));
    }

    pub(super) fn take_tunnel(&self) -> Option<Box<Tunnel>> {
        self.tunnel.borrow_mut().take()
    }

    pub(super) fn connection(&self) -> &Rc<ClientConnection> {
        &self.connection
    }

    pub(super) fn abort_phase(&self) -> AbortPhase {
        self.abort_phase.get()
    }

    // What an exchange reports.

    pub(super) fn exchange_began(&self, expects_continue: bool) {
        self.connection.exchange_began();
        self.abort_phase.set(AbortPhase::Waiting);
        self.expects_continue.set(expects_continue);
        self.body.restart();
        self.write.restart();
    }

    pub(super) fn exchange_ended(&self) {
        // A tunnel is the one thing that outlives its exchange.
        if self.tunnel.borrow().is_none() {
            self.stay.borrow_mut().take();
        }
        self.connection.exchange_ended();
    }

    // What a request's body reports.

    pub(crate) fn waits_for_body(&self) {
        if self.expects_continue.take() {
            self.wants_continue.set(true);
        }
        self.body.waits(self.connection.watch.now_ms());
    }

    pub(crate) fn got_body(&self, bytes: u64) {
        self.connection.watch.metrics.body_in.inc_by(bytes);
        self.body.moved(bytes, self.connection.watch.now_ms());
    }

    pub(crate) fn body_ended(&self) {
        self.body.moved(0, self.connection.watch.now_ms());
    }

    /// Whether the sweep found the body too slow.
    pub(crate) fn is_body_overdue(&self) -> bool {
        self.body_overdue.get()
    }

    /// The rest of an HTTP/1 body that nobody reads: to be drained, or the connection to be closed.
    pub(crate) fn leave_behind(&self, incoming: Incoming) {
        self.connection.leave_behind(incoming);
    }

    /// Whether the body is waited for by a client that waits for `100 Continue`; asked once.
    pub(super) fn takes_continue(&self) -> bool {
        self.wants_continue.take()
    }

    // What the writing side of an HTTP/2 stream reports.

    pub(super) fn waits_for_window(&self) {
        self.write.waits(self.connection.watch.now_ms());
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.write.moved(bytes as u64, self.connection.watch.now_ms());
    }

    // What the stream's future and the core's sweep agree on.

    /// Remembers whom to wake; a future's waker hardly ever changes.
    pub(super) fn note_waker(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// The reason to break it off, once there is one.
    pub(super) fn overdue(&self) -> Option<Rejection> {
        self.overdue.get()
    }

    fn wake(&self) {
        match &*self.waker.borrow() {
            Some(waker) => waker.wake_by_ref(),
            // HTTP/1: the connection's task is the stream's.
            None => self.connection.wake(),
        }
    }

    fn cut(&self, reason: Rejection) {
        match self.connection.protocol() {
            Protocol::Http1 => self.connection.cut(reason),
            Protocol::Http2 => {
                if self.overdue.replace(Some(reason)).is_none() {
                    self.connection.watch.metrics.rejected(reason);
                }
                self.wake();
            }
        }
    }

    /// Looks for what has waited too long, and for what is over.
    pub(super) fn check(&self, now: u64) {
        let limits = &self.connection.watch.limits;
        if self.stay.borrow().as_ref().is_some_and(|stay| stay.is_over()) {
            return self.cut(Rejection::Session);
        }
        if self.write.is_too_slow(&limits.write, now) {
            return self.cut(Rejection::Write);
        }
        if !self.body_overdue.get() && self.body.is_too_slow(&limits.body, now) {
            // Not cut: whoever reads the body fails, and its answer says why.
            self.body_overdue.set(true);
            self.connection.leaves_unread();
            self.connection.watch.metrics.rejected(Rejection::Body);
            self.wake();
        }
    }
}

impl std::fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientStream").field("remote", &self.remote()).finish_non_exhaustive()
    }
}

impl StreamEntry {
    pub(super) const fn stream(&self) -> &Rc<ClientStream> {
        &self.0
    }
}

impl Drop for StreamEntry {
    fn drop(&mut self) {
        let mut streams = self.0.connection.streams.borrow_mut();
        let slot = self.0.slot.get();
        streams.swap_remove(slot);
        if let Some(moved) = streams.get(slot) {
            moved.slot.set(slot);
        }
    }
}
