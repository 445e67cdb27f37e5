//! One who joins and then polls as told until the run ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::options::Options;
use super::report::{OperationCost, Report};
use crate::clock::{Clock, Moment};
use crate::document::{Position, State, Word};
use crate::http::{Answer, Ask, Pool};
use crate::latency::Spread;

/// How often to ask a room that does not say, and how soon to try a failed join again.
const WHEN_NOT_TOLD: Duration = Duration::from_secs(2);
const USHER_TOKEN: HeaderName = HeaderName::from_static("usher-token");

/// What all waiters of one run share.
pub(super) struct Hall {
    pub(super) clock: Clock,
    pub(super) options: Options,
    /// Answered joins.
    pub(super) joined: Cell<u32>,
    /// Whether polls count.
    pub(super) measuring: Cell<bool>,
    /// Times of the polls that counted.
    pub(super) times: RefCell<Spread>,
    pools: Vec<Pool>,
    inside: Cell<u32>,
    limited: Cell<u64>,
    failed: Cell<u64>,
    unexplained: Cell<u64>,
}

impl Hall {
    pub(super) fn new(clock: Clock, options: Options, pools: Vec<Pool>) -> Self {
        let (joined, measuring, times, inside, limited, failed, unexplained) = Default::default();
        Self { clock, options, joined, measuring, times, pools, inside, limited, failed, unexplained }
    }

    /// How many joined and are not inside.
    pub(super) fn waiting(&self) -> u32 {
        self.joined.get().saturating_sub(self.inside.get())
    }

    pub(super) fn report(&self, operations: Vec<OperationCost>, polled: Duration) -> Report {
        let times = self.times.borrow().percentiles();
        Report {
            visitors: self.options.visitors,
            waiting: self.waiting(),
            seconds: polled.as_secs_f64(),
            polls: times.count,
            polls_per_second: times.count as f64 / polled.as_secs_f64(),
            failed_polls: self.failed.get(),
            rate_limited_polls: self.limited.get(),
            unexplained_moves: self.unexplained.get(),
            times,
            operations,
            verdicts: Vec::new(),
        }
    }

    /// Counts only while measuring.
    fn count(&self, cell: &Cell<u64>) {
        if self.measuring.get() {
            cell.set(cell.get() + 1);
        }
    }
}

/// Joins and polls until it is told that it is over, or aborted.
pub(super) async fn wait(hall: Rc<Hall>, index: u32) {
    let mut rng = StdRng::seed_from_u64(hall.options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(index));
    hall.clock.sleep_until(Moment::START + hall.options.arrive.mul_f64(rng.random())).await;
    let (mut position, mut answered) = join(&hall, &mut rng).await;
    hall.joined.set(hall.joined.get() + 1);
    let token = position.token.as_deref().and_then(|token| HeaderValue::from_str(token).ok());
    while !matches!(position.state, State::Admitted | State::Ended | State::Closed | State::Full) {
        let told = position.poll_after(WHEN_NOT_TOLD);
        let due = answered + told.mul_f64(rng.random_range(1.0..1.05));
        hall.clock.sleep_until(due).await;
        let seen = position.position.map_or_else(String::new, |seen| format!("?seen={seen}"));
        let mut ask = Ask::get(format!("/_usher/{}/position{seen}", hall.options.room));
        if let Some(token) = &token {
            ask = ask.with(USHER_TOKEN, token.clone());
        }
        let answer = send(&hall, &mut rng, &ask).await;
        answered = hall.clock.now();
        match answer.as_ref().map(|answer| (Word::of(answer), answer)) {
            Some((Word::Position(next), answer)) => {
                if hall.measuring.get() {
                    hall.times.borrow_mut().record(answer.answered.since(due));
                }
                if next.position > position.position && position.position.is_some() && next.moved.is_none() {
                    hall.count(&hall.unexplained);
                }
                position = *next;
            }
            Some((Word::RateLimited(_), _)) => hall.count(&hall.limited),
            _ => hall.count(&hall.failed),
        }
    }
    hall.inside.set(hall.inside.get() + 1);
}

async fn join(hall: &Hall, rng: &mut StdRng) -> (Position, Moment) {
    let ask = Ask::post(format!("/_usher/{}/join", hall.options.room));
    loop {
        let answer = send(hall, rng, &ask).await;
        let wait = match answer.as_ref().map(|answer| (Word::of(answer), answer)) {
            Some((Word::Position(position), answer)) => return (*position, answer.answered),
            Some((Word::RateLimited(wait), _)) => wait,
            _ => WHEN_NOT_TOLD,
        };
        // The run's deadline ends this.
        hall.clock.sleep_until(hall.clock.now() + wait).await;
    }
}

async fn send(hall: &Hall, rng: &mut StdRng, ask: &Ask) -> Option<Answer> {
    hall.pools[rng.random_range(0..hall.pools.len())].send(&hall.clock, ask).await.ok()
}
