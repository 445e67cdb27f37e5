//! A caller as a gateway is one: remembers what it has seen and when, and says so with every call.

use std::time::Duration;

use queue_core::store::{Caller, Moment, Stamped, StoreError};
use queue_core::{HighWater, Timestamp};

/// How long every test caller waits for an answer.
pub(crate) const DEADLINE: Duration = Duration::from_millis(500);

/// What one caller remembers of the room.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) seen: HighWater,
    /// The store's moment of the last answer, and true time when it arrived.
    answered: Option<(Moment, Timestamp)>,
}

impl Memory {
    /// What travels with a call that is sent at true time `now`.
    pub(crate) fn caller(&self, now: Timestamp) -> Caller {
        match self.answered {
            Some((at, arrived)) => Caller::after(self.seen, at, now.since(arrived), DEADLINE),
            None => Caller::newcomer(),
        }
    }

    /// Takes up an answer that arrived at true time `now`.
    pub(crate) fn note<T>(&mut self, now: Timestamp, answer: &Result<Stamped<T>, StoreError>) {
        let moment = match answer {
            Ok(stamped) => {
                let moment = Moment { time: stamped.time, host: stamped.host };
                if stamped.mark.life > self.seen.life {
                    // Another server's clock may be behind the one before.
                    self.answered = Some((moment, now));
                }
                self.seen.raise(&stamped.mark);
                moment
            }
            Err(StoreError::Late(moment)) => *moment,
            Err(_) => return,
        };
        // Answers may overtake each other; the one that tells of the latest moment is the tightest bound.
        let answered = (moment, now);
        self.answered =
            Some(self.answered.map_or(answered, |old| if old.0.time > moment.time { old } else { answered }));
    }
}
