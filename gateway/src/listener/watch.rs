//! What one core knows of its connections: a coarse clock, who is open, and the sweep that finds who is overdue.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use tokio::sync::Notify;

use super::client::ClientConnection;
use super::limits::ListenerLimits;
use super::pace::millis;
use crate::clock::{self, Instant};
use crate::metrics::ListenerMetrics;

/// One core's connections.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) limits: ListenerLimits,
    pub(super) metrics: Arc<ListenerMetrics>,
    started: Instant,
    /// Milliseconds since `started` as of the last sweep: time limits need no better, and reading it costs nothing.
    now_ms: Cell<u64>,
    connections: RefCell<Vec<Rc<ClientConnection>>>,
    draining_since: Cell<Option<u64>>,
    emptied: Notify,
    date: RefCell<(u64, HeaderValue)>,
}

/// A connection's entry; dropping it takes the connection out.
#[derive(Debug)]
pub(super) struct Registration(Rc<ClientConnection>);

impl Watch {
    pub(super) fn new(limits: ListenerLimits, metrics: Arc<ListenerMetrics>) -> Rc<Self> {
        Rc::new(Self {
            limits,
            metrics,
            started: clock::monotonic(),
            now_ms: Cell::new(0),
            connections: RefCell::default(),
            draining_since: Cell::new(None),
            emptied: Notify::new(),
            date: RefCell::new((u64::MAX, HeaderValue::from_static(""))),
        })
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// `Date`, written anew once a second.
    pub(super) fn date(&self) -> HeaderValue {
        let now_s = self.now_ms() / 1_000;
        let mut date = self.date.borrow_mut();
        if date.0 != now_s {
            let seconds = i64::try_from(clock::now().as_secs()).unwrap_or_default();
            let instant = jiff::Timestamp::from_second(seconds).unwrap_or_default();
            let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&instant);
            if let Some(text) = text.ok().and_then(|text| HeaderValue::try_from(text).ok()) {
                *date = (now_s, text);
            }
        }
        date.1.clone()
    }

    /// For how long the core has been draining, in milliseconds.
    pub(super) fn draining_ms(&self) -> Option<u64> {
        self.draining_since.get().map(|since| self.now_ms().saturating_sub(since))
    }

    pub(super) fn register(&self, client: &Rc<ClientConnection>) -> Registration {
        let mut connections = self.connections.borrow_mut();
        client.slot.set(connections.len());
        connections.push(Rc::clone(client));
        self.metrics.open(client.protocol(), 1);
        Registration(Rc::clone(client))
    }

    pub(super) fn open(&self) -> usize {
        self.connections.borrow().len()
    }

    /// Moves the clock and cuts what is overdue. Costs a few nanoseconds per open connection.
    pub(super) fn sweep(&self) {
        self.tick();
        for client in &*self.connections.borrow() {
            client.check();
        }
    }

    pub(super) fn tick(&self) {
        self.now_ms.set(millis(clock::monotonic().duration_since(self.started)));
    }

    /// Every connection ends after what it is doing.
    pub(super) fn drain(&self) {
        self.tick();
        self.draining_since.set(Some(self.now_ms()));
        for client in &*self.connections.borrow() {
            client.wake();
        }
    }

    /// Every connection ends now; returns how many there were.
    pub(super) fn cut_all(&self) -> usize {
        let connections = self.connections.borrow();
        for client in &*connections {
            client.cut(crate::metrics::Rejection::Drain);
        }
        connections.len()
    }

    /// Waits until no connection is open.
    pub(super) async fn emptied(&self) {
        while self.open() > 0 {
            self.emptied.notified().await;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let watch = &self.0.watch;
        watch.metrics.open(self.0.protocol(), -1);
        let mut connections = watch.connections.borrow_mut();
        let slot = self.0.slot.get();
        connections.swap_remove(slot);
        if let Some(moved) = connections.get(slot) {
            moved.slot.set(slot);
        }
        if connections.is_empty() {
            watch.emptied.notify_waiters();
        }
    }
}
