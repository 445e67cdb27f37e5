//! The world: an agenda in virtual time, a network that delays, doubles and loses, and chance.

mod chaos;
mod visits;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use queue_core::invariants::{Invariant, Violation};
use queue_core::store::{Caller, Event, GatewayId, LimitsSource, MemoryStore, Mirror, News, Proposal, Store, Terms};
use queue_core::{Limits, RoomId, Timestamp, Version};

use super::gateway::{Gateway, first};
use super::sabotage::{Plant, Sabotaged};
use super::shadow::{Shadow, Step};
use super::visitor::{Stage, Visitor};
use super::wire::{Answer, Parcel, Reply, Request, at_once};
use crate::support::caller::Memory;
use crate::support::clock::TestClock;
use crate::support::dice::Dice;
use crate::support::world::opening;

const TICK: Duration = Duration::from_millis(100);
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How long things go wrong, and how long everybody may take afterwards.
const CHAOS: Duration = Duration::from_secs(30);
const CALM: Duration = Duration::from_secs(200);

/// Short, so that half a minute sees whole lives.
pub(super) const TERMS: Terms = Terms {
    session: Duration::from_secs(8),
    max_session: Duration::from_secs(20),
    heard_for: Duration::from_secs(2),
    claim_window: Duration::from_secs(4),
    retention: Duration::from_secs(6),
};

/// What happens next.
enum Happening {
    Tick(usize),
    Sweep(usize),
    Flush(usize),
    Visit(usize),
    Arrive(Parcel),
    Answer(Parcel, Answer),
    Chaos,
    Calm,
}

/// A violation and when it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) violation: Violation,
    happening: u64,
    after: Duration,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at happening {}, after {:?})", self.violation, self.happening, self.after)
    }
}

/// What a run did, by name.
pub(super) type Counts = BTreeMap<&'static str, u64>;

/// One seed's world.
pub(super) struct World {
    dice: Dice,
    clock: TestClock,
    store: Sabotaged,
    plant: Option<Plant>,
    room: RoomId,
    gateways: Vec<Gateway>,
    visitors: Vec<Visitor>,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    happenings: u64,
    restarts: u64,
    calm: bool,
    truth: Mirror,
    auditor: Memory,
    shadow: Shadow,
    counts: Counts,
}

impl World {
    pub(super) fn new(seed: u64, plant: Option<Plant>) -> Self {
        let mut dice = Dice::new(seed);
        let clock = TestClock::new();
        let store = Sabotaged::new(MemoryStore::new(clock.host()), plant);
        let room = RoomId::new("concert").unwrap();
        let limits = chaos::some_limits(&mut dice, clock.now());
        let opened = at_once(store.open(&room, Caller::newcomer(), opening(limits, 0))).unwrap();
        let follow = at_once(store.sound().follow(&room, Caller::newcomer(), None));
        let mut auditor = Memory::default();
        auditor.note(clock.now(), &follow);
        let truth = Mirror::new(follow.unwrap().value).unwrap();
        let shadow = Shadow::new(TERMS, &opened.value);
        let mut world = Self {
            gateways: (0..dice.within(2..5)).map(|number| Gateway::new(GatewayId(number))).collect(),
            visitors: Vec::new(),
            dice,
            clock,
            store,
            plant,
            room,
            agenda: BTreeMap::new(),
            happenings: 0,
            restarts: 0,
            calm: false,
            truth,
            auditor,
            shadow,
            counts: Counts::new(),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        for gateway in 0..self.gateways.len() {
            let offset = self.dice.span_ms(0..100);
            self.after(offset, Happening::Tick(gateway));
            self.after(offset + SWEEP_EVERY, Happening::Sweep(gateway));
        }
        let count = self.dice.within(60..200) as u32;
        for number in 0..count {
            self.visitors.push(Visitor::new(number, &mut self.dice));
            let arrival = self.dice.span_ms(0..20_000);
            self.after(arrival, Happening::Visit(number as usize));
        }
        self.after(Duration::from_secs(1), Happening::Chaos);
        self.after(CHAOS, Happening::Calm);
    }

    fn after(&mut self, span: Duration, happening: Happening) {
        self.happenings += 1;
        self.agenda.insert((self.clock.now() + span, self.happenings), happening);
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Runs until everybody went home.
    pub(super) fn run(mut self) -> Result<Counts, Found> {
        match self.run_on() {
            Ok(()) => Ok(self.counts),
            Err(violation) => {
                let after = self.clock.now().since(TestClock::START);
                Err(Found { violation, happening: self.happenings, after })
            }
        }
    }

    fn run_on(&mut self) -> Result<(), Violation> {
        while let Some(((at, _), happening)) = self.agenda.pop_first() {
            self.clock.pass(at.since(self.clock.now()));
            self.happen(happening)?;
            let home = self.calm && self.visitors.iter().all(|visitor| matches!(visitor.stage, Stage::Done));
            if home || self.clock.now() > TestClock::START + CHAOS + CALM {
                break;
            }
        }
        let left = self.visitors.iter().filter(|visitor| !matches!(visitor.stage, Stage::Done)).count();
        let detail = format!("{left} visitors were not served in {CALM:?} of calm");
        if left == 0 { Ok(()) } else { Err(Violation { invariant: Invariant::N11, detail }) }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Tick(gateway) => {
                self.after(TICK, Happening::Tick(gateway));
                self.tick(gateway)
            }
            Happening::Sweep(gateway) => {
                self.after(SWEEP_EVERY, Happening::Sweep(gateway));
                if self.gateways[gateway].stalled_until <= self.clock.now() {
                    self.send_marks(gateway);
                    self.send(gateway, Request::Sweep);
                }
                Ok(())
            }
            Happening::Flush(gateway) => {
                let requests = self.gateways[gateway].outbox.take();
                requests.into_iter().for_each(|request| self.send(gateway, request));
                Ok(())
            }
            Happening::Visit(visitor) => self.visit(visitor),
            Happening::Arrive(parcel) => {
                let answer = self.execute(&parcel.request, parcel.caller, false)?;
                if !self.calm && self.dice.chance(1, 30) {
                    self.count("answers lost");
                    return Ok(());
                }
                let back = self.transit();
                self.after(back, Happening::Answer(parcel, answer));
                Ok(())
            }
            Happening::Answer(parcel, answer) => {
                self.hear(&parcel, answer);
                Ok(())
            }
            Happening::Chaos => self.wreak(),
            Happening::Calm => self.calm_down(),
        }
    }

    /// How long something is under way: mostly little, sometimes longer than anybody waits.
    fn transit(&mut self) -> Duration {
        match self.dice.below(20) {
            0 if !self.calm => self.dice.span_ms(150..900),
            1..4 => self.dice.span_ms(15..150),
            _ => self.dice.span_ms(0..15),
        }
    }

    /// Once a period is over, whom the gateway heard in it goes to the store.
    pub(super) fn send_marks(&mut self, gateway: usize) {
        if let Some(heard) = self.gateways[gateway].due_marks(self.clock.now()) {
            self.send(gateway, Request::Hear(heard));
        }
    }

    fn send(&mut self, gateway: usize, request: Request) {
        let caller = self.gateways[gateway].memory.caller(self.clock.now());
        let parcel = Parcel { gateway, process: self.gateways[gateway].id, request, caller };
        if !self.calm {
            if self.dice.chance(1, 60) {
                return self.count("calls lost");
            }
            if self.dice.chance(1, 30) {
                self.count("calls doubled");
                let transit = self.transit();
                self.after(transit, Happening::Arrive(parcel.clone()));
            }
        }
        let transit = self.transit();
        self.after(transit, Happening::Arrive(parcel));
    }

    /// Lets a call take effect and checks everything.
    fn execute(&mut self, request: &Request, caller: Caller, decided_now: bool) -> Result<Answer, Violation> {
        let answer = request.execute(&self.store, &self.room, caller, TERMS);
        self.tell(&answer);
        let before = self.truth.summary.clone();
        let events = self.audit()?;
        let step = Step {
            request,
            answer: &answer,
            before: &before,
            truth: &self.truth,
            events: &events,
            at_once: decided_now,
            now: self.clock.now(),
        };
        self.shadow.step(&step)?;
        first(queue_core::invariants::sweep(Some(&before), &self.truth))?;
        Ok(answer)
    }

    /// Reads what really is, behind every planted bug; answers what changed.
    fn audit(&mut self) -> Result<Vec<(Version, Event)>, Violation> {
        let now = self.clock.now();
        loop {
            let (caller, after) = (self.auditor.caller(now), self.truth.version());
            let answer = at_once(self.store.sound().follow(&self.room, caller, Some(after)));
            self.auditor.note(now, &answer);
            match answer {
                Ok(stamped) => {
                    let News::Changes(changes) = &stamped.value.news else { panic!("the auditor missed changes") };
                    let events =
                        changes.iter().flat_map(|change| change.events.iter().map(|event| (change.version, *event)));
                    let events = events.collect();
                    self.truth.take(stamped.value).unwrap();
                    return Ok(events);
                }
                Err(error) if error.is_late() => {}
                Err(error) => {
                    return Err(Violation {
                        invariant: Invariant::N9,
                        detail: format!("the auditor was told: {error}"),
                    });
                }
            }
        }
    }

    /// A gateway looks, and calls whom it can.
    fn tick(&mut self, number: usize) -> Result<(), Violation> {
        let now = self.clock.now();
        if self.gateways[number].stalled_until > now {
            return Ok(());
        }
        let gateway = &mut self.gateways[number];
        let (caller, after) = (gateway.memory.caller(now), gateway.mirror.as_ref().map(Mirror::version));
        let answer = at_once(self.store.follow(&self.room, caller, after));
        gateway.memory.note(now, &answer);
        let Ok(stamped) = answer else { return Ok(()) };
        gateway.take(stamped.value)?;
        let Some(mirror) = &gateway.mirror else { return Ok(()) };
        self.shadow.knows_the_ended(mirror)?;
        let owed = Shadow::owes_a_call(&self.truth, mirror.summary.time);
        let frontier = self.truth.line.frontier();
        let call = gateway.decide(self.plant);
        if let Some(call) = call {
            if !self.calm && self.dice.chance(1, 10) {
                self.send(number, Request::Call(call));
                return Ok(());
            }
            let caller = self.gateways[number].memory.caller(now);
            let answer = self.execute(&Request::Call(call), caller, true)?;
            self.gateways[number].memory.note(now, &answer);
        }
        if owed && self.truth.line.frontier() == frontier {
            let detail = format!("nobody was called, and {:?}", self.truth.summary);
            return Err(Violation { invariant: Invariant::N11, detail });
        }
        Ok(())
    }

    /// An operator's word, at once.
    fn decree(&mut self, request: &Request) -> Result<(), Violation> {
        let caller = self.auditor.caller(self.clock.now());
        let answer = self.execute(request, caller, false)?;
        if matches!(&answer, Err(error) if error.is_late()) {
            let caller = self.auditor.caller(self.clock.now());
            self.execute(request, caller, false)?.ok();
        }
        Ok(())
    }

    fn calm_down(&mut self) -> Result<(), Violation> {
        self.calm = true;
        self.decree(&Request::Pause(false))?;
        let limits = Limits {
            total_active_users: 40,
            new_users_per_minute: 3_000,
            burst: 20,
            max_line_length: 1_000,
            queue_all: false,
            opens_at: None,
            closes_at: None,
        };
        self.decree(&Request::Propose(Proposal { limits, source: LimitsSource::Operator }))
    }

    /// Counts what was answered.
    fn tell(&mut self, answer: &Answer) {
        use queue_core::store::{Called, Claimed, Joined};
        match answer {
            Err(error) => self.count(error.label()),
            Ok(stamped) => match &stamped.value {
                Reply::Joined(all) => {
                    for joined in all {
                        self.count(match joined {
                            Joined::Placed { .. } => "placed",
                            Joined::Admitted { .. } => "straight in",
                            Joined::Collected { .. } => "collected",
                            Joined::Unconfirmed { .. } => "unconfirmed",
                            Joined::Full => "full",
                            Joined::Closed => "closed",
                        });
                    }
                }
                Reply::Claimed(all) => {
                    for claimed in all {
                        self.count(match claimed {
                            Claimed::Admitted(_) => "claimed",
                            Claimed::Missed => "missed",
                            Claimed::Offered => "offered",
                            Claimed::Refused(_) => "refused",
                            Claimed::NotCalled => "not called",
                            Claimed::Ended | Claimed::Unknown => "ended",
                            Claimed::Unconfirmed(_) => "unconfirmed",
                        });
                    }
                }
                Reply::Called(Called::Moved) => self.count("calls"),
                Reply::Called(Called::Stale) => self.count("stale calls"),
                Reply::Swept(swept) if swept.silent > 0 => self.count("silent"),
                _ => {}
            },
        }
    }
}
