//! The scripts, each a mechanical atomic step in its own file, and their arguments.

use std::sync::LazyLock;
use std::time::Duration;

use super::link::Script;
use crate::store::{Ask, Caller, Clock, Control, LimitsSource, Proof, Proposal, Session, Testimony};
use crate::{Limits, Place, Timestamp, VisitorId};

/// All steps; invoked by their hash and loaded when the server does not know them.
pub(super) static SCRIPTS: LazyLock<Scripts> = LazyLock::new(Scripts::new);

/// One script a step.
pub(super) struct Scripts {
    pub(super) open: Script,
    pub(super) merge: Script,
    pub(super) join: Script,
    pub(super) claim: Script,
    pub(super) renew: Script,
    pub(super) end: Script,
    pub(super) depart: Script,
    pub(super) call: Script,
    pub(super) hear: Script,
    pub(super) collect: Script,
    pub(super) sweep: Script,
    pub(super) follow: Script,
    pub(super) propose: Script,
    pub(super) pause: Script,
}

/// A step: the room, what may come before the fence, the fence, and the step itself.
macro_rules! script {
    ($($file:literal),+) => {
        script!(; $($file),+)
    };
    ($($before:literal)?; $($file:literal),+) => {
        Script::new(concat!(
            include_str!("base.lua"),
            $(include_str!($before),)?
            include_str!("clock.lua"),
            include_str!("fence.lua"),
            include_str!("events.lua"),
            $(include_str!($file)),+
        ))
    };
}

impl Scripts {
    fn new() -> Self {
        Self {
            open: script!("create.lua"; "places.lua", "admission.lua", "limits.lua", "summary.lua", "open.lua"),
            merge: Script::new(concat!(
                include_str!("base.lua"),
                include_str!("clock.lua"),
                include_str!("events.lua"),
                include_str!("places.lua"),
                include_str!("admission.lua"),
                include_str!("merge.lua")
            )),
            join: script!("places.lua", "admission.lua", "join.lua"),
            claim: script!("places.lua", "admission.lua", "claim.lua"),
            renew: script!("places.lua", "admission.lua", "renew.lua"),
            end: script!("places.lua", "admission.lua", "end.lua"),
            depart: script!("places.lua", "depart.lua"),
            call: script!("places.lua", "call.lua"),
            hear: script!("hear.lua"),
            collect: script!("collect.lua"),
            sweep: script!("places.lua", "admission.lua", "silence.lua", "sweep.lua"),
            follow: script!("places.lua", "admission.lua", "summary.lua", "follow.lua"),
            propose: script!("places.lua", "admission.lua", "limits.lua", "propose.lua"),
            pause: script!("pause.lua"),
        }
    }
}

/// Which argument says which server this is, from 0.
const SERVER: usize = 9;

/// A step's arguments: what the caller has seen, then the step's own.
pub(super) struct Arguments(Vec<Vec<u8>>);

impl Arguments {
    /// What every step is told first.
    pub(super) fn begin(caller: &Caller, clock: Option<&Clock>) -> Self {
        let mut list = Self(Vec::with_capacity(16));
        let seen = caller.seen;
        list.mark(seen.life.mark()).number(seen.version).mark(seen.last).mark(seen.frontier).number(seen.claims);
        list.number(seen.steps);
        list.instant(caller.latest.unwrap_or_default()).instant(caller.expires.unwrap_or_default());
        match clock {
            Some(clock) => list.instant(clock.now()),
            None => list.text(""),
        };
        // Where the server will stand.
        list.text("");
        list
    }

    /// All of them for this server, by the name of its process; empty where that is not known.
    pub(super) fn with_server<'a>(&'a self, server: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let (before, after) = self.0.split_at(SERVER.min(self.0.len()));
        let before = before.iter().map(Vec::as_slice);
        before.chain([server.as_bytes()]).chain(after.iter().skip(1).map(Vec::as_slice))
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(text.as_bytes().to_vec());
        self
    }

    pub(super) fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.text(&number.into().to_string())
    }

    pub(super) fn mark(&mut self, mark: Place) -> &mut Self {
        self.number(mark.score())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.push(bytes.to_vec());
        self
    }

    pub(super) fn session(&mut self, session: &Session) -> &mut Self {
        self.visitor(session.id.visitor).instant(session.id.started).instant(session.ends)
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
        self.limits(&proposal.limits, proposal.source)
    }

    fn limits(&mut self, limits: &Limits, source: LimitsSource) -> &mut Self {
        self.number(limits.total_active_users).number(limits.new_users_per_minute).number(limits.burst);
        self.number(limits.max_line_length).flag(limits.queue_all);
        self.instant(limits.opens_at.unwrap_or_default()).instant(limits.closes_at.unwrap_or_default());
        let (source, loaded) = match source {
            LimitsSource::Config(loaded) => ("config", loaded),
            LimitsSource::Operator => ("operator", Timestamp::ZERO),
            LimitsSource::Reset => ("reset", Timestamp::ZERO),
        };
        self.text(source).instant(loaded)
    }

    pub(super) fn testimony(&mut self, testimony: &Testimony) -> &mut Self {
        let Control { limits, version, source, paused } = &testimony.control;
        self.limits(limits, *source).number(*version).flag(*paused);
        let (ask, life, known_since) = match testimony.ask {
            Ask::Begin(life) => ("begin", life.mark(), 0),
            Ask::Resume { life, known_since } => ("resume", life.mark(), known_since),
            Ask::Add => ("add", Place::NOTHING, 0),
        };
        self.text(ask).mark(life).number(known_since);
        self.text(if testimony.proof == Proof::Memory { "memory" } else { "token" }).span(testimony.hold);
        self.number(testimony.inside.claims);
        match testimony.inside.most {
            Some(most) => self.number(most),
            None => self.text("-1"),
        };
        self.instant(testimony.inside.until).instant(testimony.time).mark(testimony.frontier);
        self.span(testimony.collect).instant(testimony.inside.seen_at);
        self.list(&testimony.past, |list, past| {
            list.mark(past.life.mark()).mark(past.last);
            list.list(&past.spent, |list, (chunk, bits)| {
                list.number(*chunk).bytes(bits);
            });
        });
        self.list(&testimony.spent, |list, place| {
            list.mark(*place);
        });
        self.list(&testimony.joins, |list, (visitor, place)| {
            list.visitor(*visitor).mark(*place);
        });
        for sessions in [&testimony.sessions, &testimony.unconfirmed] {
            self.list(sessions, |list, (session, place)| {
                list.visitor(session.id.visitor).mark(*place).instant(session.id.started).instant(session.ends);
            });
        }
        self.list(&testimony.ended, |list, (visitor, until)| {
            list.visitor(*visitor).instant(*until);
        })
    }

    /// A list after its length.
    fn list<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T)) -> &mut Self {
        self.number(items.len() as u64);
        items.iter().for_each(|item| each(self, item));
        self
    }
}
