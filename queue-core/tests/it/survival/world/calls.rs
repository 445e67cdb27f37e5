//! Calls under way: lost, doubled, delayed, carried out late, answered.

use std::time::Duration;

use queue_core::Timestamp;
use queue_core::invariants::Violation;
use queue_core::store::{Caller, GatewayId, Mirror, Store};

use super::super::facts::Knowledge;
use super::super::judge::{Present, Step};
use super::super::visitor::{Stage, Visitor};
use super::{Happening, LONGEST_POLL, TERMS, World};
use crate::simulation::wire::{Answer, Request, at_once};
use crate::support::caller::DEADLINE;
use crate::support::clock::TestClock;

/// A call under way.
#[derive(Clone)]
pub(in crate::survival) struct Parcel {
    pub(super) gateway: usize,
    pub(super) process: GatewayId,
    connection: u32,
    pub(super) node: usize,
    sent: Timestamp,
    pub(super) request: Request,
    caller: Caller,
    /// What its caller knew.
    knew: Knowledge,
}

/// An answer under way.
pub(in crate::survival) struct Letter {
    pub(super) answer: Answer,
    /// Whether replicas confirmed what was done.
    pub(super) confirmed: bool,
    /// What the server knew when it answered.
    has: Knowledge,
}

impl World {
    /// How long something is under way: mostly little, sometimes longer than anybody waits.
    fn transit(&mut self) -> Duration {
        match self.dice.below(20) {
            0 if !self.calm => self.dice.span_ms(150..900),
            1..4 => self.dice.span_ms(15..150),
            _ => self.dice.span_ms(0..15),
        }
    }

    /// A call that a gateway makes now.
    fn parcel(&self, number: usize, request: Request) -> Parcel {
        let now = self.clock.now();
        let gateway = &self.gateways[number];
        Parcel {
            gateway: number,
            process: gateway.id,
            connection: gateway.connection,
            node: gateway.node,
            sent: now,
            caller: gateway.memory.caller(now),
            knew: gateway.knew(&request),
            request,
        }
    }

    pub(super) fn send(&mut self, number: usize, request: Request) {
        let (now, parcel) = (self.clock.now(), self.parcel(number, request));
        let gateway = &self.gateways[number];
        if gateway.cut_until > now || !self.stores.nodes[parcel.node].is_up {
            return self.bad_luck(&parcel.request);
        }
        if !self.calm {
            if self.dice.chance(1, 40) {
                self.count("calls lost");
                return self.bad_luck(&parcel.request);
            }
            if self.dice.chance(1, 25) {
                self.count("calls doubled");
                let transit = self.transit();
                self.after(transit, Happening::Arrive(parcel.clone()));
            }
        }
        let transit = self.transit();
        self.after(transit, Happening::Arrive(parcel));
    }

    /// Whoever is in such a call was not heard by it.
    pub(super) fn bad_luck(&mut self, request: &Request) {
        let now = self.clock.now();
        if let Request::Claim(claims) = request {
            for claim in claims {
                self.visitors[Visitor::number(&claim.visitor)].lucky_since = now;
            }
        }
    }

    /// A call reaches its server.
    pub(super) fn arrive(&mut self, parcel: Parcel) -> Result<(), Violation> {
        let now = self.clock.now();
        let node = &self.stores.nodes[parcel.node];
        if !node.is_up {
            self.bad_luck(&parcel.request);
            return Ok(());
        }
        if node.frozen_until > now {
            // It lies in the server's buffers until that goes on.
            let rest = node.frozen_until.since(now) + self.dice.span_ms(0..5);
            self.count("calls buffered");
            self.bad_luck(&parcel.request);
            self.after(rest, Happening::Arrive(parcel));
            return Ok(());
        }
        let confirmed = parcel.node == self.stores.primary;
        let answer = self.execute(&parcel)?;
        if answer.is_err() || !confirmed {
            self.bad_luck(&parcel.request);
        }
        if !self.calm && self.dice.chance(1, 40) {
            self.count("answers lost");
            self.bad_luck(&parcel.request);
            return Ok(());
        }
        let transit = self.transit();
        let gateway = &mut self.gateways[parcel.gateway];
        gateway.answers_until = gateway.answers_until.max(now + transit);
        let back = gateway.answers_until.since(now);
        let has = self.judge.nodes[parcel.node].knows.clone();
        self.after(back, Happening::Answer(parcel, Letter { answer, confirmed, has }));
        Ok(())
    }

    /// Lets a call take effect and checks everything.
    pub(super) fn execute(&mut self, parcel: &Parcel) -> Result<Answer, Violation> {
        let answer = self.stores.nodes[parcel.node].store.execute(&parcel.request, &self.room, parcel.caller, TERMS);
        self.say(|| {
            let Parcel { gateway, node, sent, request, caller, .. } = parcel;
            let sent = sent.since(TestClock::START).as_secs_f64();
            format!(
                "gateway {gateway} to server {node}, sent {sent:.3}: {request:?} by {caller:?}\n        = {answer:?}"
            )
        });
        self.tell(&answer);
        let Ok(stamped) = &answer else { return Ok(answer) };
        let node = &self.stores.nodes[parcel.node];
        let inspect = || {
            let copy = node.store.sound().copy(node.server);
            Mirror::new(at_once(copy.follow(&self.room, Caller::newcomer(), None)).ok()?.value)
        };
        let step = Step {
            node: parcel.node,
            confirmed: parcel.node == self.stores.primary,
            knew: &parcel.knew,
            sent: parcel.sent,
            expires: parcel.caller.expires.is_some(),
            request: &parcel.request,
            now: self.clock.now(),
            present: &self.present(&parcel.request),
            inspect: &inspect,
        };
        self.judge.executed(&step, stamped)?;
        Ok(answer)
    }

    /// A call that is carried out the moment it is made.
    pub(super) fn at_once(&mut self, number: usize, request: Request) -> Result<Answer, Violation> {
        let (now, parcel) = (self.clock.now(), self.parcel(number, request));
        let answer = self.execute(&parcel)?;
        self.gateways[number].note(now, &answer);
        Ok(answer)
    }

    /// Who waits and keeps polling, if the call may pass somebody.
    fn present(&self, request: &Request) -> Vec<Present> {
        if !matches!(request, Request::Call(_) | Request::Join(_)) {
            return Vec::new();
        }
        let now = self.clock.now();
        let waits = |visitor: &Visitor| match visitor.stage {
            Stage::Waiting(place, _) if visitor.polled + LONGEST_POLL >= now => {
                Some(Present { place, lucky_since: visitor.lucky_since })
            }
            _ => None,
        };
        self.visitors.iter().filter_map(waits).collect()
    }

    /// An answer reaches its gateway, and through it the visitors.
    pub(super) fn deliver(&mut self, parcel: Parcel, letter: Letter) -> Result<(), Violation> {
        let now = self.clock.now();
        let gateway = &mut self.gateways[parcel.gateway];
        if gateway.id != parcel.process || gateway.connection != parcel.connection || gateway.cut_until > now {
            // The process or the connection has ended.
            self.bad_luck(&parcel.request);
            return Ok(());
        }
        if gateway.stalled_until > now {
            let rest = gateway.stalled_until.since(now);
            gateway.answers_until = gateway.answers_until.max(gateway.stalled_until);
            self.after(rest, Happening::Answer(parcel, letter));
            return Ok(());
        }
        let Letter { answer, confirmed, has } = letter;
        if parcel.sent + DEADLINE < now {
            // Nobody waits for it any longer.
            self.bad_luck(&parcel.request);
            return Ok(());
        }
        gateway.note(now, &answer);
        if let Request::Merge(_) = parcel.request {
            self.testimony_answered(parcel.gateway, answer.is_ok());
        }
        let Ok(stamped) = answer else { return Ok(()) };
        let gateway = &mut self.gateways[parcel.gateway];
        gateway.witness(&parcel.request, &stamped);
        let mut knows = gateway.knows.clone();
        gateway.untold.iter().for_each(|untold| knows.merge(untold));
        self.judge.answered(&mut knows, &has, &parcel.request, &stamped);
        if knows.is_known_to(&self.judge.nodes[parcel.node].knows) {
            gateway.knows = knows;
            gateway.untold = None;
        } else {
            gateway.untold = Some(knows);
        }
        self.hear(&parcel, stamped, confirmed)
    }
}
