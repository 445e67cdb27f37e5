//! Joining, waiting and being admitted.

use std::time::Duration;

use http::HeaderValue;

use super::operation::Operation;
use super::record::{Admitted, Growth, Joined, Outcome};
use super::stage::{add, take};
use super::temper::Patience;
use super::visitor::{Heard, Visitor};
use crate::clock::Moment;
use crate::document::{Position, State, Word};
use crate::http::{Answer, Ask};
use crate::token::Said;

/// How often to ask a room that does not say.
const POLL_WHEN_NOT_TOLD: Duration = Duration::from_secs(2);

/// From the arrival to the ticket.
///
/// # Errors
/// The outcome, when the visit ends before.
pub(super) async fn wait_in_line(visitor: &mut Visitor, arrival: Moment) -> Result<(), Outcome> {
    let path = format!("/_usher/{}/join", visitor.stage.options.room);
    let heard = visitor.insist(Operation::Join, arrival, Ask::post(path)).await?;
    let mut position = position(&heard)?;
    join(visitor, &heard.answer, &position);
    let waiting = Waiting::begin(visitor);
    let outcome = poll(visitor, &mut position, heard.answer).await;
    drop(waiting);
    outcome
}

async fn poll(visitor: &mut Visitor, position: &mut Position, mut answer: Answer) -> Result<(), Outcome> {
    let (mut polls, mut shown) = (0, None);
    loop {
        notice(visitor, position, &answer, shown);
        shown = position.position.or(shown);
        match position.state {
            State::Admitted => return admitted(visitor, position, &answer),
            State::Ended => return Err(Outcome::SessionEnded),
            State::Full | State::Closed => return Err(Outcome::TurnedAway),
            State::Called => {}
            State::Lobby | State::Waiting | State::Paused | State::Unknown => out_of_patience(visitor, polls).await?,
        }
        let told = position.poll_after(POLL_WHEN_NOT_TOLD);
        let due = answer.answered + told + visitor.jitter(told);
        visitor.stage.clock.sleep_until(due).await;
        let seen = shown.map_or_else(String::new, |shown| format!("?seen={shown}"));
        let path = format!("/_usher/{}/position{seen}", visitor.stage.options.room);
        let heard = visitor.insist(Operation::Poll, due, Ask::get(path)).await?;
        if matches!(heard.word, Word::BadToken) {
            visitor.stage.note(visitor.index, |record| record.token_refused = true);
        }
        *position = self::position(&heard)?;
        answer = heard.answer;
        polls += 1;
    }
}

/// The position document of an answer, or the end of the visit it means.
fn position(heard: &Heard) -> Result<Position, Outcome> {
    match &heard.word {
        Word::Position(position) => Ok((**position).clone()),
        Word::Refused(_) => Err(Outcome::TurnedAway),
        Word::BadToken => Err(Outcome::Unanswered("the queue token was refused".into())),
        Word::RateLimited(_) | Word::Failed(_) | Word::Other(_) => {
            Err(Outcome::Unanswered(format!("the waiting room answered {}", heard.answer.status)))
        }
    }
}

fn join(visitor: &mut Visitor, answer: &Answer, position: &Position) {
    let place = position.token.as_deref().and_then(|token| Said::by(token).place);
    if let Some(token) = &position.token {
        visitor.take_token(token);
    }
    let joined = Joined { sent: answer.sent, answered: answer.answered, place };
    visitor.stage.note(visitor.index, |record| record.joined = Some(joined));
    add(&visitor.stage.count.joined, 1);
}

/// Writes down what the room said.
fn notice(visitor: &Visitor, position: &Position, answer: &Answer, shown: Option<u64>) {
    visitor.stage.note(visitor.index, |record| {
        record.last_state = Some(position.state);
        record.told_interval = position.poll_after(POLL_WHEN_NOT_TOLD);
        match position.state {
            State::Waiting if !position.degraded => record.last_waiting = Some(answer.sent),
            State::Called | State::Admitted => record.called = record.called.or(Some(answer.answered)),
            _ => {}
        }
        if let (Some(from), Some(to)) = (shown, position.position)
            && to > from
        {
            match position.moved {
                Some(_) => record.explained += 1,
                None => record.unexplained.push(Growth { from, to }),
            }
        }
    });
}

fn admitted(visitor: &mut Visitor, position: &Position, answer: &Answer) -> Result<(), Outcome> {
    let ticket = position.ticket.as_deref().map(|ticket| (Said::by(ticket), HeaderValue::from_str(ticket)));
    let Some((said, Ok(ticket))) = ticket else {
        return Err(Outcome::Unanswered("admitted without a ticket".into()));
    };
    let admitted = Admitted {
        asked: answer.sent,
        answered: answer.answered,
        session: said.id,
        started: said.session_started,
        surely_until: answer.answered,
        may_have_ended: false,
    };
    visitor.stage.note(visitor.index, |record| record.admitted = Some(admitted));
    visitor.take_ticket(ticket);
    Ok(())
}

async fn out_of_patience(visitor: &mut Visitor, polls: u32) -> Result<(), Outcome> {
    match visitor.temper.patience {
        Patience::Leaves { after_polls } if polls >= after_polls => {
            leave(visitor).await?;
            Err(Outcome::Left)
        }
        Patience::Vanishes { after_polls } if polls >= after_polls => Err(Outcome::VanishedWaiting),
        _ => Ok(()),
    }
}

/// Gives up the place or the session.
///
/// # Errors
/// [`Outcome::Unanswered`] when the room does not answer.
pub(super) async fn leave(visitor: &mut Visitor) -> Result<(), Outcome> {
    visitor.session_may_end();
    let path = format!("/_usher/{}/leave", visitor.stage.options.room);
    let now = visitor.stage.clock.now();
    // A session the upstream has completed may be answered as unknown: it is over either way.
    visitor.insist(Operation::Leave, now, Ask::post(path)).await.map(drop)
}

/// Counts a visitor as waiting for as long as it lives.
struct Waiting(std::rc::Rc<super::stage::Stage>);

impl Waiting {
    fn begin(visitor: &Visitor) -> Self {
        add(&visitor.stage.count.waiting, 1);
        Self(std::rc::Rc::clone(&visitor.stage))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        take(&self.0.count.waiting);
    }
}
