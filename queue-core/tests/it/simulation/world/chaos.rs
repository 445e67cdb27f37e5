//! What goes wrong: clocks, processes, operators.

use std::time::Duration;

use queue_core::invariants::Violation;
use queue_core::store::{GatewayId, LimitsSource, Proposal};
use queue_core::{Limits, Timestamp};

use super::super::gateway::Gateway;
use super::super::wire::Request;
use super::{Happening, World};
use crate::support::dice::Dice;

/// Limits that are felt: a small cohort, a slow rate, a short line, now and then a door that is shut.
pub(super) fn some_limits(dice: &mut Dice, now: Timestamp) -> Limits {
    let usual = Limits {
        total_active_users: dice.within(2..20) as u32,
        new_users_per_minute: dice.within(30..1_200) as u32,
        burst: dice.within(1..10) as u32,
        max_line_length: dice.within(10..200) as u32,
        queue_all: dice.chance(1, 20),
        opens_at: None,
        closes_at: None,
    };
    match dice.below(12) {
        0 => Limits { opens_at: Some(now + dice.span_ms(0..4_000)), ..usual },
        1 => Limits { closes_at: Some(now + dice.span_ms(0..4_000)), ..usual },
        _ => usual,
    }
}

impl World {
    pub(super) fn wreak(&mut self) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        let next = self.dice.span_ms(100..2_500);
        self.after(next, Happening::Chaos);
        let gateway = self.dice.below(self.gateways.len() as u64) as usize;
        match self.dice.below(8) {
            0 => {
                self.count("clock set forward");
                let span = Duration::from_millis(1) * 10_u32.pow(self.dice.within(1..8) as u32);
                self.clock.jump_forward(span);
                self.shadow.jumps += 1;
                // Somebody who was there before is heard first: nobody else could say how long it was.
                self.decree(&Request::Sweep)
            }
            1 => {
                self.count("clock set back");
                self.clock.jump_back(Duration::from_millis(1) * 10_u32.pow(self.dice.within(1..8) as u32));
                Ok(())
            }
            2 | 3 => {
                self.count("gateway stalled");
                let stall = self.dice.span_ms(200..6_000);
                self.gateways[gateway].stalled_until = self.clock.now() + stall;
                Ok(())
            }
            4 => {
                self.count("gateway restarted");
                self.restarts += 1;
                self.shadow.died(self.gateways[gateway].id);
                self.gateways[gateway] = Gateway::new(GatewayId(100 + self.restarts));
                Ok(())
            }
            5 => {
                let paused = !self.truth.summary.paused;
                self.count("paused or resumed");
                self.decree(&Request::Pause(paused))
            }
            _ => {
                self.count("limits changed");
                let limits = some_limits(&mut self.dice, self.clock.now());
                self.decree(&Request::Propose(Proposal { limits, source: LimitsSource::Operator }))
            }
        }
    }
}
