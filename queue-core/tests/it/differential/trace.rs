//! A random trace: several callers, calls that come late or twice, clocks that jump.

use std::collections::BTreeMap;
use std::time::Duration;

use queue_core::bits::PlaceState;
use queue_core::store::{
    Arrival, Call, Called, Caller, Claim, Claimed, Departure, Ending, Heard, Joined, LimitsSource, Merged, Opening,
    Proposal, Renewal, Session, Stamped, Store, StoreError, Terms, Testimony,
};
use queue_core::{Limits, Place, RoomId, Timestamp, VisitorId};

use super::answer::{Answer, Room, Told, comparable};
use crate::support::caller::Memory;
use crate::support::clock::TestClock;
use crate::support::dice::Dice;
use crate::support::world::opening;
use crate::support::{TERMS, limits, ticket, visitor};

/// Few enough that they meet again in every way, enough for a line.
const VISITORS: u64 = 60;
const CALLERS: usize = 3;

/// A claim window so short that random looks miss it.
pub(super) const WINDOWED: Terms = Terms { claim_window: Duration::from_secs(2), ..TERMS };

/// A call.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Open(Opening),
    /// Boxed: it is large beside the others.
    Merge(Box<Testimony>),
    Join(Vec<Arrival>),
    Claim(Vec<Claim>),
    Renew(Vec<Renewal>),
    End(Vec<Ending>),
    Depart(Vec<Departure>),
    Call(Call),
    Hear(Heard),
    Collect(Duration),
    Sweep,
    Follow(Option<u64>),
    Propose(Proposal),
    Pause(bool),
}

impl Op {
    pub(super) async fn apply(
        &self,
        store: &dyn Store,
        room: &RoomId,
        caller: Caller,
    ) -> Result<Stamped<Answer>, StoreError> {
        fn map<T>(stamped: Stamped<T>, answer: impl FnOnce(T) -> Answer) -> Stamped<Answer> {
            Stamped { mark: stamped.mark, time: stamped.time, host: stamped.host, value: answer(stamped.value) }
        }
        Ok(match self.clone() {
            Self::Open(opening) => {
                map(store.open(room, caller, opening).await?, |s| Answer::Summary(Box::new(comparable(s))))
            }
            Self::Merge(testimony) => map(store.merge(room, caller, *testimony).await?, Answer::Merged),
            Self::Hear(heard) => map(store.hear(room, caller, heard).await?, |()| Answer::Done),
            Self::Collect(span) => map(store.collect(room, caller, span).await?, |()| Answer::Done),
            Self::Join(items) => map(store.join(room, caller, WINDOWED, items).await?, Answer::Joined),
            Self::Claim(items) => map(store.claim(room, caller, WINDOWED, items).await?, Answer::Claimed),
            Self::Renew(items) => map(store.renew(room, caller, WINDOWED, items).await?, Answer::Renewed),
            Self::End(items) => map(store.end(room, caller, items).await?, Answer::Flags),
            Self::Depart(items) => map(store.depart(room, caller, items).await?, Answer::Flags),
            Self::Call(call) => map(store.call(room, caller, WINDOWED, call).await?, Answer::Called),
            Self::Sweep => map(store.sweep(room, caller, WINDOWED).await?, Answer::Swept),
            Self::Follow(after) => {
                map(store.follow(room, caller, after).await?, |follow| Answer::Follow(Box::new(Room::of(follow))))
            }
            Self::Propose(proposal) => {
                map(store.propose(room, caller, proposal).await?, |accepted| Answer::Flags(vec![accepted]))
            }
            Self::Pause(paused) => map(store.pause(room, caller, paused).await?, |()| Answer::Done),
        })
    }
}

/// What the trace did, so that a trace that did nothing is noticed.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<&'static str, u32>);

impl Tally {
    /// Traces in which nothing happens prove nothing.
    pub(super) fn assert_was_worth_it(&self) {
        println!("{:?}", self.0);
        for what in [
            "placed",
            "straight",
            "full",
            "closed",
            "claimed",
            "offered",
            "missed",
            "not called",
            "refused",
            "ended",
            "unknown",
            "moved",
            "silent",
            "timeout",
            "behind",
            "collected",
            "settled",
            "began",
            "resumed",
            "added",
        ] {
            assert!(self.0.contains_key(what), "nobody was ever {what}: {:?}", self.0);
        }
        // Lives are what recovery is about: each way of taking up a testimony happens often.
        for what in ["began", "resumed", "added"] {
            assert!(self.0[what] >= 50, "too few lives: {:?}", self.0);
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// Chooses calls.
pub(super) struct Trace {
    pub(super) dice: Dice,
    pub(super) clock: TestClock,
    callers: [Memory; CALLERS],
    /// Every place that was ever told to somebody.
    tokens: Vec<(VisitorId, Place)>,
    /// Calls still under way: made by whom, as what, and seen how often.
    under_way: Vec<(usize, Caller, Op)>,
    pub(super) room: Option<Room>,
    opened: bool,
    /// So many sweeps come in a row, as regularly as gateways make them: without a gap silence counts.
    sweeps: u32,
    tally: Tally,
}

impl Trace {
    pub(super) fn new(seed: u64, clock: TestClock) -> Self {
        Self {
            dice: Dice::new(seed),
            clock,
            callers: Default::default(),
            tokens: Vec::new(),
            under_way: Vec::new(),
            room: None,
            opened: false,
            sweeps: 0,
            tally: Tally::default(),
        }
    }

    /// The next call to reach the store, with what its caller had seen when it was made.
    pub(super) fn next_call(&mut self) -> (Op, Caller, usize) {
        self.let_time_pass();
        let due = self.dice.below(1 + 2 * self.under_way.len() as u64) as usize;
        if due < self.under_way.len() && self.dice.chance(1, 2) {
            let (by, caller, op) = self.under_way[due].clone();
            if self.dice.chance(2, 3) {
                self.under_way.swap_remove(due);
            }
            return (op, caller, by);
        }
        let by = self.dice.below(CALLERS as u64) as usize;
        let mut caller = self.callers[by].caller(self.clock.now());
        let op = self.choose();
        if self.dice.chance(if matches!(op, Op::Merge(_)) { 30 } else { 1 }, 100) {
            caller.seen.version += self.dice.below(2);
            caller.seen.claims += self.dice.below(2);
        }
        if self.dice.chance(1, 8) && self.under_way.len() < 10 {
            self.under_way.push((by, caller, op.clone()));
        }
        (op, caller, by)
    }

    fn let_time_pass(&mut self) {
        if self.sweeps > 0 {
            let span = self.dice.span_ms(700..2_200);
            return self.clock.pass(span);
        }
        let span = match self.dice.below(20) {
            0..10 => self.dice.span_ms(0..40),
            10..16 => self.dice.span_ms(40..400),
            16..19 => self.dice.span_ms(400..4_000),
            _ => self.dice.span_ms(4_000..90_000),
        };
        self.clock.pass(span);
        match self.dice.below(200) {
            0 => self.clock.jump_forward(Duration::from_millis(1) * 10_u32.pow(self.dice.within(2..8) as u32)),
            1 => self.clock.jump_back(Duration::from_millis(1) * 10_u32.pow(self.dice.within(2..8) as u32)),
            _ => {}
        }
    }

    fn choose(&mut self) -> Op {
        if !self.opened {
            self.opened = self.dice.chance(1, 2);
            return if self.opened { Op::Open(self.opening()) } else { Op::Sweep };
        }
        if self.sweeps > 0 {
            self.sweeps -= 1;
            return Op::Sweep;
        }
        if self.dice.chance(1, 150) {
            self.sweeps = self.dice.within(10..40) as u32;
        }
        match self.dice.below(100) {
            0..22 => Op::Join(self.some(10, Self::arrival)),
            22..45 => Op::Claim(self.some(8, Self::claim)),
            45..50 => Op::Renew(
                self.some(4, |trace| Renewal { session: trace.session(), span: trace.dice.span_ms(0..200_000) }),
            ),
            50..55 => Op::End(self.some(4, |trace| Ending { session: trace.session() })),
            55..60 => Op::Hear(self.heard()),
            60..63 if self.dice.chance(1, 6) => Op::Collect(self.dice.span_ms(0..3_000)),
            60..68 => Op::Merge(Box::new(self.testimony())),
            68..72 => Op::Depart(self.some(3, |trace| {
                let (visitor, place) = trace.token();
                Departure { visitor, place }
            })),
            72..84 => Op::Call(self.decision()),
            84..88 => Op::Sweep,
            88..93 => Op::Follow(self.version()),
            93..96 => Op::Propose(self.proposal()),
            96..98 => Op::Pause(self.dice.chance(1, 4)),
            _ => Op::Open(self.opening()),
        }
    }

    fn arrival(&mut self) -> Arrival {
        let since = self.dice.chance(1, 6).then(|| self.near_now());
        Arrival { visitor: visitor(self.dice.below(VISITORS) as u32), since }
    }

    /// A session as a ticket may tell of it: mostly long over.
    pub(super) fn session(&mut self) -> Session {
        let ends = if self.dice.chance(1, 3) { self.near_now() } else { Timestamp::ZERO };
        ticket(visitor(self.dice.below(VISITORS) as u32), ends)
    }

    fn some<T>(&mut self, most: u64, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.dice.below(most + 1)).map(|_| one(self)).collect()
    }

    pub(super) fn near_now(&mut self) -> Timestamp {
        let back = self.dice.span_ms(0..10_000);
        self.clock.now() - back + self.dice.span_ms(0..100_000)
    }

    /// A token, mostly a recent one; sometimes one that this store never gave.
    pub(super) fn token(&mut self) -> (VisitorId, Place) {
        let recent = self.tokens.len().saturating_sub(40);
        let from = if self.dice.chance(3, 4) { recent } else { 0 };
        let place = crate::support::place(1_000_000);
        let (visitor, place) = self.dice.one_of(&self.tokens[from..]).unwrap_or((visitor(0), place));
        if self.dice.chance(1, 50) {
            return (visitor, Place { sequence: place.sequence.plus(1_000_000), ..place });
        }
        (visitor, place)
    }

    fn claim(&mut self) -> Claim {
        let (visitor, place) = self.token();
        Claim { visitor, place, take: self.dice.chance(2, 3) }
    }

    /// Mostly the next few who wait, now and then what no gateway would say.
    fn decision(&mut self) -> Call {
        let nothing = Call { from: Place::NOTHING, limits_version: 1, called: Vec::new() };
        let Some(Room { summary, news: Told::Whole { frontier, lives, .. } }) = self.room.clone() else {
            return nothing;
        };
        let some = self.dice.below(6) as usize;
        let places = lives.iter().flat_map(|life| {
            (1_u32..).zip(&life.states).map(|(number, state)| (life.life.mark().plus(number), *state))
        });
        let mut called: Vec<Place> = places
            .filter(|(place, _)| *place > frontier)
            .filter(|(_, state)| *state == PlaceState::Waiting || self.dice.chance(1, 20))
            .map(|(place, _)| place)
            .take(some)
            .collect();
        let mut from = frontier;
        match self.dice.below(40) {
            0 => called.push(summary.mark.last.plus(1)),
            1 => called = vec![frontier],
            2 => from = frontier.plus(1),
            _ => {}
        }
        Call { from, limits_version: summary.limits_version - self.dice.below(20) / 19, called }
    }

    fn version(&mut self) -> Option<u64> {
        let newest = self.room.as_ref().map_or(0, |room| room.summary.mark.version);
        let back = match self.dice.below(4) {
            0 => return None,
            1 => self.dice.below(newest + 1),
            _ => self.dice.below(20),
        };
        Some(newest.saturating_sub(back))
    }

    pub(super) fn limits(&mut self) -> Limits {
        let usual = Limits {
            total_active_users: self.dice.within(1..8) as u32,
            new_users_per_minute: self.dice.within(7..3_000) as u32,
            burst: self.dice.within(1..6) as u32,
            max_line_length: self.dice.within(5..40) as u32,
            queue_all: self.dice.chance(1, 8),
            ..limits()
        };
        match self.dice.below(8) {
            0 => Limits { opens_at: Some(self.near_now()), ..usual },
            1 => Limits { closes_at: Some(self.near_now()), ..usual },
            _ => usual,
        }
    }

    fn proposal(&mut self) -> Proposal {
        let limits = match &self.room {
            Some(room) if self.dice.chance(1, 4) => room.summary.limits.clone(),
            _ => self.limits(),
        };
        let source = match self.dice.below(4) {
            0 => LimitsSource::Operator,
            1 => LimitsSource::Reset,
            _ => LimitsSource::Config(self.near_now()),
        };
        Proposal { limits, source }
    }

    fn opening(&mut self) -> Opening {
        let limits = self.limits();
        opening(limits, self.dice.below(1_000))
    }

    /// Takes up an answer; sometimes it is lost on the way.
    pub(super) fn note(&mut self, by: usize, op: &Op, answer: &Result<Stamped<Answer>, StoreError>) {
        if self.dice.chance(4, 5) {
            self.callers[by].note(self.clock.now(), answer);
        }
        // A gateway that was started again has seen nothing.
        if matches!(answer, Err(StoreError::Unmerged(_) | StoreError::Behind(_))) && self.dice.chance(1, 3) {
            self.callers[by] = Memory::default();
        }
        self.count(answer);
        let Ok(Stamped { value: Answer::Joined(joined), .. }) = answer else { return };
        let Op::Join(arrivals) = op else { return };
        for (Arrival { visitor, .. }, joined) in arrivals.iter().zip(joined) {
            if let Joined::Placed { place, .. } | Joined::Admitted { place, .. } = *joined
                && !self.tokens.contains(&(*visitor, place))
            {
                self.tokens.push((*visitor, place));
            }
        }
    }

    /// Sees the room as it is: decisions are made on it.
    pub(super) fn look(&mut self, room: &Room) {
        self.room = Some(room.clone());
    }

    fn count(&mut self, answer: &Result<Stamped<Answer>, StoreError>) {
        match answer {
            Err(error) => self.tally.count(error.label()),
            Ok(Stamped { value: Answer::Joined(joined), .. }) => joined.iter().for_each(|one| {
                self.tally.count(match one {
                    Joined::Placed { .. } => "placed",
                    Joined::Admitted { .. } | Joined::Unconfirmed { .. } => "straight",
                    Joined::Collected { .. } => "collected",
                    Joined::Full => "full",
                    Joined::Closed => "closed",
                });
            }),
            Ok(Stamped { value: Answer::Claimed(claimed), .. }) => claimed.iter().for_each(|one| {
                self.tally.count(match one {
                    Claimed::Admitted(_) | Claimed::Unconfirmed(_) => "claimed",
                    Claimed::Offered => "offered",
                    Claimed::Missed => "missed",
                    Claimed::NotCalled => "not called",
                    Claimed::Refused(_) => "refused",
                    Claimed::Ended => "ended",
                    Claimed::Unknown => "unknown",
                });
            }),
            Ok(Stamped { value: Answer::Called(Called::Moved), .. }) => self.tally.count("moved"),
            Ok(Stamped { value: Answer::Swept(swept), .. }) if swept.silent > 0 => self.tally.count("silent"),
            Ok(Stamped { value: Answer::Swept(swept), .. }) if swept.settled > 0 => self.tally.count("settled"),
            Ok(Stamped { value: Answer::Merged(merged), .. }) => self.tally.count(match merged {
                Merged::Began => "began",
                Merged::Resumed => "resumed",
                Merged::Added => "added",
            }),
            Ok(_) => {}
        }
    }

    /// Adds what this trace did to the tally of all.
    pub(super) fn tell(self, all: &mut Tally) {
        for (what, count) in self.tally.0 {
            *all.0.entry(what).or_default() += count;
        }
    }
}
