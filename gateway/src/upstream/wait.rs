//! Requests of one core that wait for one of its connections: admitted visitors first, then first come first served.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::connection::Connection;

/// Who goes first where not all can: admitted visitors have waited for their turn already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Rank {
    /// A member of the cohort.
    Admitted,
    /// Anybody, on an open path.
    Open,
}

impl Rank {
    pub(crate) const ALL: [Self; 2] = [Self::Admitted, Self::Open];

    /// The value of the metric label `rank`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Open => "open",
        }
    }
}

type Line = VecDeque<oneshot::Sender<Box<Connection>>>;

/// The lines of one core, one for each rank. How many wait is bounded by the upstream's `max_pending`.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    lines: RefCell<[Line; Rank::ALL.len()]>,
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
    pub(super) fn join(&self, rank: Rank) -> Waiting<'_> {
        let (sender, handed) = oneshot::channel();
        let line = &mut self.lines.borrow_mut()[rank as usize];
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
        for line in self.lines.borrow_mut().iter_mut() {
            while let Some(waiter) = line.pop_front() {
                match waiter.send(connection) {
                    Ok(()) => return None,
                    Err(returned) => connection = returned,
                }
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
