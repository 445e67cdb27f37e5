//! A gateway: follows the room, remembers what it answered, tells a store that remembers less, decides releases.

use queue_core::recovery::{House, Trouble, Witness, plan};
use queue_core::release::{Release, ReleaseView};
use queue_core::store::{Call, GatewayId, Mirror, PastStretch, Stamped, StoreError, Summary, Testimony};
use queue_core::{Place, Timestamp};

use super::facts::Knowledge;
use crate::simulation::marks::Marks;
use crate::simulation::outbox::Outbox;
use crate::simulation::wire::{Reply, Request};
use crate::support::caller::Memory;

/// One gateway's process.
pub(super) struct Gateway {
    /// Another one with every start.
    pub(super) id: GatewayId,
    pub(super) memory: Memory,
    pub(super) witness: Witness,
    pub(super) mirror: Option<Mirror>,
    /// Which server the mirror is of, and when it looked, by true time.
    pub(super) looked: (usize, Timestamp),
    /// The summary of the last look, whatever became of the mirror.
    pub(super) before: Option<Summary>,
    pub(super) trouble: Option<Trouble>,
    /// A testimony is under way until then.
    pub(super) telling_until: Timestamp,
    /// Of which lives it tells.
    pub(super) telling: Vec<PastStretch>,
    /// What of it was not sent yet.
    pub(super) parts: Vec<Testimony>,
    /// The next look must be a whole one.
    pub(super) anew: bool,
    pub(super) marks: Marks,
    pub(super) outbox: Outbox,
    /// Provisional tokens were issued that no store has collected.
    pub(super) issued: bool,
    /// Which server it talks to, over which connection, and since when it cannot.
    pub(super) node: usize,
    pub(super) connection: u32,
    pub(super) cut_until: Timestamp,
    pub(super) stalled_until: Timestamp,
    /// When the last answer arrives that is under way: on one connection answers do not overtake each other.
    pub(super) answers_until: Timestamp,
    /// What it must know, and has told if the store did not.
    pub(super) knows: Knowledge,
    /// What it was answered by a store that has lost it since, until the next testimony tells of it.
    pub(super) untold: Option<Knowledge>,
    /// What of that is being told.
    saying: Option<Knowledge>,
}

impl Gateway {
    /// One that was started now.
    pub(super) fn new(id: GatewayId, node: usize, knows: Knowledge) -> Self {
        Self {
            id,
            memory: Memory::default(),
            witness: Witness::default(),
            mirror: None,
            looked: (node, Timestamp::ZERO),
            before: None,
            trouble: None,
            telling_until: Timestamp::ZERO,
            telling: Vec::new(),
            parts: Vec::new(),
            anew: true,
            marks: Marks::default(),
            outbox: Outbox::default(),
            issued: false,
            node,
            connection: 0,
            cut_until: Timestamp::ZERO,
            stalled_until: Timestamp::ZERO,
            answers_until: Timestamp::ZERO,
            knows,
            untold: None,
            saying: None,
        }
    }

    /// Shared time as it knows it at true time `now`; else its own clock's.
    pub(super) fn time(&self, now: Timestamp) -> Timestamp {
        self.memory.caller(now).own_time().unwrap_or(now)
    }

    /// Whether it answers from a memory that follows the store.
    pub(super) fn is_well(&self, now: Timestamp) -> bool {
        self.mirror.is_some()
            && self.trouble.is_none()
            && !self.anew
            && self.cut_until <= now
            && self.stalled_until <= now
    }

    /// Talks to another server from now on.
    pub(super) fn connect(&mut self, node: usize) {
        if self.node != node {
            self.node = node;
            self.connection += 1;
            self.telling_until = Timestamp::ZERO;
        }
    }

    /// What it has to tell the store now, if anything; an absent room that nobody remembers is begun instead.
    pub(super) fn testimony(&mut self, trouble: Trouble, house: &House, now: Timestamp) -> Option<Told> {
        let time = self.time(now);
        let house = House { salt: self.id.0 as u32, ..house.clone() };
        match plan(trouble, &self.witness, self.mirror.as_ref(), &house, time) {
            Some(testimony) => {
                self.witness.tells();
                self.saying = self.untold.clone();
                self.telling = testimony.past.clone();
                Some(Told::Testimony(Box::new(testimony)))
            }
            None if trouble == Trouble::Absent => Some(Told::FirstStart),
            None => {
                self.trouble = None;
                None
            }
        }
    }

    /// The store has heard what it remembers.
    pub(super) fn was_heard(&mut self) {
        self.witness.told(&self.telling);
        self.saying.take().iter().for_each(|said| self.knows.merge(said));
        self.untold.take_if(|untold| untold.is_known_to(&self.knows));
        self.trouble = None;
        self.telling_until = Timestamp::ZERO;
        // The old memory stays until the new one is there: the store may be lost again before.
        self.anew = true;
        self.marks.bring_again();
    }

    /// What a store that carries out a request of its must know then.
    pub(super) fn knew(&self, request: &Request) -> Knowledge {
        let mut knew = self.knows.clone();
        if matches!(request, Request::Merge(_)) {
            self.saying.iter().for_each(|said| knew.merge(said));
        }
        knew
    }

    /// Takes up what an answer shows of the store.
    pub(super) fn note<T>(&mut self, now: Timestamp, answer: &Result<Stamped<T>, StoreError>) {
        self.memory.note(now, answer);
        match answer {
            Ok(stamped) => self.witness.saw(&stamped.mark),
            Err(error) if error.needs_memory() => self.trouble = Trouble::of(error),
            Err(_) => {}
        }
    }

    /// Remembers what it answered.
    pub(super) fn witness(&mut self, request: &Request, stamped: &Stamped<Reply>) {
        let at = stamped.time;
        match (request, &stamped.value) {
            (Request::Join(items), Reply::Joined(answers)) => self.witness.joined(at, items, answers),
            (Request::Claim(items), Reply::Claimed(answers)) => self.witness.claimed(at, items, answers),
            (Request::Renew(_), Reply::Renewed(answers)) => self.witness.renewed(answers),
            (Request::End(items), Reply::Flags(_)) => self.witness.ended(at, items),
            (Request::Depart(items), Reply::Flags(_)) => self.witness.departed(at, items),
            _ => {}
        }
    }

    /// The call it would make now.
    pub(super) fn decide(&self) -> Option<Call> {
        let mirror = self.mirror.as_ref()?;
        let summary = &mirror.summary;
        let view = ReleaseView {
            admission: summary.admission(),
            line: &mirror.line,
            reserved: summary.reserved,
            bucket: summary.bucket,
        };
        let Release::Call { to, .. } = view.decide(summary.time) else { return None };
        let mut called: Vec<Place> = Vec::new();
        let mut at = mirror.line.frontier();
        while at < to {
            at = mirror.line.nth_waiting_after(at, 1)?;
            called.push(at);
        }
        Some(Call { from: mirror.line.frontier(), limits_version: summary.limits_version, called })
    }
}

/// What a gateway has to say.
pub(super) enum Told {
    Testimony(Box<Testimony>),
    FirstStart,
}
