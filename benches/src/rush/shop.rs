//! Inside: signing in, picking seats, paying, leaving.

use std::rc::Rc;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};
use rand::RngExt;
use serde_json::{Value, json};

use super::line::leave;
use super::operation::Operation;
use super::record::{Outcome, Sold};
use super::stage::{Stage, add, take};
use super::temper::Patience;
use super::venue::{self, Venue};
use super::visitor::{Heard, Visitor};
use crate::clock::Moment;
use crate::document::{Word, problem};
use crate::http::{Answer, Ask};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The first picks go where everyone wants to sit; after that a customer takes whatever is left.
const PICKY_TRIES: u32 = 3;
/// Nobody is so unlucky among a bounded crowd; more losses in a row mean that holds fail for another reason.
const MAX_TRIES: u32 = 200;
/// Exponent of the choice: half of all picks fall into the first eighth of what is free.
const SKEW: i32 = 3;
/// How soon to look again when everything left is in others' hands.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A repeated key may meet its own first try still running; it is over within moments.
const MAX_IN_PROGRESS: u32 = 20;
const IN_PROGRESS_WAIT: Duration = Duration::from_millis(250);

/// From the ticket to the end of the visit.
pub(super) async fn buy(visitor: &mut Visitor) -> Outcome {
    let inside = Inside::begin(&visitor.stage);
    if visitor.temper.patience == Patience::VanishesInside {
        return Outcome::VanishedInside;
    }
    let outcome = match shop(visitor).await {
        Ok(outcome) => leave(visitor).await.map_or_else(|failed| failed, |()| outcome),
        Err(outcome) => outcome,
    };
    drop(inside);
    outcome
}

async fn shop(visitor: &mut Visitor) -> Result<Outcome, Outcome> {
    sign_in(visitor).await?;
    visitor.think().await;
    let venue = enter(visitor).await?;
    for tries in 0..MAX_TRIES {
        let picked = match pick(visitor, &venue, tries).await? {
            Pick::Units(units) => units,
            Pick::AllHeld => continue,
            Pick::SoldOut => return Ok(Outcome::SoldOut),
        };
        let hold = match hold(visitor, &venue, &picked, tries).await? {
            Hold::Mine(hold) => hold,
            Hold::Lost => continue,
            Hold::SoldOut => return Ok(Outcome::SoldOut),
        };
        let Some(order) = order(visitor, &hold).await? else { continue };
        if pay(visitor, order, picked).await? {
            return Ok(Outcome::Bought);
        }
    }
    Err(Outcome::Unanswered(format!("{MAX_TRIES} picks and not one hold")))
}

async fn sign_in(visitor: &mut Visitor) -> Result<(), Outcome> {
    let name = format!("crowd-{:016x}-{}", visitor.stage.run_id, visitor.index);
    let now = visitor.stage.clock.now();
    let answer =
        forward(visitor, Operation::SignIn, now, Ask::post("/v1/demo/sign-in").json(&json!({"name": name}))).await?;
    visitor.customer = Some(credential(&answer).ok_or_else(|| strange(Operation::SignIn, &answer))?);
    Ok(())
}

/// The customer's bearer token from the body, or the cookie of a sign-in made for browsers.
fn credential(answer: &Answer) -> Option<(HeaderName, HeaderValue)> {
    let token = answer.json::<Value>().and_then(|body| Some(body.get("token")?.as_str()?.to_owned()));
    if let Some(token) = token {
        return Some((AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).ok()?));
    }
    let pair = answer.header("set-cookie")?.split(';').next()?;
    Some((COOKIE, HeaderValue::from_str(pair).ok()?))
}

/// Finds the event, as each customer does; the map never changes, so the first one's is everyone's.
async fn enter(visitor: &mut Visitor) -> Result<Rc<Venue>, Outcome> {
    let now = visitor.stage.clock.now();
    let answer = forward(visitor, Operation::Events, now, Ask::get("/v1/events")).await?;
    let wanted = visitor.stage.options.event.clone();
    let event = answer.json().and_then(|list| venue::event_in(&list, wanted.as_deref()));
    let event = event.ok_or_else(|| strange(Operation::Events, &answer))?;
    let known = visitor.stage.venue.borrow().clone();
    if let Some(known) = known.filter(|known| known.event == event) {
        return Ok(known);
    }
    let now = visitor.stage.clock.now();
    let answer = forward(visitor, Operation::Map, now, Ask::get(format!("/v1/events/{event}/map"))).await?;
    let units = answer.json().map(|map| venue::units_in(&map)).filter(|units| !units.is_empty());
    let venue = Rc::new(Venue { event, units: units.ok_or_else(|| strange(Operation::Map, &answer))? });
    visitor.stage.venue.replace(Some(Rc::clone(&venue)));
    Ok(venue)
}

enum Pick {
    Units(Vec<String>),
    AllHeld,
    SoldOut,
}

async fn pick(visitor: &mut Visitor, venue: &Venue, tries: u32) -> Result<Pick, Outcome> {
    let now = visitor.stage.clock.now();
    let look = Ask::get(format!("/v1/events/{}/units", venue.event));
    let answer = forward(visitor, Operation::Units, now, look).await?;
    let taken = answer.json().and_then(|snapshot| venue::taken_in(&snapshot));
    let taken = taken.ok_or_else(|| strange(Operation::Units, &answer))?;
    let mut free = venue.free(&taken);
    if free.is_empty() {
        if taken.held == 0 {
            return Ok(Pick::SoldOut);
        }
        let again = visitor.stage.clock.now() + LOOK_AGAIN.mul_f64(visitor.rng.random_range(0.5..1.5));
        visitor.stage.clock.sleep_until(again).await;
        return Ok(Pick::AllHeld);
    }
    visitor.think().await;
    let mut units = Vec::new();
    for _ in 0..visitor.temper.wants.min(free.len()) {
        let draw: f64 = visitor.rng.random();
        let skewed = if tries < PICKY_TRIES { draw.powi(SKEW) } else { draw };
        // Below the length, since the draw is below one.
        units.push(free.remove((skewed * free.len() as f64) as usize).clone());
    }
    Ok(Pick::Units(units))
}

enum Hold {
    Mine(String),
    Lost,
    SoldOut,
}

async fn hold(visitor: &mut Visitor, venue: &Venue, units: &[String], tries: u32) -> Result<Hold, Outcome> {
    let now = visitor.stage.clock.now();
    let ask = Ask::post(format!("/v1/events/{}/holds", venue.event)).json(&json!({"units": units}));
    let answer = forward(visitor, Operation::Hold, now, keyed(visitor, &format!("hold-{tries}"), ask)).await?;
    match answer.status {
        StatusCode::CREATED => Ok(Hold::Mine(id(Operation::Hold, &answer)?)),
        StatusCode::CONFLICT => match problem(&answer).as_deref().and_then(|kind| kind.rsplit('/').next()) {
            Some("unit-unavailable") => {
                add(&visitor.stage.tally.lost_seats, 1);
                Ok(Hold::Lost)
            }
            Some("stock-exhausted") => Ok(Hold::SoldOut),
            Some("sale-not-open" | "sale-closed") => Err(Outcome::TurnedAway),
            _ => Err(strange(Operation::Hold, &answer)),
        },
        _ => Err(strange(Operation::Hold, &answer)),
    }
}

/// The order's id; `None` when the hold ran out before.
async fn order(visitor: &mut Visitor, hold: &str) -> Result<Option<String>, Outcome> {
    let due = visitor.think().await;
    let ask = keyed(visitor, &format!("order-{hold}"), Ask::post("/v1/orders").json(&json!({"hold": hold})));
    let answer = forward(visitor, Operation::Order, due, ask).await?;
    match answer.status {
        StatusCode::CREATED => id(Operation::Order, &answer).map(Some),
        StatusCode::GONE => Ok(None),
        _ => Err(strange(Operation::Order, &answer)),
    }
}

/// Whether the seats are bought; not when the order ran out before.
async fn pay(visitor: &mut Visitor, order: String, units: Vec<String>) -> Result<bool, Outcome> {
    let due = visitor.think().await;
    let ask = Ask::post(format!("/v1/orders/{order}/payments")).json(&json!({"method": "points"}));
    let ask = keyed(visitor, &format!("pay-{order}"), ask);
    visitor.session_may_end();
    visitor.stage.note(visitor.index, |record| record.payment_unknown = Some(order.clone()));
    let answer = forward(visitor, Operation::Pay, due, ask).await?;
    visitor.stage.note(visitor.index, |record| record.payment_unknown = None);
    match answer.status {
        StatusCode::CREATED => {}
        StatusCode::GONE => return Ok(false),
        _ => return Err(strange(Operation::Pay, &answer)),
    }
    add(&visitor.stage.count.sold, units.len() as u64);
    visitor.stage.note(visitor.index, |record| record.sold = Some(Sold { order, units }));
    Ok(true)
}

/// Sends a request that needs a ticket.
async fn forward(visitor: &mut Visitor, operation: Operation, due: Moment, ask: Ask) -> Result<Answer, Outcome> {
    let mut due = due;
    for _ in 0..MAX_IN_PROGRESS {
        let Heard { answer, word } = visitor.insist(operation, due, ask.clone()).await?;
        let over = match word {
            Word::Position(_) => true,
            Word::Refused(_) => return Err(Outcome::TurnedAway),
            _ => matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS),
        };
        if over {
            visitor.session_has_ended();
            return Err(Outcome::SessionEnded);
        }
        let in_progress = answer.status == StatusCode::CONFLICT
            && problem(&answer).is_some_and(|kind| kind.ends_with("/idempotency-in-progress"));
        if !in_progress {
            return Ok(answer);
        }
        due = visitor.stage.clock.now() + answer.retry_after().unwrap_or(IN_PROGRESS_WAIT);
        visitor.stage.clock.sleep_until(due).await;
    }
    Err(Outcome::Unanswered(format!("{}: still in progress after {MAX_IN_PROGRESS} tries", operation.word())))
}

fn keyed(visitor: &Visitor, step: &str, ask: Ask) -> Ask {
    let key = format!("{:016x}-{}-{step}", visitor.stage.run_id, visitor.index);
    let value = HeaderValue::from_str(&key);
    value.map_or(ask.clone(), |value| ask.with(IDEMPOTENCY_KEY, value))
}

fn id(operation: Operation, answer: &Answer) -> Result<String, Outcome> {
    let id = answer.json::<Value>().and_then(|body| Some(body.get("id")?.as_str()?.to_owned()));
    id.ok_or_else(|| strange(operation, answer))
}

fn strange(operation: Operation, answer: &Answer) -> Outcome {
    let kind = problem(answer).unwrap_or_default();
    Outcome::Unanswered(format!("{}: answered {} {kind}", operation.word(), answer.status))
}

/// Counts a visitor as inside for as long as it lives.
struct Inside(Rc<Stage>);

impl Inside {
    fn begin(stage: &Rc<Stage>) -> Self {
        add(&stage.count.inside, 1);
        Self(Rc::clone(stage))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        take(&self.0.count.inside);
    }
}
