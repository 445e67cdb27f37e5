//! What happens while the store is away: who was given a provisional token, who was let in by `fail_mode = "open"`, whose
//! visit ended.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use queue_core::store::Session;

/// Sessions of one absence that are remembered to be told to the store. Further ones make themselves known when they renew, or
/// hold their slot to the end that was told.
const MOST_SESSIONS: usize = 65_536;

/// One absence of the store.
#[derive(Default)]
pub(super) struct Absence {
    provisional: AtomicU32,
    let_in: Mutex<Vec<Session>>,
    ended: Mutex<Vec<Session>>,
}

/// What the store has to hear when it is back.
#[derive(Default)]
pub(super) struct Meanwhile {
    /// How many came.
    pub(super) arrived: u32,
    /// Who was let in.
    pub(super) let_in: Vec<Session>,
    /// Whose visit ended.
    pub(super) ended: Vec<Session>,
}

impl Absence {
    /// Counts one more arrival, unless there are `most` already.
    pub(super) fn arrive(&self, most: u32) -> bool {
        let count = |count: u32| (count < most).then_some(count + 1);
        self.provisional.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).is_ok()
    }

    /// Somebody was let in without the store.
    pub(super) fn let_in(&self, session: Session) {
        remember(&self.let_in, session);
    }

    /// A visit ended, and the store could not be told.
    pub(super) fn ended(&self, session: Session) {
        remember(&self.ended, session);
    }

    /// The store could not be told after all.
    pub(super) fn go_on(&self, meanwhile: Meanwhile) {
        let Meanwhile { arrived, let_in, ended } = meanwhile;
        self.provisional.fetch_add(arrived, Ordering::Relaxed);
        lock(&self.let_in).extend(let_in);
        lock(&self.ended).extend(ended);
    }

    /// The store is back: what happened meanwhile.
    pub(super) fn end(&self) -> Meanwhile {
        Meanwhile {
            arrived: self.provisional.swap(0, Ordering::Relaxed),
            let_in: std::mem::take(&mut *lock(&self.let_in)),
            ended: std::mem::take(&mut *lock(&self.ended)),
        }
    }
}

fn remember(sessions: &Mutex<Vec<Session>>, session: Session) {
    let mut sessions = lock(sessions);
    if sessions.len() < MOST_SESSIONS {
        sessions.push(session);
    }
}

fn lock(sessions: &Mutex<Vec<Session>>) -> MutexGuard<'_, Vec<Session>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}
