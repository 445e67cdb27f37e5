//! Planted bugs: what the checks must find, or they check nothing.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use queue_core::admission::Refusal;
use queue_core::bits::PlaceState;
use queue_core::invariants::Invariant;
use queue_core::store::{
    Arrival, Call, Called, Caller, Claim, Claimed, Departure, Ending, Event, Follow, Heard, Joined, MemoryStore,
    Merged, News, Opening, Pending, Proposal, Renewal, Renewed, Session, Stamped, Store, Summary, Swept, Terms,
    Testimony,
};
use queue_core::{Place, RoomId, SessionId, Timestamp, Version, VisitorId};

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    ClaimIgnoresCap,
    ClaimIgnoresRate,
    ClaimIgnoresPause,
    ClaimIgnoresSpent,
    JumpMintsTokens,
    FrontierMovesBack,
    JoinCountsTwice,
    FullLineTakesMore,
    StraightEntryPastTheLine,
    SweepRemovesPresent,
    GoneReturnsElsewhere,
    ReturnsAreNotTold,
    EndsAreNotTold,
    RenewalHasNoBound,
    ReleaseIgnoresReserved,
    ReleaseStarves,
    PositionForgetsDepartures,
}

impl Plant {
    pub(super) const ALL: &[Self] = &[
        Self::ClaimIgnoresCap,
        Self::ClaimIgnoresRate,
        Self::ClaimIgnoresPause,
        Self::ClaimIgnoresSpent,
        Self::JumpMintsTokens,
        Self::FrontierMovesBack,
        Self::JoinCountsTwice,
        Self::FullLineTakesMore,
        Self::StraightEntryPastTheLine,
        Self::SweepRemovesPresent,
        Self::GoneReturnsElsewhere,
        Self::ReturnsAreNotTold,
        Self::EndsAreNotTold,
        Self::RenewalHasNoBound,
        Self::ReleaseIgnoresReserved,
        Self::ReleaseStarves,
        Self::PositionForgetsDepartures,
    ];

    /// The invariant as which it must be found.
    pub(super) fn breaks(self) -> Invariant {
        match self {
            Self::SweepRemovesPresent | Self::GoneReturnsElsewhere => Invariant::N1,
            Self::JoinCountsTwice => Invariant::N2,
            Self::StraightEntryPastTheLine => Invariant::N3,
            Self::PositionForgetsDepartures => Invariant::N4,
            Self::ClaimIgnoresPause => Invariant::N5,
            Self::ClaimIgnoresCap | Self::ReleaseIgnoresReserved => Invariant::N6,
            Self::ClaimIgnoresRate | Self::JumpMintsTokens => Invariant::N7,
            Self::ReturnsAreNotTold => Invariant::N8,
            Self::FrontierMovesBack => Invariant::N9,
            Self::FullLineTakesMore => Invariant::N10,
            Self::ReleaseStarves => Invariant::N11,
            Self::EndsAreNotTold | Self::RenewalHasNoBound => Invariant::N12,
            Self::ClaimIgnoresSpent => Invariant::N13,
        }
    }
}

/// A store with a bug in front of a sound one.
pub(super) struct Sabotaged {
    sound: MemoryStore,
    plant: Option<Plant>,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    joined: HashSet<VisitorId>,
    follows: u32,
    stale: Option<Follow>,
}

impl Sabotaged {
    pub(super) fn new(sound: MemoryStore, plant: Option<Plant>) -> Self {
        Self { sound, plant, notes: Mutex::default() }
    }

    /// The store behind the bug: what really is.
    pub(super) fn sound(&self) -> &MemoryStore {
        &self.sound
    }

    fn caller(&self, caller: Caller) -> Caller {
        match self.plant {
            Some(Plant::JumpMintsTokens) => Caller { latest: None, expires: None, ..caller },
            _ => caller,
        }
    }

    /// Lets somebody in whom the rules would not: the place is spent, the session made up.
    async fn smuggle(&self, room: &RoomId, visitor: VisitorId, place: Place, time: Timestamp, terms: Terms) -> Session {
        let gone = vec![Departure { visitor, place }];
        let _ = self.sound.depart(room, Caller::newcomer(), gone).await;
        let ends = Timestamp::from_secs((time + terms.session).as_secs());
        Session { id: SessionId::new(visitor, time), ends }
    }

    async fn spoil_join(&self, room: &RoomId, terms: Terms, visitor: VisitorId, answer: &mut Stamped<Joined>) {
        let (last, frontier) = (answer.mark.last, answer.mark.frontier);
        match (self.plant, answer.value) {
            (Some(Plant::StraightEntryPastTheLine), Joined::Placed { place, .. })
                if place > frontier.plus(3) && frontier > Place::NOTHING =>
            {
                let session = self.smuggle(room, visitor, place, answer.time, terms).await;
                answer.value = Joined::Admitted { place, session };
            }
            (Some(Plant::FullLineTakesMore), Joined::Full) => {
                let place = last.plus(1);
                answer.value = Joined::Placed { place, joined: answer.time };
            }
            _ => {}
        }
    }

    async fn spoil_claim(&self, room: &RoomId, terms: Terms, claim: Claim, answer: &mut Claimed, time: Timestamp) {
        let Claim { visitor, place, take } = claim;
        let lets_in = match (self.plant, *answer) {
            (Some(Plant::ClaimIgnoresCap), Claimed::Refused(Refusal::CohortFull)) => take,
            (Some(Plant::ClaimIgnoresRate), Claimed::Refused(Refusal::RateLimited(_))) => take,
            (Some(Plant::ClaimIgnoresPause), Claimed::Refused(Refusal::Paused | Refusal::NotOpen(_))) => take,
            (Some(Plant::ClaimIgnoresSpent), Claimed::Admitted(session)) => session.id.started != time,
            _ => false,
        };
        if lets_in {
            *answer = Claimed::Admitted(self.smuggle(room, visitor, place, time, terms).await);
        }
    }

    /// Whoever was gone gets a new place at the end.
    async fn move_gone(&self, room: &RoomId, terms: Terms, claim: &Claim) {
        let Ok(follow) = self.sound.follow(room, Caller::newcomer(), None).await else { return };
        let News::Whole(snapshot) = follow.value.news else { return };
        if snapshot.line.state(claim.place) == Some(PlaceState::Gone) {
            let _ = self.smuggle(room, claim.visitor, claim.place, follow.time, terms).await;
            let _ = self
                .sound
                .join(room, Caller::newcomer(), terms, vec![Arrival { visitor: claim.visitor, since: None }])
                .await;
        }
    }

    fn spoil_follow(&self, follow: Follow) -> Follow {
        let mut notes = self.notes.lock().unwrap();
        notes.follows += 1;
        let hides = |event: &Event| match self.plant {
            Some(Plant::ReturnsAreNotTold) => matches!(event, Event::Place(_, PlaceState::Waiting)),
            Some(Plant::EndsAreNotTold) => matches!(event, Event::Ended(..)),
            _ => false,
        };
        let Follow { summary, mut news } = follow;
        if let News::Changes(changes) = &mut news {
            changes.iter_mut().for_each(|change| change.events.retain(|event| !hides(event)));
        }
        let follow = Follow { summary, news };
        if self.plant != Some(Plant::FrontierMovesBack) {
            return follow;
        }
        // Now and then a replica answers that has not heard of the latest.
        match &notes.stale {
            Some(stale) if notes.follows.is_multiple_of(50) => stale.clone(),
            _ => {
                if notes.follows % 50 == 1 && matches!(follow.news, News::Whole(_)) {
                    notes.stale = Some(follow.clone());
                }
                follow
            }
        }
    }
}

/// Another id for the same visitor, as if two stores had counted them.
fn alias(visitor: VisitorId) -> VisitorId {
    let mut bits = *visitor.as_bytes();
    bits[0] ^= 0x80;
    VisitorId::from_entropy(bits)
}

impl Store for Sabotaged {
    fn open<'a>(&'a self, room: &'a RoomId, caller: Caller, opening: Opening) -> Pending<'a, Summary> {
        self.sound.open(room, caller, opening)
    }

    fn merge<'a>(&'a self, room: &'a RoomId, caller: Caller, testimony: Testimony) -> Pending<'a, Merged> {
        self.sound.merge(room, caller, testimony)
    }

    fn hear<'a>(&'a self, room: &'a RoomId, caller: Caller, heard: Heard) -> Pending<'a, ()> {
        self.sound.hear(room, self.caller(caller), heard)
    }

    fn collect<'a>(&'a self, room: &'a RoomId, caller: Caller, span: Duration) -> Pending<'a, ()> {
        self.sound.collect(room, caller, span)
    }

    fn join<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Arrival>,
    ) -> Pending<'a, Vec<Joined>> {
        Box::pin(async move {
            let mut asked = items.clone();
            if self.plant == Some(Plant::JoinCountsTwice) {
                let mut notes = self.notes.lock().unwrap();
                for Arrival { visitor, .. } in &mut asked {
                    if !notes.joined.insert(*visitor) {
                        *visitor = alias(*visitor);
                    }
                }
            }
            let Stamped { mark, time, host, mut value } =
                self.sound.join(room, self.caller(caller), terms, asked).await?;
            for (Arrival { visitor, .. }, joined) in items.into_iter().zip(&mut value) {
                let mut answer = Stamped { mark, time, host, value: *joined };
                self.spoil_join(room, terms, visitor, &mut answer).await;
                *joined = answer.value;
            }
            Ok(Stamped { mark, time, host, value })
        })
    }

    fn claim<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Claim>,
    ) -> Pending<'a, Vec<Claimed>> {
        Box::pin(async move {
            if self.plant == Some(Plant::GoneReturnsElsewhere) {
                for claim in &items {
                    self.move_gone(room, terms, claim).await;
                }
            }
            let mut answer = self.sound.claim(room, self.caller(caller), terms, items.clone()).await?;
            for (claim, claimed) in items.into_iter().zip(&mut answer.value) {
                self.spoil_claim(room, terms, claim, claimed, answer.time).await;
            }
            Ok(answer)
        })
    }

    fn renew<'a>(
        &'a self,
        room: &'a RoomId,
        caller: Caller,
        terms: Terms,
        items: Vec<Renewal>,
    ) -> Pending<'a, Vec<Renewed>> {
        let terms = match self.plant {
            Some(Plant::RenewalHasNoBound) => Terms { max_session: terms.max_session * 10, ..terms },
            _ => terms,
        };
        self.sound.renew(room, self.caller(caller), terms, items)
    }

    fn end<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Ending>) -> Pending<'a, Vec<bool>> {
        self.sound.end(room, self.caller(caller), items)
    }

    fn depart<'a>(&'a self, room: &'a RoomId, caller: Caller, items: Vec<Departure>) -> Pending<'a, Vec<bool>> {
        self.sound.depart(room, self.caller(caller), items)
    }

    fn call<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms, call: Call) -> Pending<'a, Called> {
        self.sound.call(room, self.caller(caller), terms, call)
    }

    fn sweep<'a>(&'a self, room: &'a RoomId, caller: Caller, terms: Terms) -> Pending<'a, Swept> {
        let terms = match self.plant {
            Some(Plant::SweepRemovesPresent) => Terms { retention: terms.retention / 8, ..terms },
            _ => terms,
        };
        self.sound.sweep(room, self.caller(caller), terms)
    }

    fn follow<'a>(&'a self, room: &'a RoomId, caller: Caller, after: Option<Version>) -> Pending<'a, Follow> {
        Box::pin(async move {
            let whole = self.plant == Some(Plant::FrontierMovesBack);
            let Stamped { mark, time, host, value } =
                self.sound.follow(room, self.caller(caller), after.filter(|_| !whole)).await?;
            Ok(Stamped { mark, time, host, value: self.spoil_follow(value) })
        })
    }

    fn propose<'a>(&'a self, room: &'a RoomId, caller: Caller, proposal: Proposal) -> Pending<'a, bool> {
        self.sound.propose(room, self.caller(caller), proposal)
    }

    fn pause<'a>(&'a self, room: &'a RoomId, caller: Caller, paused: bool) -> Pending<'a, ()> {
        self.sound.pause(room, self.caller(caller), paused)
    }
}
