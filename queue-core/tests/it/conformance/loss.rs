//! Loss of data: what gateways and tokens remember comes back, and nothing that was used up.

use std::time::Duration;

use queue_core::admission::Refusal;
use queue_core::bits::PlaceState;
use queue_core::line::Standing;
use queue_core::recovery::{House, LONGEST_LAG, Trouble, Witness, plan};
use queue_core::store::{
    Arrival, Claim, Claimed, Ending, Joined, Merged, Mirror, Renewal, Renewed, Session, StoreError,
};
use queue_core::{Limits, Place, SessionId, VisitorId};

use super::joining::shut;
use crate::support::caller::Memory;
use crate::support::world::{World, opening};
use crate::support::{limits, place, visitor};

const SECOND: Duration = Duration::from_secs(1);
const LONGEST_POLL: Duration = Duration::from_secs(5);
const HOLD: Duration = Duration::from_secs(10);

/// A gateway with its memory, as it is in production.
struct Gateway {
    memory: Memory,
    witness: Witness,
    mirror: Option<Mirror>,
}

impl Gateway {
    /// One that was started now.
    fn new() -> Self {
        Self { memory: Memory::default(), witness: Witness::default(), mirror: None }
    }

    async fn look(&mut self, w: &World) {
        let caller = self.memory.caller(w.clock.now());
        let answer = w.store.follow(&w.room, caller, None).await;
        self.memory.note(w.clock.now(), &answer);
        let followed = answer.unwrap();
        self.witness.saw(&followed.mark);
        self.witness.looked(followed.time, followed.mark.life, followed.mark.version);
        self.mirror = Mirror::new(followed.value);
    }

    async fn join(&mut self, w: &World, visitors: impl IntoIterator<Item = u32>) -> Vec<Joined> {
        let items: Vec<Arrival> =
            visitors.into_iter().map(|number| Arrival { visitor: visitor(number), since: None }).collect();
        let caller = self.memory.caller(w.clock.now());
        let answer = w.store.join(&w.room, caller, w.terms, items.clone()).await;
        self.memory.note(w.clock.now(), &answer);
        let joined = answer.unwrap();
        self.witness.saw(&joined.mark);
        self.witness.joined(joined.time, &items, &joined.value);
        joined.value
    }

    async fn claim(&mut self, w: &World, number: u32, place: Place) -> Result<Claimed, StoreError> {
        let items = vec![Claim { visitor: visitor(number), place, take: true }];
        let caller = self.memory.caller(w.clock.now());
        let answer = w.store.claim(&w.room, caller, w.terms, items.clone()).await;
        self.memory.note(w.clock.now(), &answer);
        let claimed = answer?;
        self.witness.saw(&claimed.mark);
        self.witness.claimed(claimed.time, &items, &claimed.value);
        Ok(claimed.value[0])
    }

    /// Says what it remembers, after this refusal.
    async fn heal(&mut self, w: &World, trouble: Trouble) -> Merged {
        let proposal = opening(limits(), 0).proposal;
        let house =
            House { proposal, session: w.terms.session, longest_poll: LONGEST_POLL, collect: Duration::ZERO, salt: 0 };
        let testimony = plan(trouble, &self.witness, self.mirror.as_ref(), &house, w.clock.now()).unwrap();
        let past = testimony.past.clone();
        let mut merged = None;
        for part in testimony.parts() {
            let caller = self.memory.caller(w.clock.now());
            let answer = w.store.merge(&w.room, caller, part).await;
            self.memory.note(w.clock.now(), &answer);
            let answer = answer.unwrap();
            self.witness.saw(&answer.mark);
            merged.get_or_insert(answer.value);
        }
        self.witness.told(&past);
        self.mirror = None;
        merged.unwrap()
    }
}

fn placed(joined: &Joined) -> Place {
    match joined {
        Joined::Placed { place, .. } | Joined::Admitted { place, .. } => *place,
        other => panic!("{other:?}"),
    }
}

fn session_of(joined: &Joined) -> Session {
    let Joined::Admitted { session, .. } = joined else { panic!("{joined:?}") };
    *session
}

/// One in, four waiting, nobody more may enter.
async fn occupied(w: &mut World) -> (Gateway, Vec<Joined>) {
    w.open(Limits { total_active_users: 1, ..limits() }).await;
    let mut gateway = Gateway::new();
    let joined = gateway.join(w, 1..=5).await;
    // Joins just answered would be told one by one.
    w.pass(LONGEST_LAG + SECOND);
    gateway.look(w).await;
    (gateway, joined)
}

/// N1, N6, N9: everything is gone. A new epoch, calls held, old places ahead of new ones and each its own again once it
/// is heard; what was spent stays spent; who is inside counts.
pub(super) async fn a_wiped_store_is_healed(mut w: World) {
    let (mut gateway, joined) = occupied(&mut w).await;
    let before = gateway.mirror.as_ref().unwrap().summary.clone();
    w.wipe().await;
    assert_eq!(gateway.claim(&w, 2, placed(&joined[1])).await, Err(StoreError::Absent));
    assert_eq!(gateway.heal(&w, Trouble::Absent).await, Merged::Began);
    gateway.look(&w).await;
    let healed = gateway.mirror.as_ref().unwrap().summary.clone();
    assert!(healed.mark.epoch() > before.mark.epoch());
    assert_eq!(healed.hold_until, w.clock.now() + HOLD);
    assert_eq!((healed.sessions, healed.unknown, healed.line_length), (1, 0, 0), "its gateway knows who is in");
    assert_eq!((&healed.limits, healed.mark.claims), (&before.limits, before.mark.claims));
    assert_eq!(healed.bucket.tokens(), 0, "N7");

    let newcomer = placed(&gateway.join(&w, [9]).await[0]);
    assert_eq!(gateway.claim(&w, 3, placed(&joined[2])).await, Ok(Claimed::NotCalled));
    assert_eq!(gateway.claim(&w, 2, placed(&joined[1])).await, Ok(Claimed::NotCalled));
    assert_eq!(gateway.claim(&w, 1, placed(&joined[0])).await, Ok(Claimed::Admitted(session_of(&joined[0]))));
    gateway.look(&w).await;
    let mirror = gateway.mirror.as_ref().unwrap();
    assert_eq!(mirror.line.standing(placed(&joined[1])), Standing::Waiting { ahead: 0 });
    assert_eq!(mirror.line.standing(placed(&joined[2])), Standing::Waiting { ahead: 1 });
    assert_eq!(mirror.line.standing(placed(&joined[3])), Standing::Gone { called: false });
    assert_eq!(mirror.line.standing(newcomer), Standing::Waiting { ahead: 2 });
    assert_eq!(mirror.line.nth_waiting_after(mirror.line.frontier(), 1), Some(placed(&joined[1])));
    assert_eq!((mirror.summary.line_length, mirror.line.waiting()), (3, 3));
}

/// N6: whoever issued the sessions is gone too. As many as may be inside count until the last of their tickets has
/// expired; a ticket that is shown makes its session known.
pub(super) async fn unknown_sessions_count(mut w: World) {
    w.open(Limits { total_active_users: 3, ..limits() }).await;
    let mut issuer = Gateway::new();
    let joined = issuer.join(&w, 1..=3).await;
    let waiting = placed(&issuer.join(&w, [4]).await[0]);
    let mut other = Gateway::new();
    other.look(&w).await;
    w.wipe().await;
    assert_eq!(other.heal(&w, Trouble::Absent).await, Merged::Began);
    other.look(&w).await;
    let summary = other.mirror.as_ref().unwrap().summary.clone();
    assert_eq!((summary.sessions, summary.unknown), (0, 3));

    let shown = session_of(&joined[1]);
    let items = vec![Renewal { session: shown, span: Duration::ZERO }];
    w.memory = other.memory;
    let renewed = w.call(|store, room, caller, terms| store.renew(room, caller, terms, items)).await.unwrap();
    assert_eq!(renewed, [Renewed::Until(shown)]);
    let summary = w.summary().await;
    assert_eq!((summary.sessions, summary.unknown), (1, 2), "found again, not admitted");

    w.serve(HOLD + SECOND).await;
    w.call_places(&[waiting]).await;
    assert_eq!(w.claim(visitor(4), waiting).await, Claimed::Refused(Refusal::CohortFull));
    w.pass(shown.ends.since(w.clock.now()) + 2 * SECOND);
    assert_eq!(w.summary().await.unknown, 0);
    assert!(matches!(w.claim(visitor(4), waiting).await, Claimed::Admitted(_)));
}

/// Two gateways notice at once: one life begins, and both memories are in it.
pub(super) async fn two_memories_make_one(mut w: World) {
    let (mut first, joined) = occupied(&mut w).await;
    let mut second = Gateway::new();
    second.look(&w).await;
    let late = placed(&second.join(&w, [6]).await[0]);
    w.depart(visitor(3), placed(&joined[2])).await;
    second.look(&w).await;
    w.wipe().await;
    assert_eq!(first.heal(&w, Trouble::Absent).await, Merged::Began);
    assert_eq!(first.claim(&w, 3, placed(&joined[2])).await, Ok(Claimed::NotCalled), "its end is not known yet");
    let refused = second.claim(&w, 2, placed(&joined[1])).await;
    assert!(matches!(refused, Err(StoreError::Unmerged(_))), "{refused:?}");
    assert_eq!(second.heal(&w, Trouble::Unmerged).await, Merged::Added);
    second.look(&w).await;
    let mirror = second.mirror.as_ref().unwrap();
    assert_eq!(mirror.line.standing(placed(&joined[2])), Standing::Spent, "a spent place that came back is out again");
    assert_eq!(mirror.line.standing(late), Standing::Waiting { ahead: 0 }, "a join just answered is in the line");
    assert_eq!((mirror.summary.line_length, mirror.line.waiting()), (1, 1));
    assert_eq!(second.claim(&w, 3, placed(&joined[2])).await, Ok(Claimed::Ended));
    // A look of the first one finds what the second one added.
    first.look(&w).await;
    assert_eq!(first.mirror.as_ref().unwrap().line.standing(late), Standing::Waiting { ahead: 0 });
}

/// A store that lags: the same epoch goes on, nobody who is in it leaves the line, nothing is given twice.
pub(super) async fn a_lagging_store_goes_on(mut w: World) {
    let (mut gateway, joined) = occupied(&mut w).await;
    let kept = w.keep().await;
    let late = gateway.join(&w, 6..=7).await;
    w.restore(kept).await;
    let refused = gateway.claim(&w, 2, placed(&joined[1])).await;
    let Err(StoreError::Behind(mark)) = refused else { panic!("{refused:?}") };
    assert_eq!(gateway.heal(&w, Trouble::Behind(mark)).await, Merged::Resumed);
    gateway.look(&w).await;
    let mirror = gateway.mirror.as_ref().unwrap();
    assert_eq!(mirror.summary.mark.epoch(), placed(&late[0]).epoch);
    assert_eq!(mirror.summary.hold_until, w.clock.now() + queue_core::recovery::LAG_HOLD);
    for (ahead, joined) in (0_u32..).zip(joined[1..].iter().chain(&late)) {
        assert_eq!(mirror.line.standing(placed(joined)), Standing::Waiting { ahead });
    }
    let next = placed(&gateway.join(&w, [8]).await[0]);
    assert!(next > placed(&late[1]) && next.epoch == placed(&late[1]).epoch);
    assert_eq!(next.sequence.get(), (2 << 20) + 1, "after a gap");
}

/// A place that no gateway remembers is proven by its token: it is out of the line until heard, and then it is ahead.
pub(super) async fn a_token_proves_its_place(mut w: World) {
    w.open(shut()).await;
    let forgotten = Place { epoch: queue_core::Epoch::new(place(1).epoch.get() - 3).unwrap(), ..place(700) };
    let mut gateway = Gateway::new();
    gateway.look(&w).await;
    let joined = placed(&gateway.join(&w, [1]).await[0]);
    assert_eq!(gateway.claim(&w, 2, forgotten).await, Ok(Claimed::Unknown));
    gateway.witness.token(forgotten);
    assert_eq!(gateway.heal(&w, Trouble::Tokens).await, Merged::Added);
    assert_eq!(gateway.claim(&w, 2, forgotten).await, Ok(Claimed::NotCalled));
    gateway.look(&w).await;
    let mirror = gateway.mirror.as_ref().unwrap();
    assert_eq!(mirror.line.standing(forgotten), Standing::Waiting { ahead: 0 });
    assert_eq!(mirror.line.standing(joined), Standing::Waiting { ahead: 1 });
    assert_eq!(mirror.summary.hold_until, w.clock.now() + HOLD, "a store this young was no first start");
    assert_eq!(mirror.summary.unknown, limits().total_active_users, "and anybody may be inside");
    let newer = place(700);
    assert_eq!(gateway.claim(&w, 3, newer).await, Ok(Claimed::Unknown));
    gateway.witness.token(newer);
    assert_eq!(gateway.heal(&w, Trouble::Tokens).await, Merged::Began, "a token newer than the store proves a loss");
    assert_eq!(gateway.claim(&w, 3, newer).await, Ok(Claimed::NotCalled));
}

/// A token of a sale that is over stops nobody: later than a hold after its beginning a room is not held for it.
pub(super) async fn an_old_token_holds_nobody_up(mut w: World) {
    w.open_usual().await;
    let mut gateway = Gateway::new();
    gateway.look(&w).await;
    w.serve(HOLD + SECOND).await;
    gateway.look(&w).await;
    let forgotten = Place { epoch: queue_core::Epoch::new(place(1).epoch.get() - 3).unwrap(), ..place(700) };
    gateway.witness.token(forgotten);
    assert_eq!(gateway.heal(&w, Trouble::Tokens).await, Merged::Added);
    w.memory = gateway.memory;
    let summary = w.summary().await;
    assert!(summary.hold_until <= w.clock.now());
    assert_eq!(summary.unknown, 0);
}

/// Who came while the store was away gets a place in the order of arrival, newcomers behind them, and nobody twice.
pub(super) async fn arrivals_are_collected_in_order(mut w: World) {
    w.open(shut()).await;
    w.place(visitor(1)).await;
    let began = w.clock.now();
    w.pass(20 * SECOND);
    w.call(|store, room, caller, _| store.collect(room, caller, 5 * SECOND)).await.unwrap();
    let arrive = |number: u32, after: u32| Arrival { visitor: visitor(number), since: Some(began + after * SECOND) };
    let newcomer = Arrival { visitor: visitor(9), since: None };
    let items = vec![arrive(4, 8), arrive(2, 3), newcomer, arrive(3, 3), arrive(2, 3)];
    let told = w.join_as(items.clone()).await;
    assert_eq!(told[1], Joined::Collected { since: began + 3 * SECOND });
    assert_eq!(told[2], Joined::Collected { since: w.clock.now() });
    assert_eq!(w.sweep().await.settled, 0, "not yet");
    w.serve(5 * SECOND).await;
    assert_eq!(w.sweep().await.settled, 4);
    let places: Vec<Place> = w.join_as(items).await.iter().map(placed).collect();
    let order = [places[1], places[3], places[0], places[2]];
    assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0] != pair[1]), "{order:?}");
    assert_eq!(places[4], places[1]);
    let later = w.join_as(vec![arrive(5, 1)]).await;
    assert!(placed(&later[0]) > places[2], "who reports later is next");
}

/// Liveness by bitmap: a waiting place that nobody heard for the retention leaves, one that was heard stays, and whoever comes
/// back has the old place.
pub(super) async fn the_silent_leave_and_the_heard_stay(mut w: World) {
    w.open(shut()).await;
    let places: Vec<Place> = w.join((1..=20).map(visitor).collect()).await.iter().map(placed).collect();
    let heard: Vec<Place> = places.iter().copied().filter(|place| place.sequence.get() % 3 == 0).collect();
    let mut left = 0;
    let period = w.period();
    for round in 0..12 {
        w.hear(1, &heard).await;
        if round < 6 {
            // Another gateway hears one more, and still has to bring it.
            w.hear(2, &[places[0]]).await;
        }
        left += w.sweep().await.silent;
        assert!(round > 3 || left == 0, "round {round}: not before the retention has passed");
        w.pass(period);
    }
    assert_eq!(left, 20 - heard.len() as u32);
    let mirror = w.whole().await;
    for place in &places {
        let stays = heard.contains(place);
        assert_eq!(matches!(mirror.line.standing(*place), Standing::Waiting { .. }), stays, "{place}");
    }
    assert_eq!(w.look(visitor(2), places[1]).await, Claimed::NotCalled);
    assert_eq!(w.whole().await.line.standing(places[1]), Standing::Waiting { ahead: 0 });
}

/// What is held for a span of being heard is held as much longer when nobody could be.
pub(super) async fn a_hold_outlasts_an_absence(mut w: World) {
    let (mut gateway, _) = occupied(&mut w).await;
    w.wipe().await;
    assert_eq!(gateway.heal(&w, Trouble::Absent).await, Merged::Began);
    w.memory = gateway.memory;
    w.serve(SECOND).await;
    w.pass(HOLD * 3);
    let summary = w.summary().await;
    let left = summary.hold_until.since(summary.time);
    assert_eq!(left, HOLD - SECOND, "nothing of it passed meanwhile");
    w.serve(left).await;
    let summary = w.summary().await;
    assert_eq!(summary.hold_until, summary.time);
}

/// No sweep past a gateway that runs and has not said whom it heard.
pub(super) async fn nobody_is_swept_past_a_gateway_that_has_not_told(mut w: World) {
    w.open(shut()).await;
    w.place(visitor(1)).await;
    let period = w.period();
    for _ in 0..6 {
        w.hear(1, &[]).await;
        w.sweep().await;
        w.pass(period);
    }
    assert_eq!(w.whole().await.line.waiting(), 0);
    w.place(visitor(2)).await;
    for _ in 0..2 {
        w.hear(1, &[]).await;
        w.hear(2, &[]).await;
        w.sweep().await;
        w.pass(period);
    }
    for _ in 0..2 {
        w.hear(1, &[]).await;
        assert_eq!(w.sweep().await.silent, 0, "the second one has not told");
        w.pass(period);
    }
    let id: VisitorId = visitor(2);
    assert_eq!(w.whole().await.line.waiting(), 1, "{id:?} still waits");
    for _ in 0..3 {
        w.hear(1, &[]).await;
        w.sweep().await;
        w.pass(period);
    }
    assert_eq!(w.whole().await.line.waiting(), 0, "a gateway that was not heard of for the retention is gone");
}

/// N1, N6: a session that nobody was told of is taken up while calls are held. Later its slot may be somebody else's: its
/// place waits as if nothing had happened.
pub(super) async fn an_unconfirmed_session_costs_no_place(mut w: World) {
    let (mut gateway, joined) = occupied(&mut w).await;
    let place = placed(&joined[1]);
    let session = Session { id: SessionId::new(visitor(2), w.clock.now()), ends: w.clock.now() + 60 * SECOND };
    let claims = [Claim { visitor: visitor(2), place, take: true }];
    gateway.witness.claimed(w.clock.now(), &claims, &[Claimed::Unconfirmed(session)]);
    gateway.mirror.as_mut().unwrap().line.set(place, PlaceState::Spent);
    let mut late = Gateway { memory: gateway.memory, witness: gateway.witness.clone(), mirror: gateway.mirror.clone() };
    w.wipe().await;
    let mut other = Gateway::new();
    other.memory = Memory::default();
    other.witness.token(placed(&joined[0]));
    assert_eq!(other.heal(&w, Trouble::Absent).await, Merged::Began);
    let early = gateway.heal(&w, Trouble::Unmerged).await;
    assert_eq!(early, Merged::Added);
    gateway.look(&w).await;
    let mirror = gateway.mirror.as_ref().unwrap();
    assert_eq!((mirror.summary.sessions, mirror.line.standing(place)), (2, Standing::Spent));

    w.wipe().await;
    let mut other = Gateway::new();
    other.witness.token(placed(&joined[0]));
    assert_eq!(other.heal(&w, Trouble::Absent).await, Merged::Began);
    w.memory = other.memory;
    w.serve(HOLD + SECOND).await;
    assert_eq!(late.heal(&w, Trouble::Unmerged).await, Merged::Added);
    assert_eq!(late.claim(&w, 2, place).await.map(|claimed| matches!(claimed, Claimed::Ended)), Ok(false));
    late.look(&w).await;
    let mirror = late.mirror.as_ref().unwrap();
    assert!(matches!(mirror.line.standing(place), Standing::Waiting { .. } | Standing::Called { .. }));
}

/// N6: a session begun here and ended through another gateway does not count again after a loss, not even until the part
/// of the testimony that tells of its end.
pub(super) async fn a_session_that_another_ended_is_not_told(mut w: World) {
    w.open(limits()).await;
    let mut gateway = Gateway::new();
    let joined = gateway.join(&w, 1..=2).await;
    assert!(w.end(Ending { session: session_of(&joined[0]) }).await);
    gateway.look(&w).await;
    let proposal = opening(limits(), 0).proposal;
    let house =
        House { proposal, session: w.terms.session, longest_poll: LONGEST_POLL, collect: Duration::ZERO, salt: 0 };
    let testimony = plan(Trouble::Absent, &gateway.witness, gateway.mirror.as_ref(), &house, w.clock.now()).unwrap();
    let told: Vec<VisitorId> = testimony.sessions.iter().map(|(session, _)| session.id.visitor).collect();
    assert_eq!(told, [visitor(2)]);
    assert_eq!(testimony.ended.iter().map(|(visitor, _)| *visitor).collect::<Vec<_>>(), [visitor(1)]);
    w.wipe().await;
    gateway.heal(&w, Trouble::Absent).await;
    gateway.look(&w).await;
    assert_eq!(gateway.mirror.as_ref().unwrap().summary.sessions, 1);
}
