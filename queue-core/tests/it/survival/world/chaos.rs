//! What goes wrong: stores, networks, processes, clocks, operators.

use std::time::Duration;

use queue_core::invariants::Violation;
use queue_core::store::{GatewayId, LimitsSource, Proposal};
use queue_core::{Limits, Timestamp};

use super::super::gateway::Gateway;
use super::super::plants::{Plant, Planted};
use super::super::stores::Node;
use super::{Happening, World};
use crate::simulation::wire::Request;
use crate::support::dice::Dice;

/// Limits that are felt: a small cohort and a slow rate.
pub(super) fn some_limits(dice: &mut Dice) -> Limits {
    Limits {
        total_active_users: dice.within(2..20) as u32,
        new_users_per_minute: *dice.one_of(&[10, 10, 30, 120, 600, 1_200]).as_ref().unwrap_or(&60),
        burst: dice.within(1..12) as u32,
        max_line_length: 5_000,
        queue_all: dice.chance(1, 20),
        opens_at: None,
        closes_at: None,
    }
}

impl World {
    fn some_gateway(&mut self) -> usize {
        self.dice.below(self.gateways.len() as u64) as usize
    }

    pub(super) fn wreak(&mut self) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        let next = self.dice.span_ms(300..6_000);
        self.after(next, Happening::Chaos);
        let gateway = self.some_gateway();
        match self.dice.below(24) {
            0 | 1 => self.wipe(),
            2..5 => self.fail_over(),
            5 => self.fall_back(),
            6 | 7 => self.cut_off(),
            8 => {
                self.count("stores frozen");
                let frozen = self.clock.now() + self.dice.span_ms(300..8_000);
                let primary = self.stores.primary;
                self.stores.nodes[primary].frozen_until = frozen;
            }
            9..12 => {
                self.count("gateways stalled");
                let stall = self.dice.span_ms(200..12_000);
                self.gateways[gateway].stalled_until = self.clock.now() + stall;
            }
            12..15 => self.crash(gateway),
            15 => (0..self.gateways.len()).for_each(|gateway| self.crash(gateway)),
            16 => {
                self.count("clocks set forward");
                self.clock.jump_forward(Duration::from_millis(1) * 10_u32.pow(self.dice.within(1..5) as u32));
            }
            17 => {
                self.count("clocks set back");
                self.judge.set_back = self.clock.now();
                self.clock.jump_back(Duration::from_millis(1) * 10_u32.pow(self.dice.within(1..5) as u32));
            }
            18..21 => {
                let paused = self.dice.chance(1, 3);
                return self.decree(&Request::Pause(paused)).map(drop);
            }
            _ => {
                let limits = some_limits(&mut self.dice);
                return self.decree(&Request::Propose(Proposal { limits, source: LimitsSource::Operator })).map(drop);
            }
        }
        Ok(())
    }

    /// Everything is lost, now and then with those who remember it.
    fn wipe(&mut self) {
        let now = self.clock.now();
        let primary = self.stores.primary;
        self.count("stores wiped");
        self.stores.nodes[primary].store.sound().wipe();
        self.judge.wiped(primary, now);
        for gateway in 0..self.gateways.len() {
            if self.dice.chance(1, 4) {
                self.crash(gateway);
            }
        }
    }

    fn crash(&mut self, gateway: usize) {
        self.count("gateways crashed");
        let now = self.clock.now();
        self.processes += 1;
        let old = &self.gateways[gateway];
        self.judge.died(old.id);
        let (node, cut, stalled) = (old.node, old.cut_until, now + self.dice.span_ms(0..800));
        let mut fresh = Gateway::new(GatewayId(self.processes), node, self.judge.newcomer());
        (fresh.cut_until, fresh.stalled_until) = (cut, stalled);
        self.gateways[gateway] = fresh;
    }

    /// An older copy: mostly moments old, sometimes minutes.
    fn some_copy(&mut self) -> Option<usize> {
        let count = self.stores.copies.len();
        let back = if self.dice.chance(2, 3) { self.dice.below(3) } else { self.dice.below(count as u64) } as usize;
        count.checked_sub(1 + back)
    }

    /// A copy is promoted. The old primary is gone, or serves some gateways for a while behind a partition.
    fn fail_over(&mut self) {
        let Some(which) = self.some_copy() else { return };
        let now = self.clock.now();
        self.servers += 1;
        let copy = &self.stores.copies[which];
        let age = now.since(copy.taken);
        let old = self.stores.primary;
        let server = match self.plant {
            Some(Plant::MovedStoreIsServed) => self.stores.nodes[old].server,
            _ => self.servers,
        };
        let store = Planted::new(copy.store.copy(server), self.plant);
        self.judge.promoted(copy.facts.clone(), now);
        self.stores.nodes.push(Node { store, server, frozen_until: Timestamp::ZERO, is_up: true });
        self.stores.primary = self.stores.nodes.len() - 1;
        self.count(if age > Duration::from_secs(5) { "fail-overs to old copies" } else { "fail-overs" });
        let isolated = self.dice.chance(1, 2);
        if isolated {
            self.count("partitions");
        } else {
            self.stores.nodes[old].is_up = false;
        }
        let heals = self.dice.span_ms(500..15_000);
        for gateway in 0..self.gateways.len() {
            let noticed = self.dice.span_ms(0..2_500);
            let stays = isolated && self.dice.chance(1, 2);
            self.after(if stays { heals } else { noticed }, Happening::Rejoin(gateway));
        }
    }

    /// A server comes back with what it had a while ago, and is the same server to all.
    fn fall_back(&mut self) {
        let now = self.clock.now();
        let primary = self.stores.primary;
        let server = self.stores.nodes[primary].server;
        let own = |copy: &super::super::stores::Copy| copy.node == primary;
        let own: Vec<usize> = (0..self.stores.copies.len()).filter(|at| own(&self.stores.copies[*at])).collect();
        let Some(which) = self.dice.one_of(&own) else { return };
        let copy = &self.stores.copies[which];
        self.stores.nodes[primary].store.restore(copy.store.copy(server));
        self.judge.fell_back(primary, copy.facts.clone(), now);
        self.count("old backups restored");
    }

    /// Some gateways, or all, do not reach any store.
    fn cut_off(&mut self) {
        self.count("stores away");
        let all = self.dice.chance(1, 2);
        let until = self.clock.now() + self.dice.span_ms(500..20_000);
        for gateway in 0..self.gateways.len() {
            if all || self.dice.chance(1, 2) {
                self.gateways[gateway].cut_until = until;
                self.gateways[gateway].connection += 1;
            }
        }
    }

    /// A copy of what the primary has; the next one is due in moments, or later.
    pub(super) fn keep(&mut self) {
        if self.calm {
            return;
        }
        let (primary, now) = (self.stores.primary, self.clock.now());
        let facts = self.judge.nodes[primary].clone();
        let drop = self.dice.below(100) as usize;
        self.stores.keep(facts, now, drop);
        let next = self.dice.span_ms(50..2_500);
        self.after(next, Happening::Keep);
    }

    /// An operator's word, through a gateway that is well: answers whether it was acknowledged.
    fn decree(&mut self, request: &Request) -> Result<bool, Violation> {
        let now = self.clock.now();
        let primary = self.stores.primary;
        let node = &self.stores.nodes[primary];
        let serves = node.is_up && node.frozen_until <= now;
        let well = |number: &usize| self.gateways[*number].node == primary && self.gateways[*number].is_well(now);
        let Some(gateway) = (0..self.gateways.len()).find(well).filter(|_| serves) else { return Ok(false) };
        for _ in 0..2 {
            match self.at_once(gateway, request.clone())? {
                Ok(stamped) => {
                    self.count("operators' words");
                    let knows = &mut self.gateways[gateway].knows;
                    self.judge.decreed(primary, knows, request, stamped.time);
                    return Ok(true);
                }
                Err(error) if error.is_late() => {}
                Err(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    pub(super) fn calm_down(&mut self) -> Result<(), Violation> {
        self.calm = true;
        let (now, primary) = (self.clock.now(), self.stores.primary);
        self.stores.nodes[primary].frozen_until = now;
        for gateway in &mut self.gateways {
            gateway.stalled_until = gateway.stalled_until.min(now);
            gateway.cut_until = gateway.cut_until.min(now);
            gateway.connect(primary);
        }
        let limits = Self::generous();
        let opened = self.decree(&Request::Propose(Proposal { limits, source: LimitsSource::Operator }))?
            && self.decree(&Request::Pause(false))?;
        if !opened {
            self.after(Duration::from_secs(1), Happening::Calm);
        }
        Ok(())
    }
}
