//! The world: an agenda in virtual time, several stores, a network between, and chance.

mod calls;
mod chaos;
mod ticks;
mod visits;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use queue_core::invariants::{Invariant, Violation};
use queue_core::recovery::House;
use queue_core::store::{Caller, GatewayId, LimitsSource, MemoryStore, Opening, Proposal, Terms};
use queue_core::{Life, Limits, RoomId, Timestamp};

use self::calls::{Letter, Parcel};
use super::gateway::Gateway;
use super::judge::Judge;
use super::plants::{Plant, Planted};
use super::stores::{Node, Stores};
use super::visitor::{Stage, Visitor};
use crate::support::clock::TestClock;
use crate::support::dice::Dice;

const TICK: Duration = Duration::from_millis(100);
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Short, so that a minute sees whole lives.
pub(super) const TERMS: Terms = Terms {
    session: Duration::from_secs(20),
    max_session: Duration::from_secs(50),
    heard_for: Duration::from_secs(4),
    claim_window: Duration::from_secs(6),
    retention: Duration::from_secs(6),
};

/// The longest interval that visitors are told.
pub(super) const LONGEST_POLL: Duration = Duration::from_secs(2);

/// How long everybody may take when all is well again.
const CALM: Duration = Duration::from_secs(400);

/// How long an empty house is watched for ghosts in the line.
const AFTERMATH: Duration = Duration::from_secs(60);

/// Prints every step of a seed that is replayed.
pub(super) const TALK: &str = "USHER_TALK";

/// What happens next.
enum Happening {
    Tick(usize),
    Sweep(usize),
    Flush(usize, GatewayId),
    Visit(usize),
    Arrive(Parcel),
    Answer(Parcel, Letter),
    Chaos,
    Keep,
    Rejoin(usize),
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
    room: RoomId,
    plant: Option<Plant>,
    house: House,
    stores: Stores,
    gateways: Vec<Gateway>,
    visitors: Vec<Visitor>,
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    happenings: u64,
    processes: u64,
    servers: u64,
    storm: Duration,
    calm: bool,
    /// Nobody is left since then.
    empty_since: Option<Timestamp>,
    judge: Judge,
    counts: Counts,
    talks: bool,
}

impl World {
    pub(super) fn new(seed: u64, plant: Option<Plant>) -> Self {
        let mut dice = Dice::new(seed);
        let clock = TestClock::new();
        let now = clock.now();
        let limits = chaos::some_limits(&mut dice);
        let proposal = Proposal { limits: limits.clone(), source: LimitsSource::Config(now) };
        let store = Planted::new(MemoryStore::new(clock.host()), plant);
        let room = RoomId::new("concert").unwrap();
        let opening = Opening { proposal: proposal.clone(), life: Life::first(now), listen: Duration::ZERO };
        store.open(&room, Caller::newcomer(), opening).unwrap();
        let node = Node { store, server: 0, frozen_until: Timestamp::ZERO, is_up: true };
        let mut judge = Judge::new(limits, now);
        judge.nodes[0].is_empty = false;
        let count = dice.within(2..5);
        let mut world = Self {
            gateways: (0..count).map(|number| Gateway::new(GatewayId(number), 0, judge.newcomer())).collect(),
            visitors: Vec::new(),
            storm: dice.span_ms(40_000..90_000),
            dice,
            clock,
            room,
            plant,
            house: House {
                proposal,
                session: TERMS.session,
                longest_poll: LONGEST_POLL,
                collect: Duration::ZERO,
                salt: 0,
            },
            stores: Stores { nodes: vec![node], primary: 0, copies: VecDeque::new() },
            agenda: BTreeMap::new(),
            happenings: 0,
            processes: count,
            servers: 0,
            calm: false,
            empty_since: None,
            judge,
            counts: Counts::new(),
            talks: std::env::var_os(TALK).is_some(),
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
        let storm = self.storm.as_millis() as u64;
        for number in 0..self.dice.within(60..160) as u32 {
            let visitor = Visitor::new(number, self.gateways.len(), &mut self.dice);
            self.visitors.push(visitor);
            let arrival = self.dice.span_ms(0..storm * 9 / 10);
            self.after(arrival, Happening::Visit(number as usize));
        }
        self.after(Duration::from_secs(1), Happening::Keep);
        self.after(Duration::from_secs(2), Happening::Chaos);
        self.after(self.storm, Happening::Calm);
    }

    fn after(&mut self, span: Duration, happening: Happening) {
        self.happenings += 1;
        self.agenda.insert((self.clock.now() + span, self.happenings), happening);
    }

    fn count(&mut self, what: &'static str) {
        self.say(|| what.to_owned());
        *self.counts.entry(what).or_default() += 1;
    }

    /// Prints what happens, when one seed is replayed and somebody asked.
    fn say(&self, what: impl FnOnce() -> String) {
        if self.talks {
            println!("{:>9.3} {}", self.clock.now().since(TestClock::START).as_secs_f64(), what());
        }
    }

    /// Runs until everybody went home, and on until nobody's ghost is in the line.
    pub(super) fn run(mut self) -> Result<(Counts, Duration), Found> {
        let outcome = self.run_on();
        let after = self.clock.now().since(TestClock::START);
        match outcome {
            Ok(()) => {
                self.judge.counts.iter().for_each(|(what, count)| *self.counts.entry(what).or_default() += count);
                Ok((self.counts, after))
            }
            Err(violation) => Err(Found { violation, happening: self.happenings, after }),
        }
    }

    fn run_on(&mut self) -> Result<(), Violation> {
        while let Some(((at, _), happening)) = self.agenda.pop_first() {
            self.clock.pass(at.since(self.clock.now()));
            self.happen(happening)?;
            let now = self.clock.now();
            if self.calm && self.empty_since.is_none() && self.visitors.iter().all(is_home) {
                self.empty_since = Some(now);
            }
            if self.empty_since.is_some_and(|since| since + AFTERMATH < now) {
                return self.no_ghosts();
            }
            if self.judge.has_twins() {
                // Nothing can be said of two lines that give the same places.
                self.count("runs ended: two servers began the same life");
                return Ok(());
            }
            if now > TestClock::START + self.storm + CALM {
                break;
            }
        }
        let left: Vec<&Visitor> = self.visitors.iter().filter(|visitor| !is_home(visitor)).collect();
        let detail = format!("{} visitors were not served in {CALM:?} of calm, first {:?}", left.len(), left.first());
        if left.is_empty() { Ok(()) } else { Err(Violation { invariant: Invariant::N11, detail }) }
    }

    /// Nobody waits behind ghosts: whoever never comes back leaves the line.
    fn no_ghosts(&self) -> Result<(), Violation> {
        let ghosts = self.gateways.iter().filter_map(|gateway| gateway.mirror.as_ref());
        let ghosts =
            ghosts.map(|mirror| (mirror.summary.line_length, mirror.line.frontier())).find(|(waiting, _)| *waiting > 0);
        let detail = format!("nobody is left, and in the line: {ghosts:?}");
        if ghosts.is_none() { Ok(()) } else { Err(Violation { invariant: Invariant::N8, detail }) }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Tick(gateway) => {
                self.after(TICK, Happening::Tick(gateway));
                self.tick(gateway)
            }
            Happening::Sweep(gateway) => {
                self.after(SWEEP_EVERY, Happening::Sweep(gateway));
                self.housekeep(gateway);
                Ok(())
            }
            Happening::Flush(gateway, process) => {
                if self.gateways[gateway].id == process {
                    let requests = self.gateways[gateway].outbox.take();
                    requests.into_iter().for_each(|request| self.send(gateway, request));
                }
                Ok(())
            }
            Happening::Visit(visitor) => self.visit(visitor),
            Happening::Arrive(parcel) => self.arrive(parcel),
            Happening::Answer(parcel, letter) => self.deliver(parcel, letter),
            Happening::Chaos => self.wreak(),
            Happening::Keep => {
                self.keep();
                Ok(())
            }
            Happening::Rejoin(gateway) => {
                let primary = self.stores.primary;
                self.gateways[gateway].connect(primary);
                Ok(())
            }
            Happening::Calm => self.calm_down(),
        }
    }

    /// The limits of the calm: everybody can be served.
    fn generous() -> Limits {
        Limits {
            total_active_users: 60,
            new_users_per_minute: 3_000,
            burst: 20,
            max_line_length: 5_000,
            queue_all: false,
            opens_at: None,
            closes_at: None,
        }
    }
}

const fn is_home(visitor: &Visitor) -> bool {
    matches!(visitor.stage, Stage::Done)
}
