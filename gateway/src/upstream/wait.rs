//! Requests of one core that wait for one of its connections, first come first served.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::connection::Connection;

/// The line of one core. How many wait is bounded by the upstream's `max_pending`.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    line: RefCell<VecDeque<oneshot::Sender<Box<Connection>>>>,
    live: Cell<usize>,
}

/// One request's place in the line; dropping it leaves the line.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    waiters: &'a Waiters,
    handed: oneshot::Receiver<Box<Connection>>,
}

/// Those who gave up are cleared from the line once there are this many of them and as many as still wait.
const CLEAR_AT: usize = 32;

impl Waiters {
    /// Joins the line.
    pub(super) fn join(&self) -> Waiting<'_> {
        let (sender, handed) = oneshot::channel();
        let mut line = self.line.borrow_mut();
        if line.len() >= CLEAR_AT + 2 * self.live.get() {
            line.retain(|waiter| !waiter.is_closed());
        }
        line.push_back(sender);
        self.live.set(self.live.get() + 1);
        Waiting { waiters: self, handed }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.live.get()
    }

    /// Hands a connection to the first who still waits, or gives it back.
    pub(super) fn hand_over(&self, mut connection: Box<Connection>) -> Option<Box<Connection>> {
        let mut line = self.line.borrow_mut();
        while let Some(waiter) = line.pop_front() {
            match waiter.send(connection) {
                Ok(()) => return None,
                Err(returned) => connection = returned,
            }
        }
        Some(connection)
    }
}

impl Waiting<'_> {
    /// The connection handed over; `None` once the line itself is gone.
    pub(super) async fn connection(&mut self) -> Option<Box<Connection>> {
        (&mut self.handed).await.ok()
    }

    /// A connection that was handed over already.
    pub(super) fn try_connection(&mut self) -> Option<Box<Connection>> {
        self.handed.try_recv().ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waiters.live.set(self.waiters.live.get() - 1);
    }
}
