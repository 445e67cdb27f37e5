//! One visitor and the next thing to do.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use queue_core::VisitorId;
use rand::RngExt as _;

use super::super::servers::ROOM;
use super::{Crowd, add_one};
use crate::clock::Moment;
use crate::document::{Position, State, Word};
use crate::http::{Answer, Ask};
use crate::rush::record::{Admitted, Growth, Joined, Record};
use crate::token::Said;

const USHER_TOKEN: HeaderName = HeaderName::from_static("usher-token");
const USHER_TICKET: HeaderName = HeaderName::from_static("usher-ticket");

/// How often to ask a room that does not say, and after no answer.
const WHEN_NOT_TOLD: Duration = Duration::from_secs(1);

/// The earliest that somebody polls, as a share of the told interval: nobody comes later than told, or it would not be
/// the room's fault that they are not restored in time.
const EARLIEST: f64 = 0.95;

/// What a visitor does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::wipe) enum Phase {
    /// Joins.
    #[default]
    Coming,
    /// Polls.
    Waiting,
    /// Leaves.
    Inside,
    /// Nothing.
    Gone,
    /// Polls with the token of a place that was used.
    Again,
    /// Nothing more; a second admission if it was one.
    Over,
}

/// One visitor.
#[derive(Clone, Debug, Default)]
pub(in crate::wipe) struct Visitor {
    pub(in crate::wipe) phase: Phase,
    pub(in crate::wipe) id: Option<VisitorId>,
    pub(in crate::wipe) record: Record,
    /// The interval between the last poll's answer and the next one.
    pub(in crate::wipe) interval: Duration,
    /// The first answered poll that was sent after the wipe.
    pub(in crate::wipe) polled: Option<Moment>,
    /// Since when every answer after the wipe has been in order: a position, and not the last one known.
    pub(in crate::wipe) in_order: Option<Moment>,
    /// Polls that were told "called".
    pub(in crate::wipe) called_polls: u32,
    /// A used place was let in again.
    pub(in crate::wipe) admitted_again: bool,
    token: Option<HeaderValue>,
    ticket: Option<HeaderValue>,
    shown: Option<u64>,
}

impl Crowd {
    /// Does what `index` is due to do: when the next thing is due, if there is one.
    pub(super) async fn serve(&self, gateway: usize, index: u32, due: Moment) -> Option<Moment> {
        let (phase, ask) = {
            let mut visitors = self.visitors.borrow_mut();
            let visitor = &mut visitors[index as usize];
            if visitor.phase == Phase::Inside
                && let Some(admitted) = &mut visitor.record.admitted
            {
                admitted.surely_until = admitted.surely_until.min(self.clock.now());
                admitted.may_have_ended = true;
            }
            (visitor.phase, visitor.ask())
        };
        let answer = self.send(gateway, &ask).await;
        let Some(answer) = answer else { return Some(self.clock.now() + WHEN_NOT_TOLD) };
        let mut visitors = self.visitors.borrow_mut();
        let visitor = &mut visitors[index as usize];
        let later = Some(answer.answered + WHEN_NOT_TOLD);
        match (phase, Word::of(&answer)) {
            (_, Word::RateLimited(wait)) => {
                add_one(&self.count.rate_limited);
                Some(answer.answered + wait)
            }
            (Phase::Inside, _) => {
                visitor.phase = Phase::Gone;
                None
            }
            (Phase::Again, word) => {
                visitor.admitted_again =
                    matches!(&word, Word::Position(position) if visitor.is_another_session(position));
                visitor.phase = Phase::Over;
                None
            }
            (Phase::Coming, Word::Position(position)) => {
                visitor.has_joined(&position, &answer);
                add_one(&self.count.joined);
                self.heard(visitor, &position, &answer)
            }
            (Phase::Waiting, Word::Position(position)) => {
                add_one(&self.count.polls);
                self.poll_times.borrow_mut().record(answer.answered.since(due));
                self.heard(visitor, &position, &answer)
            }
            (Phase::Waiting, Word::BadToken) => {
                visitor.record.token_refused = true;
                later
            }
            _ => later,
        }
    }

    /// Takes what a position document says: when to do the next thing.
    fn heard(&self, visitor: &mut Visitor, position: &Position, answer: &Answer) -> Option<Moment> {
        if position.degraded {
            add_one(&self.count.degraded);
        }
        if let Some(wiped) = self.wiped.get().filter(|wiped| answer.sent > *wiped) {
            visitor.polled = visitor.polled.or(Some(answer.answered));
            let last_known = position.degraded || position.position.is_none() && position.state == State::Waiting;
            visitor.in_order =
                if last_known && answer.sent > wiped { None } else { visitor.in_order.or(Some(answer.answered)) };
        }
        visitor.notice(position, answer);
        if position.state == State::Admitted {
            add_one(&self.count.admitted);
            visitor.phase = Phase::Inside;
            let stay = self.stay.mul_f64(self.rng.borrow_mut().random_range(0.5..1.5));
            return Some(answer.answered + stay);
        }
        visitor.phase = Phase::Waiting;
        let told = position.poll_after(WHEN_NOT_TOLD);
        visitor.interval = told.mul_f64(self.rng.borrow_mut().random_range(EARLIEST..1.0));
        Some(answer.answered + visitor.interval)
    }
}

impl Visitor {
    fn ask(&self) -> Ask {
        let credential = |ask: Ask, name: HeaderName, value: &Option<HeaderValue>| match value {
            Some(value) => ask.with(name, value.clone()),
            None => ask,
        };
        match self.phase {
            Phase::Coming => Ask::post(format!("/_usher/{ROOM}/join")),
            Phase::Inside => credential(Ask::post(format!("/_usher/{ROOM}/leave")), USHER_TICKET, &self.ticket),
            Phase::Waiting | Phase::Again | Phase::Gone | Phase::Over => {
                let seen = self.shown.map_or_else(String::new, |shown| format!("?seen={shown}"));
                credential(Ask::get(format!("/_usher/{ROOM}/position{seen}")), USHER_TOKEN, &self.token)
            }
        }
    }

    fn has_joined(&mut self, position: &Position, answer: &Answer) {
        let said = position.token.as_deref().map(Said::by).unwrap_or_default();
        self.id = said.visitor;
        self.record.joined = Some(Joined { sent: answer.sent, answered: answer.answered, place: said.place });
    }

    fn is_another_session(&self, position: &Position) -> bool {
        let session = position.ticket.as_deref().and_then(|ticket| Said::by(ticket).id);
        let first = self.record.admitted.as_ref().and_then(|admitted| admitted.session.as_ref());
        session.is_some() && session.as_ref() != first
    }

    /// Writes down what the room said.
    fn notice(&mut self, position: &Position, answer: &Answer) {
        if let Some(token) = position.token.as_deref() {
            self.token = HeaderValue::from_str(token).ok();
            // Whoever came while there was no store is given the place later.
            if let Some(joined) = self.record.joined.as_mut().filter(|joined| joined.place.is_none()) {
                joined.place = Said::by(token).place;
            }
        }
        match position.state {
            State::Waiting if !position.degraded => self.record.last_waiting = Some(answer.sent),
            State::Called => {
                self.called_polls += 1;
                self.record.called = self.record.called.or(Some(answer.answered));
            }
            State::Admitted => self.enter(position, answer),
            _ => {}
        }
        if let (Some(from), Some(to)) = (self.shown, position.position)
            && to > from
        {
            match position.moved {
                Some(_) => self.record.explained += 1,
                None => self.record.unexplained.push(Growth { from, to }),
            }
        }
        self.shown = position.position.or(self.shown);
        self.record.told_interval = position.poll_after(WHEN_NOT_TOLD);
    }

    fn enter(&mut self, position: &Position, answer: &Answer) {
        let said = position.ticket.as_deref().map(Said::by).unwrap_or_default();
        self.ticket = position.ticket.as_deref().and_then(|ticket| HeaderValue::from_str(ticket).ok());
        self.record.called = self.record.called.or(Some(answer.answered));
        self.record.admitted = Some(Admitted {
            asked: answer.sent,
            answered: answer.answered,
            session: said.id,
            started: said.session_started,
            // Far below the session's length: the visitor leaves before, which sets this.
            surely_until: answer.answered + Duration::from_secs(5),
            may_have_ended: false,
        });
    }
}
