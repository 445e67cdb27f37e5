//! One visitor: what they carry, and how they ask.

use std::rc::Rc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::operation::Operation;
use super::record::Outcome;
use super::stage::{Stage, add};
use super::temper::Temper;
use super::{line, shop};
use crate::clock::Moment;
use crate::document::{State, Word};
use crate::http::{Answer, Ask};
use crate::token::Said;

const USHER_TOKEN: HeaderName = HeaderName::from_static("usher-token");
const USHER_TICKET: HeaderName = HeaderName::from_static("usher-ticket");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request that fails is tried this often before the visitor gives up: with the back-off below about 25 s, longer
/// than a gateway takes to find its store again.
const MAX_TRIES: u32 = 8;
/// The first wait after a failure; doubles up to the longest.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(6);

/// An answer together with what it means.
pub(super) struct Heard {
    /// The answer.
    pub(super) answer: Answer,
    /// Its meaning, where the waiting room speaks; [`Word::Other`] where the booking API does.
    pub(super) word: Word,
}

/// One visitor.
pub(super) struct Visitor {
    /// Everything shared.
    pub(super) stage: Rc<Stage>,
    /// Which one, from 0.
    pub(super) index: u32,
    /// This visitor's own luck.
    pub(super) rng: StdRng,
    /// What this visitor is like.
    pub(super) temper: Temper,
    /// What says who the customer is, once signed in.
    pub(super) customer: Option<(HeaderName, HeaderValue)>,
    token: Option<HeaderValue>,
    ticket: Option<HeaderValue>,
    address: Option<HeaderValue>,
}

impl Visitor {
    /// A visitor whose luck depends on the run's seed and the index alone.
    pub(super) fn new(stage: Rc<Stage>, index: u32) -> Self {
        let mut rng = StdRng::seed_from_u64(stage.options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(index));
        let temper = Temper::draw(&mut rng, stage.options.leave, stage.options.vanish);
        let [_, a, b, c] = index.to_be_bytes();
        let address = HeaderValue::from_str(&format!("10.{a}.{b}.{c}")).ok().filter(|_| stage.options.spread_addresses);
        Self { stage, index, rng, temper, customer: None, token: None, ticket: None, address }
    }

    /// The whole visit, from the arrival on; what happened stands in the records.
    pub(super) async fn live(mut self, arrival: Moment) {
        let stage = Rc::clone(&self.stage);
        let index = self.index;
        stage.clock.sleep_until(arrival).await;
        let outcome = tokio::select! {
            outcome = self.visit(arrival) => outcome,
            () = stage.clock.sleep_until(stage.deadline()) => {
                let state = stage.note(index, |record| record.last_state);
                Outcome::Unanswered(format!("the run's deadline passed; last told {state:?}"))
            }
        };
        stage.note(index, |record| record.outcome = Some(outcome));
        add(&stage.count.ended, 1);
    }

    async fn visit(&mut self, arrival: Moment) -> Outcome {
        match line::wait_in_line(self, arrival).await {
            Ok(()) => shop::buy(self).await,
            Err(outcome) => outcome,
        }
    }

    /// Sends until there is an answer that is neither a failure nor "too many requests"; the same request each time, so
    /// an `Idempotency-Key` keeps its effect single.
    ///
    /// # Errors
    /// [`Outcome::Unanswered`] after [`MAX_TRIES`] failures.
    pub(super) async fn insist(&mut self, operation: Operation, intended: Moment, ask: Ask) -> Result<Heard, Outcome> {
        let (mut intended, mut backoff) = (intended, FIRST_BACKOFF);
        let mut failures = 0;
        loop {
            let ask = self.signed(ask.clone());
            let gateway = self.rng.random_range(0..self.stage.gateways());
            let failed = match self.stage.send(gateway, &ask).await {
                Ok(answer) => match self.hear(operation, intended, answer) {
                    Ok(heard) => return Ok(heard),
                    Err(Refused::RateLimited(wait)) => {
                        intended = self.stage.clock.now() + wait + self.jitter(wait);
                        self.stage.clock.sleep_until(intended).await;
                        continue;
                    }
                    Err(Refused::Failed(status)) => status.to_string(),
                },
                Err(failure) => {
                    add(&self.stage.tally.broken, 1);
                    failure.to_string()
                }
            };
            failures += 1;
            if failures == MAX_TRIES {
                return Err(Outcome::Unanswered(format!("{}: {failed}, {failures} times", operation.word())));
            }
            intended = self.stage.clock.now() + backoff + self.jitter(backoff);
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
            self.stage.clock.sleep_until(intended).await;
        }
    }

    fn hear(&mut self, operation: Operation, intended: Moment, answer: Answer) -> Result<Heard, Refused> {
        let speaks = operation.is_of_the_line() || answer.status.is_server_error() || answer.status == 429;
        let word = if speaks { Word::of(&answer) } else { Word::Other(answer.status) };
        let brought_ticket = matches!(&word, Word::Position(position) if position.state == State::Admitted);
        let operation = if operation == Operation::Poll && brought_ticket { Operation::Claim } else { operation };
        self.stage.took(operation, answer.answered.since(intended));
        if answer.status.is_server_error() {
            add(&self.stage.tally.server_errors, 1);
        }
        match word {
            Word::RateLimited(wait) => {
                add(&self.stage.tally.rate_limited, 1);
                Err(Refused::RateLimited(wait))
            }
            Word::Failed(status) => Err(Refused::Failed(status)),
            word => {
                if let Some(renewed) = answer.headers.get(&USHER_TICKET) {
                    self.take_ticket(renewed.clone());
                }
                Ok(Heard { answer, word })
            }
        }
    }

    fn signed(&self, mut ask: Ask) -> Ask {
        let carried = [(USHER_TOKEN, &self.token), (USHER_TICKET, &self.ticket), (X_FORWARDED_FOR, &self.address)];
        for (name, value) in carried {
            if let Some(value) = value {
                ask = ask.with(name, value.clone());
            }
        }
        if let Some((name, value)) = &self.customer {
            ask = ask.with(name.clone(), value.clone());
        }
        ask
    }

    /// Keeps the queue token.
    pub(super) fn take_token(&mut self, token: &str) {
        self.token = HeaderValue::from_str(token).ok();
    }

    /// Keeps a ticket, and notes how long its session surely lives unless it may have ended already.
    pub(super) fn take_ticket(&mut self, ticket: HeaderValue) {
        let ends = ticket.to_str().ok().and_then(|text| Said::by(text).ends);
        if let Some(ends) = ends.map(|ends| self.stage.clock.moment(ends)) {
            self.stage.note(self.index, |record| {
                if let Some(admitted) = record.admitted.as_mut().filter(|admitted| !admitted.may_have_ended) {
                    admitted.surely_until = ends;
                }
            });
        }
        self.ticket = Some(ticket);
    }

    /// From now on the session may be over: what is sent next can end it.
    pub(super) fn session_may_end(&self) {
        let now = self.stage.clock.now();
        self.stage.note(self.index, |record| {
            if let Some(admitted) = &mut record.admitted {
                admitted.surely_until = admitted.surely_until.min(now);
                admitted.may_have_ended = true;
            }
        });
    }

    /// The session was found to be over; since when nobody knows, so that only its beginning is sure.
    pub(super) fn session_has_ended(&self) {
        self.stage.note(self.index, |record| {
            if let Some(admitted) = &mut record.admitted {
                admitted.surely_until = admitted.answered;
                admitted.may_have_ended = true;
            }
        });
    }

    /// A little later than told, so that nobody who was told the same comes at the same moment: up to a twentieth.
    pub(super) fn jitter(&mut self, told: Duration) -> Duration {
        told.mul_f64(self.rng.random_range(0.0..0.05))
    }

    /// Thinks: half to one and a half times the average.
    pub(super) async fn think(&mut self) -> Moment {
        let pause = self.stage.options.think.mul_f64(self.rng.random_range(0.5..1.5));
        let until = self.stage.clock.now() + pause;
        self.stage.clock.sleep_until(until).await;
        until
    }
}

enum Refused {
    RateLimited(Duration),
    Failed(http::StatusCode),
}
