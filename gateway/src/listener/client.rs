//! One connection of a client: what it waits for, and since when.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http_body::Body as _;
use hyper::body::Incoming;

use super::pace::{Pacer, millis};
use super::stream::ClientStream;
use super::watch::Watch;
use crate::forward::ForwardedFieldsCache;
pub(super) use crate::metrics::Protocol;
use crate::metrics::Rejection;

/// A connection of a client. It outlives its requests and stays on its core.
#[derive(Debug)]
pub(super) struct ClientConnection {
    remote: Cell<SocketAddr>,
    protocol: Cell<Protocol>,
    forwarded: ForwardedFieldsCache,
    pub(super) watch: Rc<Watch>,
    /// Where the watch keeps it.
    pub(super) slot: Cell<usize>,
    /// HTTP/1: the one, for all its requests. HTTP/2: those open now.
    pub(super) streams: RefCell<Vec<Rc<ClientStream>>>,
    phase: Cell<Phase>,
    since_ms: Cell<u64>,
    exchanges: Cell<u32>,
    idle_class: Cell<IdleClass>,
    /// Waiting for the socket to take bytes.
    write: Pacer,
    leftover: RefCell<Option<Leftover>>,
    left_unread: Cell<bool>,
    saying_goodbye: Cell<bool>,
    hasty_resets: Cell<u32>,
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
    /// The balancer in front has to say whose connection it is.
    ProxyHeader,
    /// Nothing has come yet; TLS comes next.
    FirstTlsByte,
    /// The TLS handshake is under way.
    Handshake,
    /// Nothing of a request has come yet.
    FirstByte,
    /// A request has begun.
    Header,
    /// A request is being answered.
    Exchange,
    /// Between requests.
    Idle,
    /// No HTTP any more: bytes both ways.
    Tunnel,
}

/// The unread rest of a request that has been answered.
#[derive(Debug)]
struct Leftover {
    incoming: Incoming,
    allowance: u64,
    since_ms: u64,
}

/// Requests that a client may take back, unanswered, before those it waited for make up for them: a browser that leaves
/// a page takes back a few dozen, an attack that makes work without reading answers thousands (CVE-2023-44487).
const MOST_HASTY_RESETS: u32 = 100;

/// How long an idle HTTP/2 client has to confirm that it knows of the end, so that no request of it is lost.
const GOODBYE_MS: u64 = 1_000;

impl ClientConnection {
    pub(super) fn new(remote: SocketAddr, watch: &Rc<Watch>) -> Rc<Self> {
        Rc::new(Self {
            remote: Cell::new(remote),
            protocol: Cell::new(Protocol::Http1),
            forwarded: ForwardedFieldsCache::default(),
            watch: Rc::clone(watch),
            slot: Cell::new(0),
            streams: RefCell::default(),
            phase: Cell::new(Phase::FirstByte),
            since_ms: Cell::new(watch.now_ms()),
            exchanges: Cell::new(0),
            idle_class: Cell::default(),
            write: Pacer::default(),
            leftover: RefCell::default(),
            left_unread: Cell::new(false),
            saying_goodbye: Cell::new(false),
            hasty_resets: Cell::new(0),
            overdue: Cell::new(None),
            waker: RefCell::default(),
        })
    }

    /// The client: the TCP peer, or whom a trusted balancer named by the PROXY protocol.
    pub(super) fn remote(&self) -> SocketAddr {
        self.remote.get()
    }

    /// The forwarding fields of this connection's client, kept from request to request.
    pub(super) fn forwarded_fields(&self) -> &ForwardedFieldsCache {
        &self.forwarded
    }

    /// Admitted visitors may keep their connection longer.
    pub(super) fn set_idle_class(&self, class: IdleClass) {
        self.idle_class.set(class);
    }

    /// What is spoken on it.
    pub(super) fn protocol(&self) -> Protocol {
        self.protocol.get()
    }

    fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since_ms.set(self.watch.now_ms());
    }

    // How a connection becomes one of HTTP.

    pub(super) fn expects_proxy_header(&self) {
        self.enter(Phase::ProxyHeader);
    }

    pub(super) fn is_of(&self, client: SocketAddr) {
        self.remote.set(client);
    }

    pub(super) fn expects_handshake(&self) {
        self.enter(Phase::FirstTlsByte);
    }

    pub(super) fn expects_requests(&self, protocol: Protocol) {
        self.watch.metrics.changes_protocol(self.protocol.replace(protocol), protocol);
        self.watch.metrics.opened(protocol);
        self.enter(Phase::FirstByte);
    }

    pub(super) fn becomes_tunnel(&self) {
        self.enter(Phase::Tunnel);
    }

    // What the socket reports.

    pub(super) fn got_bytes(&self) {
        match self.phase.get() {
            Phase::FirstTlsByte => self.enter(Phase::Handshake),
            Phase::FirstByte => self.enter(Phase::Header),
            // Frames between HTTP/2 requests (pings, settings) are no request: the idle limit goes on.
            Phase::Idle if self.protocol() == Protocol::Http1 => self.enter(Phase::Header),
            Phase::Tunnel => self.since_ms.set(self.watch.now_ms()),
            _ => {}
        }
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.write.moved(bytes as u64, self.watch.now_ms());
        if self.phase.get() == Phase::Tunnel {
            self.since_ms.set(self.watch.now_ms());
        }
    }

    pub(super) fn waits_to_write(&self) {
        self.write.waits(self.watch.now_ms());
    }

    // What streams report.

    pub(super) fn exchange_began(&self) {
        if self.exchanges.replace(self.exchanges.get() + 1) == 0 {
            self.enter(Phase::Exchange);
            self.write.restart();
        }
    }

    pub(super) fn exchange_ended(&self) {
        self.exchanges.set(self.exchanges.get().saturating_sub(1));
        if self.exchanges.get() == 0 && self.phase.get() == Phase::Exchange {
            self.enter(Phase::Idle);
        }
    }

    /// A request was answered, or taken back before it was.
    pub(super) fn counts_reset(&self, hasty: bool) {
        let resets = self.hasty_resets.get();
        self.hasty_resets.set(if hasty { resets + 1 } else { resets.saturating_sub(1) });
        if resets >= MOST_HASTY_RESETS {
            self.cut(Rejection::Flood);
        }
    }

    pub(super) fn leaves_unread(&self) {
        self.left_unread.set(true);
    }

    /// The rest of a body that nobody reads: to be drained, or the connection to be closed.
    pub(super) fn leave_behind(&self, incoming: Incoming) {
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
            Phase::ProxyHeader if waited >= millis(limits.proxy_header) => self.cut(Rejection::ProxyHeader),
            Phase::FirstTlsByte | Phase::FirstByte if waited >= millis(limits.first_byte) => {
                self.cut(Rejection::FirstByte);
            }
            Phase::Handshake if waited >= millis(limits.handshake) => self.cut(Rejection::Handshake),
            Phase::Header if waited >= millis(limits.header) => self.cut(Rejection::Header),
            Phase::Idle if self.leftover.borrow().is_none() && waited >= millis(self.idle_limit()) => self.end_idle(),
            Phase::Idle if self.saying_goodbye.get() && waited >= GOODBYE_MS => self.end_idle(),
            Phase::Tunnel if waited >= millis(limits.tunnel_idle) => self.cut(Rejection::Idle),
            _ => {}
        }
        for stream in &*self.streams.borrow() {
            stream.check(now);
        }
        if self.watch.draining_ms().is_some() {
            self.wake();
        }
    }

    /// HTTP/2 clients are told first, and may finish what crosses that word.
    fn end_idle(&self) {
        if self.protocol() == Protocol::Http1 {
            return self.cut(Rejection::Idle);
        }
        if self.saying_goodbye.replace(true) {
            self.overdue.set(Some(Rejection::Idle));
        } else {
            self.watch.metrics.rejected(Rejection::Idle);
            self.since_ms.set(self.watch.now_ms());
        }
        self.wake();
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

    /// Whether an HTTP/2 client should be told that this connection ends.
    pub(super) fn should_say_goodbye(&self) -> bool {
        self.saying_goodbye.get() || self.should_close()
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
