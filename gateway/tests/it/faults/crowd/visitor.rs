//! One visitor: what it carries, and how it asks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway::clock;
use queue_core::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{Manner, Shared};
use crate::faults::record::{Given, Record, Stay};
use crate::journey::ask::{Answer, Ask};
use crate::journey::setup::room;

/// The first pause after a request that got no answer; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(30);
const LONGEST_PAUSE: Duration = Duration::from_millis(1_000);

pub(super) struct Visitor {
    pub(super) shared: Arc<Shared>,
    pub(super) manner: Manner,
    pub(super) rng: StdRng,
    pub(super) token: Option<String>,
    /// The newest ticket and its `exp`.
    pub(super) ticket: Option<(String, Timestamp)>,
    pub(super) shown: Option<u64>,
    pause: Duration,
    record: Arc<Mutex<Record>>,
}

/// An answer and when it was asked for and there.
pub(super) struct Heard {
    pub(super) sent: Timestamp,
    pub(super) answered: Timestamp,
    pub(super) answer: Option<Answer>,
}

impl Visitor {
    pub(super) fn new(shared: Arc<Shared>, index: u64, manner: Manner, record: Arc<Mutex<Record>>) -> Self {
        let rng = StdRng::seed_from_u64(shared.seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { shared, manner, rng, token: None, ticket: None, shown: None, pause: FIRST_PAUSE, record }
    }

    /// From the arrival to the end of the visit.
    pub(super) async fn live(mut self) {
        let shared = Arc::clone(&self.shared);
        let joined = {
            let _joining = Counted::one(&shared, |shared| &shared.joining);
            self.join().await
        };
        let admitted = {
            let _waiting = Counted::one(&shared, |shared| &shared.waiting);
            match joined {
                Some(told) => self.wait_in_line(told).await,
                None => false,
            }
        };
        if admitted {
            let _inside = Counted::one(&shared, |shared| &shared.inside);
            self.stay().await;
        }
    }

    /// Asks a gateway that is alive, any of them.
    pub(super) async fn send(&mut self, ask: Ask) -> Heard {
        let pool = {
            let gateways = self.shared.gateways.lock().unwrap();
            let chosen = self.rng.random_range(0..gateways.len().max(1));
            gateways.get(chosen).map(Arc::clone)
        };
        let sent = clock::now();
        let answer = match pool {
            Some(pool) => pool.send(ask).await.ok(),
            None => None,
        };
        let heard = Heard { sent, answered: clock::now(), answer };
        if heard.answer.is_some() {
            self.pause = FIRST_PAUSE;
        } else {
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        heard
    }

    /// Waits a little longer than `told`, so that nobody who was told the same comes at the same moment.
    pub(super) async fn sleep(&mut self, told: Duration) {
        let jitter = told.mul_f64(self.rng.random_range(0.0..0.05));
        tokio::time::sleep(told + jitter).await;
    }

    pub(super) fn note(&self, write: impl FnOnce(&mut Record)) {
        write(&mut self.record.lock().unwrap());
    }

    pub(super) fn strange(&self, what: String) {
        self.note(|record| {
            if record.strange.len() < 5 {
                record.strange.push(what);
            }
        });
    }

    /// Keeps a token, with the place that it signs; `true` when it has one.
    pub(super) fn take_token(&mut self, token: String) -> bool {
        if super::document::is_provisional(&token) {
            self.token = Some(token);
            return false;
        }
        match self.shared.ring.verify_queue_token(&token, &room(), clock::now()) {
            Ok(said) => {
                let given = Given { place: said.place, visitor: said.visitor };
                self.note(|record| {
                    if !record.places.contains(&given) {
                        record.places.push(given);
                    }
                });
            }
            Err(error) => self.strange(format!("a queue token that does not verify: {error}")),
        }
        self.token = Some(token);
        true
    }

    /// Keeps a ticket, with the session that it signs.
    pub(super) fn take_ticket(&mut self, ticket: &str, heard: &Heard) {
        match self.shared.ring.verify_admission(ticket, &room(), clock::now()) {
            Ok(said) => {
                self.note(|record| match record.stays.iter_mut().find(|stay| stay.session == said.session) {
                    Some(stay) => stay.ends = stay.ends.max(said.expires_at),
                    None => record.stays.push(Stay {
                        session: said.session,
                        asked: heard.sent,
                        answered: heard.answered,
                        ends: said.expires_at,
                        may_have_ended: None,
                    }),
                });
                self.ticket = Some((ticket.to_owned(), said.expires_at));
            }
            Err(error) => self.strange(format!("a ticket that does not verify: {error}")),
        }
    }
}

/// Counts one for as long as it lives.
struct Counted(Arc<Shared>, fn(&Shared) -> &AtomicU32);

impl Counted {
    fn one(shared: &Arc<Shared>, which: fn(&Shared) -> &AtomicU32) -> Self {
        which(shared).fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared), which)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}
