//! What visitors are shown.

use queue_core::Place;
use queue_core::invariants::{Invariant, Violation};

use super::{Judge, require};
use crate::survival::visitor::Shown;

impl Judge {
    /// N4: what a gateway shows somebody now, given what was shown before. Answers what the visitor sees.
    pub(in crate::survival) fn shown(
        &self,
        place: Place,
        now: Shown,
        before: Option<Shown>,
    ) -> Result<Shown, Violation> {
        let Some(before) = before.filter(|before| before.position < now.position) else { return Ok(now) };
        let facts = &self.nodes[now.node];
        if now.looked <= before.looked || now.node != before.node || facts.recast >= before.looked {
            return Ok(now);
        }
        let returned = facts.returns.iter().rev().take_while(|(at, _)| *at >= before.looked);
        let returned = returned.filter(|(_, who)| *who < place).count() as u32;
        let grew = now.position - before.position;
        require(returned >= grew, Invariant::N4, || {
            format!("the position of {place} grew by {grew} to {}, and {returned} came back ahead of it", now.position)
        })?;
        Ok(now)
    }
}
