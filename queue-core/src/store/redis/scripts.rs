//! The scripts, each a mechanical atomic step in its own file, and their arguments.

use std::sync::LazyLock;
use std::time::Duration;

use super::link::Script;
use crate::store::{Caller, Clock, LimitsSource, Proposal};
use crate::{Timestamp, VisitorId};

/// All steps; invoked by their hash and loaded when the server does not know them.
pub(super) static SCRIPTS: LazyLock<Scripts> = LazyLock::new(Scripts::new);

/// One script a step.
pub(super) struct Scripts {
    pub(super) open: Script,
    pub(super) join: Script,
    pub(super) claim: Script,
    pub(super) renew: Script,
    pub(super) end: Script,
    pub(super) depart: Script,
    pub(super) call: Script,
    pub(super) sweep: Script,
    pub(super) follow: Script,
    pub(super) propose: Script,
    pub(super) pause: Script,
}

macro_rules! script {
    ($($file:literal),+) => {
        Script::new(concat!($(include_str!($file), "\n"),+))
    };
}

impl Scripts {
    fn new() -> Self {
        Self {
            open: script!(
                "create.lua",
                "prelude.lua",
                "places.lua",
                "admission.lua",
                "limits.lua",
                "summary.lua",
                "open.lua"
            ),
            join: script!("prelude.lua", "places.lua", "admission.lua", "join.lua"),
            claim: script!("prelude.lua", "places.lua", "admission.lua", "claim.lua"),
            renew: script!("prelude.lua", "places.lua", "admission.lua", "renew.lua"),
            end: script!("prelude.lua", "places.lua", "admission.lua", "end.lua"),
            depart: script!("prelude.lua", "places.lua", "depart.lua"),
            call: script!("prelude.lua", "places.lua", "call.lua"),
            sweep: script!("prelude.lua", "places.lua", "sweep.lua"),
            follow: script!("prelude.lua", "places.lua", "admission.lua", "summary.lua", "follow.lua"),
            propose: script!("prelude.lua", "places.lua", "admission.lua", "limits.lua", "propose.lua"),
            pause: script!("prelude.lua", "pause.lua"),
        }
    }
}

/// A step's arguments: what the caller has seen, then the step's own.
pub(super) struct Arguments(Vec<Vec<u8>>);

impl Arguments {
    /// What every step is told first.
    pub(super) fn begin(caller: &Caller, clock: Option<&Clock>) -> Self {
        let mut list = Self(Vec::with_capacity(16));
        let seen = caller.seen;
        list.number(seen.epoch.get()).number(seen.version).number(seen.last.get());
        list.number(seen.frontier.get()).number(seen.claims);
        list.instant(caller.latest.unwrap_or_default()).instant(caller.expires.unwrap_or_default());
        match clock {
            Some(clock) => list.instant(clock.now()),
            None => list.text(""),
        };
        list
    }

    pub(super) fn into_inner(self) -> Vec<Vec<u8>> {
        self.0
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(text.as_bytes().to_vec());
        self
    }

    pub(super) fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.text(&number.into().to_string())
    }

    pub(super) fn flag(&mut self, flag: bool) -> &mut Self {
        self.number(u64::from(flag))
    }

    pub(super) fn instant(&mut self, at: Timestamp) -> &mut Self {
        self.number(at.as_millis())
    }

    pub(super) fn span(&mut self, span: Duration) -> &mut Self {
        self.number(u64::try_from(span.as_millis()).unwrap_or(u64::from(u32::MAX)))
    }

    pub(super) fn visitor(&mut self, visitor: VisitorId) -> &mut Self {
        self.0.push(visitor.as_bytes().to_vec());
        self
    }

    pub(super) fn proposal(&mut self, proposal: &Proposal) -> &mut Self {
        let limits = &proposal.limits;
        self.number(limits.total_active_users).number(limits.new_users_per_minute).number(limits.burst);
        self.number(limits.max_line_length).flag(limits.queue_all);
        self.instant(limits.opens_at.unwrap_or_default()).instant(limits.closes_at.unwrap_or_default());
        let (source, loaded) = match proposal.source {
            LimitsSource::Config(loaded) => ("config", loaded),
            LimitsSource::Operator => ("operator", Timestamp::ZERO),
            LimitsSource::Reset => ("reset", Timestamp::ZERO),
        };
        self.text(source).instant(loaded)
    }
}
