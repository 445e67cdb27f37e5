//! What a gateway does again and again: look, tell, call, sweep.

use queue_core::Life;
use queue_core::invariants::{Invariant, Violation, sweep};
use queue_core::recovery::Trouble;
use queue_core::store::{Mirror, Opening, StoreError};

use super::super::gateway::Told;
use super::{LONGEST_POLL, TERMS, World};
use crate::simulation::wire::Request;
use crate::support::caller::DEADLINE;

impl World {
    /// Whether a gateway is awake and reaches a server that answers.
    fn reaches(&self, number: usize) -> bool {
        let now = self.clock.now();
        let gateway = &self.gateways[number];
        let node = &self.stores.nodes[gateway.node];
        gateway.stalled_until <= now && gateway.cut_until <= now && node.is_up && node.frozen_until <= now
    }

    pub(super) fn tick(&mut self, number: usize) -> Result<(), Violation> {
        let now = self.clock.now();
        if !self.reaches(number) || self.gateways[number].telling_until > now {
            return Ok(());
        }
        if let Some(trouble) = self.gateways[number].trouble
            && self.speak(number, trouble)
        {
            return Ok(());
        }
        if !self.look(number)? {
            return Ok(());
        }
        if let Some(trouble) = self.gateways[number].witness.trouble() {
            self.speak(number, trouble);
        }
        if self.gateways[number].issued {
            self.send(number, Request::Collect(LONGEST_POLL));
        }
        self.release(number)
    }

    /// Tells what it remembers, or begins what nobody remembers. Answers whether there was something to say.
    fn speak(&mut self, number: usize, trouble: Trouble) -> bool {
        let now = self.clock.now();
        match self.gateways[number].testimony(trouble, &self.house, now) {
            Some(Told::Testimony(testimony)) => {
                let mut parts = testimony.parts();
                let first = parts.remove(0);
                self.gateways[number].parts = parts;
                self.gateways[number].telling_until = now + DEADLINE;
                self.count("testimonies");
                self.send(number, Request::Merge(Box::new(first)));
                true
            }
            Some(Told::FirstStart) => {
                self.first_start(number);
                true
            }
            None => false,
        }
    }

    /// A part of a testimony was heard, or not.
    pub(super) fn testimony_answered(&mut self, number: usize, heard: bool) {
        let now = self.clock.now();
        let gateway = &mut self.gateways[number];
        if !heard {
            gateway.telling_until = now;
            return;
        }
        if gateway.parts.is_empty() {
            gateway.was_heard();
            self.send_marks(number);
            return;
        }
        let next = gateway.parts.remove(0);
        gateway.telling_until = now + DEADLINE;
        self.send(number, Request::Merge(Box::new(next)));
    }

    /// Nobody remembers anything.
    fn first_start(&mut self, number: usize) {
        let now = self.clock.now();
        let gateway = &mut self.gateways[number];
        let life = Life::first(gateway.time(now));
        let opening = Opening { proposal: self.house.proposal.clone(), life, listen: std::time::Duration::ZERO };
        let node = gateway.node;
        let answer = self.stores.nodes[node].store.open(&self.room, gateway.memory.caller(now), opening);
        gateway.note(now, &answer);
        if answer.is_ok() {
            gateway.trouble = None;
            self.judge.nodes[node].began = now;
            self.judge.nodes[node].is_empty = false;
            self.judge.began(node, life);
            self.count("first starts");
        }
    }

    /// Takes up what changed; answers whether there is a memory to act on.
    fn look(&mut self, number: usize) -> Result<bool, Violation> {
        let now = self.clock.now();
        for _ in 0..2 {
            let gateway = &mut self.gateways[number];
            let after = gateway.mirror.as_ref().filter(|_| !gateway.anew).map(Mirror::version);
            let node = gateway.node;
            let answer = self.stores.nodes[node].store.follow(&self.room, gateway.memory.caller(now), after);
            gateway.note(now, &answer);
            let stamped = match answer {
                Ok(stamped) => stamped,
                Err(StoreError::Late(_)) => continue,
                Err(error) => {
                    self.say(|| format!("gateway {number} looks at server {node}: {error:?}"));
                    return Ok(false);
                }
            };
            gateway.witness.looked(stamped.time, stamped.mark.life, stamped.mark.version);
            match &mut gateway.mirror {
                Some(mirror) if after.is_some() => {
                    if mirror.take(stamped.value).is_err() {
                        gateway.anew = true;
                        continue;
                    }
                }
                mirror => {
                    let Some(whole) = Mirror::new(stamped.value) else { return Ok(false) };
                    *mirror = Some(whole);
                }
            }
            gateway.anew = false;
            gateway.looked = (node, now);
            let Some(mirror) = &gateway.mirror else { return Ok(false) };
            let found = sweep(gateway.before.as_ref(), mirror);
            self.judge.looked(node, &mut gateway.knows, mirror, gateway.before.as_ref())?;
            gateway.before = Some(mirror.summary.clone());
            if gateway.trouble == Some(Trouble::Absent) {
                gateway.trouble = None;
            }
            return found.into_iter().next().map_or(Ok(true), Err);
        }
        Ok(false)
    }

    /// N11: a slot, a token and somebody waiting: a call within one tick.
    fn release(&mut self, number: usize) -> Result<(), Violation> {
        let gateway = &self.gateways[number];
        let Some(mirror) = &gateway.mirror else { return Ok(()) };
        let owed = owes_a_call(mirror);
        let summary = mirror.summary.clone();
        let call = gateway.decide();
        let called = call.is_some();
        if let Some(call) = call {
            if !self.calm && self.dice.chance(1, 10) {
                self.send(number, Request::Call(call));
            } else {
                self.at_once(number, Request::Call(call))?.ok();
            }
        }
        if owed && !called {
            return Err(Violation { invariant: Invariant::N11, detail: format!("nobody was called, and {summary:?}") });
        }
        Ok(())
    }

    /// Once a second: whom it heard, and what time has ended.
    pub(super) fn housekeep(&mut self, number: usize) {
        if self.reaches(number) {
            self.send_marks(number);
            self.send(number, Request::Sweep);
        }
    }

    pub(super) fn send_marks(&mut self, number: usize) {
        let now = self.clock.now();
        let gateway = &self.gateways[number];
        // Who does not know shared time yet cannot say which period is over.
        let Some(time) = gateway.memory.caller(now).own_time() else { return };
        if let Some(heard) = gateway.marks.due(gateway.id, time, TERMS.retention) {
            self.send(number, Request::Hear(heard));
        }
    }
}

/// Whether somebody has to be called by a gateway that looks now.
fn owes_a_call(mirror: &Mirror) -> bool {
    let Mirror { summary, line, .. } = mirror;
    let open = !summary.paused && !summary.limits.queue_all && summary.hold_until <= summary.time;
    let taken = summary.sessions + summary.unknown + summary.reserved;
    let tokens = summary.bucket.refilled(summary.limits.rate(), summary.time).tokens();
    open && taken < summary.limits.total_active_users && tokens >= 1 && line.waiting_beyond_frontier() > 0
}
