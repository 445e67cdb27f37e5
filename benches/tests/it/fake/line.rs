//! The fake's line: places in order of joining, slots for the first, tokens nobody signs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use queue_core::{Place, SessionId, Timestamp, VisitorId};
use serde_json::{Value, json};

use super::{Fault, Reply};

/// Longer than a run's sale, so that only who vanished inside ends this way.
const SESSION_MS: u64 = 5_000;
const POLL_AFTER_SECONDS: f64 = 0.05;
/// Far beyond any crowd of these tests, so that places can run down from it.
const LAST_PLACE: u64 = 1_000_000;
const EPOCH: u64 = 6_000;

pub(crate) struct Line {
    fault: Fault,
    limit: usize,
    joined: u64,
    polls: u64,
    /// Who waits: number of joining → polls so far.
    waiting: BTreeMap<u64, u64>,
    /// Who is in: number of joining → end of the session.
    sessions: BTreeMap<u64, u64>,
}

impl Line {
    pub(crate) fn new(fault: Fault, limit: usize) -> Self {
        let limit = if fault == Fault::ExceedsCohort { limit * 3 } else { limit };
        Self { fault, limit, joined: 0, polls: 0, waiting: BTreeMap::new(), sessions: BTreeMap::new() }
    }

    pub(crate) fn join(&mut self, now: u64) -> Reply {
        self.joined += 1;
        self.waiting.insert(self.joined, 0);
        let mut document = self.stand(now, self.joined);
        document["token"] = self.token(self.joined).into();
        Reply::of(201, document)
    }

    pub(crate) fn position(&mut self, now: u64, token: Option<&str>) -> Reply {
        let Some(number) = token.and_then(|token| claim(token, "number")) else {
            return Reply::problem(401, "bad-token");
        };
        self.polls += 1;
        match self.waiting.get_mut(&number) {
            Some(polls) => *polls += 1,
            None if !self.sessions.contains_key(&number) => return Reply::of(200, json!({"state": "ended"})),
            None => {}
        }
        if self.fault == Fault::RefusesTokens && number.is_multiple_of(10) {
            return Reply::problem(401, "bad-token");
        }
        Reply::of(200, self.stand(now, number))
    }

    pub(crate) fn leave(&mut self, token: Option<&str>, ticket: Option<&str>) -> Reply {
        for number in [token, ticket].into_iter().flatten().filter_map(|held| claim(held, "number")) {
            self.waiting.remove(&number);
            self.sessions.remove(&number);
        }
        Reply::of(204, Value::Null)
    }

    pub(crate) fn lets_pass(&mut self, now: u64, ticket: Option<&str>) -> bool {
        self.expire(now);
        let number = ticket.and_then(|ticket| claim(ticket, "number"));
        number.is_some_and(|number| self.sessions.contains_key(&number))
    }

    pub(crate) fn metrics(&mut self, now: u64) -> String {
        self.expire(now);
        let mut text = format!("usher_active_sessions{{room=\"concert\"}} {}\n", self.sessions.len());
        writeln!(text, "usher_store_operations_total{{operation=\"join\"}} {}", self.joined).unwrap();
        // Ten reads a second, whatever happens.
        writeln!(text, "usher_store_operations_total{{operation=\"refresh\"}} {}", now / 100).unwrap();
        let polls = if self.fault == Fault::CountsPolls { self.polls } else { 0 };
        writeln!(text, "usher_store_operations_total{{operation=\"rank\"}} {polls}").unwrap();
        text
    }

    fn stand(&mut self, now: u64, number: u64) -> Value {
        self.expire(now);
        if let Some(ends) = self.sessions.get(&number) {
            return json!({"state": "admitted", "ticket": ticket(number, ends - SESSION_MS)});
        }
        let ahead = match self.fault {
            Fault::CallsBackwards => self.waiting.range(number + 1..).count(),
            _ => self.waiting.range(..number).count(),
        };
        if ahead + self.sessions.len() < self.limit {
            self.waiting.remove(&number);
            self.sessions.insert(number, now + SESSION_MS);
            return json!({"state": "admitted", "ticket": ticket(number, now)});
        }
        let drift = if self.fault == Fault::GrowsPositions { 1_000 * self.waiting[&number] } else { 0 };
        let seen = ahead as u64 + 1 + drift;
        json!({"room": "concert", "state": "waiting", "position": seen, "line_length": self.waiting.len(),
            "poll_after_seconds": POLL_AFTER_SECONDS, "degraded": false})
    }

    fn expire(&mut self, now: u64) {
        // Tickets end on whole seconds, so a slot is free from the next one on.
        self.sessions.retain(|_, ends| now < *ends + 1_000);
    }

    fn token(&self, number: u64) -> String {
        let sequence = match self.fault {
            Fault::ReordersJoins => LAST_PLACE - number,
            Fault::SharesPlaces => 1,
            _ => number,
        };
        let place = Place::from_score((EPOCH << 31) | sequence).unwrap();
        jwt(&json!({"place": place.score(), "number": number}))
    }
}

fn ticket(number: u64, began: u64) -> String {
    let visitor = VisitorId::from_entropy(u128::from(number).to_be_bytes());
    let session = SessionId::new(visitor, Timestamp::from_millis(began));
    jwt(&json!({"jti": session.to_string(), "exp": (began + SESSION_MS) / 1_000, "number": number}))
}

fn jwt(claims: &Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn claim(token: &str, name: &str) -> Option<u64> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&payload).ok()?.get(name)?.as_u64()
}
