//! What happens while the store is away: who was given a provisional token, who was let in by `fail_mode = "open"`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use queue_core::store::Session;

/// Sessions of one absence that are remembered to be told to the store; further ones make themselves known when they renew.
const MOST_SESSIONS: usize = 65_536;

/// One absence of the store.
#[derive(Default)]
pub(super) struct Absence {
    provisional: AtomicU32,
    let_in: Mutex<Vec<Session>>,
}

impl Absence {
    /// Counts one more arrival, unless there are `most` already.
    pub(super) fn arrive(&self, most: u32) -> bool {
        let count = |count: u32| (count < most).then_some(count + 1);
        self.provisional.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }

    /// Somebody was let in without the store.
    pub(super) fn let_in(&self, session: Session) {
        let mut sessions = self.let_in.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() < MOST_SESSIONS {
            sessions.push(session);
        }
    }

    /// The store could not be told after all.
    pub(super) fn go_on(&self, provisional: u32, sessions: Vec<Session>) {
        self.provisional.fetch_add(provisional, Ordering::Relaxed);
        self.let_in.lock().unwrap_or_else(PoisonError::into_inner).extend(sessions);
    }

    /// The store is back: how many came meanwhile, and who was let in.
    pub(super) fn end(&self) -> (u32, Vec<Session>) {
        let sessions = std::mem::take(&mut *self.let_in.lock().unwrap_or_else(PoisonError::into_inner));
        (self.provisional.swap(0, Ordering::Relaxed), sessions)
    }
}
