//! How long an open answer or tunnel may last: as long as the session it was let through on.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use queue_core::Timestamp;
use queue_core::store::{Renewed, Session};

use crate::clock;
use crate::listener::Stay;
use crate::room::Room;

/// A session that something open depends on. Being open is no activity and renews nothing.
#[derive(Clone)]
pub struct SessionStay(Rc<State>);

struct State {
    room: Arc<Room>,
    session: Session,
    /// The end as far as is known here: activity elsewhere may have moved it on.
    ends: Cell<Timestamp>,
    question: Cell<Question>,
}

/// Whether the store was asked if the session goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Open,
    Asked,
    /// It ends when it was said to.
    Final,
}

/// How long before the end the store is asked: some sweeps and a slow answer. Never after it, when asking could itself
/// look like activity.
const ASK_AHEAD: Duration = Duration::from_secs(1);

impl SessionStay {
    /// For as long as this session lives.
    pub fn of(room: &Arc<Room>, session: Session) -> Rc<Self> {
        let state = State {
            room: Arc::clone(room),
            session,
            ends: Cell::new(session.ends),
            question: Cell::new(Question::Open),
        };
        Rc::new(Self(Rc::new(state)))
    }
}

impl Stay for SessionStay {
    fn is_over(&self) -> bool {
        let state = &self.0;
        let snapshot = state.room.snapshot();
        let now = snapshot.time(clock::monotonic());
        if now + ASK_AHEAD >= state.ends.get() && state.question.get() == Question::Open {
            // The ticket that opened this is nearly over; other requests, here or at another gateway, may have prolonged
            // its session. The store knows, and is asked once per end.
            state.question.set(Question::Asked);
            tokio::task::spawn_local(ask(Rc::clone(state)));
        }
        snapshot.has_ended(state.session.id.visitor) || now >= state.ends.get()
    }
}

async fn ask(state: Rc<State>) {
    let question = match state.room.renew(state.session, Duration::ZERO).await {
        Ok(Renewed::Until(session)) if session.ends > state.ends.get() => {
            state.ends.set(session.ends);
            Question::Open
        }
        // Without the store, tickets are honoured to their end and no longer.
        _ => Question::Final,
    };
    state.question.set(question);
}
