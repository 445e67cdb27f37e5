//! Bugs planted in recovery: what the judge must find, or it judges nothing.

use std::cell::Cell;
use std::time::Duration;

use queue_core::invariants::Invariant;
use queue_core::store::{
    Ask, Caller, Claimed, Follow, GatewayId, Inside, LimitsSource, MemoryStore, Merged, Opening, Proposal, Stamped,
    Store, StoreError, Terms, Testimony,
};
use queue_core::{HighWater, Place, RoomId, Timestamp, Version};

use crate::simulation::wire::{Answer, Reply, Request, at_once};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    BeginFillsTheBucket,
    BeginWithoutHold,
    ResumeWithoutGap,
    MergeForgetsSpent,
    MergeForgetsEnded,
    MergeForgetsTheRules,
    MergeForgetsTheFrontier,
    UnknownSessionsAreFree,
    RestoreByTokenRefused,
    TokensAreNotTold,
    MovedStoreIsServed,
    UnmergedAreServed,
    CollectedByReport,
    SweepIgnoresGateways,
    SweepRightAfterALoss,
    LateCallsCount,
    UnconfirmedTicketsAreHandedOut,
}

impl Plant {
    pub(super) const ALL: &[Self] = &[
        Self::BeginFillsTheBucket,
        Self::BeginWithoutHold,
        Self::ResumeWithoutGap,
        Self::MergeForgetsSpent,
        Self::MergeForgetsEnded,
        Self::MergeForgetsTheRules,
        Self::MergeForgetsTheFrontier,
        Self::UnknownSessionsAreFree,
        Self::RestoreByTokenRefused,
        Self::TokensAreNotTold,
        Self::MovedStoreIsServed,
        Self::UnmergedAreServed,
        Self::CollectedByReport,
        Self::SweepIgnoresGateways,
        Self::SweepRightAfterALoss,
        Self::LateCallsCount,
        Self::UnconfirmedTicketsAreHandedOut,
    ];

    /// The invariants as which it may be found.
    pub(super) fn breaks(self) -> &'static [Invariant] {
        use Invariant::{N1, N2, N3, N5, N6, N7, N9, N12, N13, N18};
        match self {
            Self::BeginFillsTheBucket => &[N7],
            Self::BeginWithoutHold => &[N3],
            // It gives what was given, and counts nobody of the lost tail.
            Self::MovedStoreIsServed => &[N2, N6],
            // What it gives was given before, or what was called is not any more.
            Self::ResumeWithoutGap => &[N2, N9],
            Self::MergeForgetsSpent => &[N13],
            Self::MergeForgetsEnded => &[N12],
            Self::MergeForgetsTheRules => &[N5, N6],
            Self::MergeForgetsTheFrontier => &[N9],
            Self::UnknownSessionsAreFree => &[N6],
            Self::RestoreByTokenRefused | Self::TokensAreNotTold => &[N1],
            // What such a gateway remembers is lost: whichever comes to light first.
            Self::UnmergedAreServed => &[N1, N5, N6, N9, N12, N13],
            Self::CollectedByReport => &[N3],
            Self::SweepIgnoresGateways | Self::SweepRightAfterALoss => &[N1],
            Self::LateCallsCount => &[N18],
            Self::UnconfirmedTicketsAreHandedOut => &[N6, N7],
        }
    }
}

/// A retention so long that the present period is the first one ever: a sweep then takes everybody for silent.
const ENDLESS: Duration = Duration::from_secs(1 << 40);

/// A store with a bug in front of a sound one.
pub(super) struct Planted {
    sound: MemoryStore,
    plant: Option<Plant>,
    /// When the last life began, by shared time.
    began: Cell<Option<Timestamp>>,
    /// Shared time of the last answer.
    latest: Cell<Timestamp>,
}

impl Planted {
    pub(super) fn new(sound: MemoryStore, plant: Option<Plant>) -> Self {
        Self { sound, plant, began: Cell::new(None), latest: Cell::default() }
    }

    /// The store behind the bug: what really is.
    pub(super) const fn sound(&self) -> &MemoryStore {
        &self.sound
    }

    /// What the store has from now on.
    pub(super) fn restore(&mut self, sound: MemoryStore) {
        self.sound = sound;
    }

    /// Begins the room if nobody ever did.
    pub(super) fn open(&self, room: &RoomId, caller: Caller, opening: Opening) -> Result<Stamped<()>, StoreError> {
        let Stamped { mark, time, host, .. } = at_once(self.sound.open(room, caller, opening))?;
        Ok(Stamped { mark, time, host, value: () })
    }

    pub(super) fn follow(
        &self,
        room: &RoomId,
        caller: Caller,
        after: Option<Version>,
    ) -> Result<Stamped<Follow>, StoreError> {
        let answer = at_once(self.sound.follow(room, self.caller(caller), after));
        match &answer {
            Err(error) if self.serves(error) => at_once(self.sound.follow(room, stranger(caller), None)),
            _ => answer,
        }
    }

    /// Carries out a call.
    pub(super) fn execute(&mut self, request: &Request, room: &RoomId, caller: Caller, terms: Terms) -> Answer {
        let mut request = request.clone();
        let mut caller = self.caller(caller);
        let mut terms = terms;
        match &mut request {
            Request::Merge(testimony) => self.spoil(testimony, room, &mut caller),
            Request::Join(arrivals) if self.plant == Some(Plant::CollectedByReport) => {
                arrivals.iter_mut().for_each(|arrival| arrival.since = None);
            }
            Request::Hear(heard) if self.plant == Some(Plant::SweepIgnoresGateways) => heard.gateway = GatewayId(0),
            Request::Sweep if self.plant == Some(Plant::SweepRightAfterALoss) && self.is_young(terms) => {
                terms.retention = ENDLESS;
            }
            _ => {}
        }
        let mut answer = request.execute(&self.sound, room, caller, terms);
        if matches!(&answer, Err(error) if self.serves(error)) {
            answer = request.execute(&self.sound, room, stranger(caller), terms);
        }
        if let Ok(stamped) = &mut answer {
            self.spoil_answer(&request, stamped);
        }
        answer
    }

    /// What a caller says of itself, as the bug sees it.
    fn caller(&self, caller: Caller) -> Caller {
        match self.plant {
            Some(Plant::LateCallsCount) => Caller { expires: None, ..caller },
            Some(Plant::ResumeWithoutGap) => stranger(caller),
            _ => caller,
        }
    }

    fn serves(&self, error: &StoreError) -> bool {
        self.plant == Some(Plant::UnmergedAreServed) && matches!(error, StoreError::Unmerged(_))
    }

    /// Whether the life is younger than the retention, by the time of the last answer.
    fn is_young(&self, terms: Terms) -> bool {
        self.began.get().is_some_and(|began| self.latest.get() < began + terms.retention)
    }

    fn spoil(&mut self, testimony: &mut Testimony, room: &RoomId, caller: &mut Caller) {
        match self.plant {
            Some(Plant::BeginFillsTheBucket) => self.begin_full(room, testimony, caller),
            Some(Plant::BeginWithoutHold) => testimony.hold = Duration::ZERO,
            Some(Plant::ResumeWithoutGap) if matches!(testimony.ask, Ask::Resume { .. }) => {
                self.own(room);
                testimony.ask = Ask::Add;
            }
            Some(Plant::MergeForgetsSpent) => {
                testimony.spent.clear();
                testimony.past.iter_mut().for_each(|past| past.spent.clear());
                testimony.sessions.iter_mut().for_each(|(_, place)| *place = Place::NOTHING);
            }
            Some(Plant::MergeForgetsEnded) => testimony.ended.clear(),
            Some(Plant::MergeForgetsTheRules) => {
                (testimony.control.version, testimony.control.paused) = (0, false);
                testimony.control.limits.total_active_users += 5;
            }
            Some(Plant::MergeForgetsTheFrontier) => testimony.frontier = Place::NOTHING,
            Some(Plant::UnknownSessionsAreFree) => testimony.inside = Inside::default(),
            Some(Plant::TokensAreNotTold) => {
                let remembered = testimony.past.iter().map(|past| past.spent.len()).sum::<usize>() > 0;
                testimony.past.retain(|past| remembered && !past.spent.is_empty());
            }
            _ => {}
        }
    }

    /// A room that was lost begins as if it had never been, with a full bucket.
    fn begin_full(&self, room: &RoomId, testimony: &mut Testimony, caller: &mut Caller) {
        let Ask::Begin(life) = testimony.ask else { return };
        if at_once(self.sound.follow(room, Caller::newcomer(), None)).is_err_and(|error| error == StoreError::Absent) {
            // Not as an operator's word: that would be a later one than any that is remembered.
            let source = LimitsSource::Config(Timestamp::ZERO);
            let proposal = Proposal { limits: testimony.control.limits.clone(), source };
            let _ =
                at_once(self.sound.open(room, Caller::newcomer(), Opening { proposal, life, listen: Duration::ZERO }));
            testimony.ask = Ask::Add;
            *caller = stranger(*caller);
        }
    }

    /// It goes on where it is, as if the data had been its own all along.
    fn own(&mut self, room: &RoomId) {
        let copies = (0..MOST_SERVERS).map(|server| self.sound.copy(server));
        let mut own = copies.filter(|copy| at_once(copy.follow(room, Caller::newcomer(), None)).is_ok());
        if let Some(own) = own.next() {
            self.sound = own;
        }
    }

    fn spoil_answer(&self, request: &Request, stamped: &mut Stamped<Reply>) {
        let time = stamped.time;
        self.latest.set(time);
        match (&mut stamped.value, request) {
            (Reply::Merged(Merged::Began | Merged::Resumed), _) => self.began.set(Some(time)),
            (Reply::Claimed(answers), Request::Claim(claims)) if self.plant == Some(Plant::RestoreByTokenRefused) => {
                for (claim, claimed) in claims.iter().zip(answers) {
                    if claim.place.epoch < stamped.mark.epoch() && *claimed == Claimed::NotCalled {
                        *claimed = Claimed::Ended;
                    }
                }
            }
            _ => {}
        }
    }
}

/// The most servers of one run.
const MOST_SERVERS: u64 = 64;

/// The same caller as if it had seen nothing.
fn stranger(caller: Caller) -> Caller {
    Caller { seen: HighWater::NOTHING, ..caller }
}
