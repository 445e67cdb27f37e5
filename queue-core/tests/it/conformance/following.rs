//! Following: what a gateway remembers is what the store has.

use std::time::Duration;

use queue_core::bits::PlaceState;
use queue_core::line::Standing;
use queue_core::store::{Ending, Joined, LimitsSource, News, Summary};
use queue_core::{HighWater, Limits, Place, Sequence};

use super::joining::shut;
use crate::support::world::World;
use crate::support::{limits, ticket, visitor};

/// Change by change or everything at once: the same memory.
pub(super) async fn changes_lead_to_the_whole(mut w: World) {
    w.open(Limits { burst: 3, ..limits() }).await;
    let mut mirror = w.whole().await;
    let answers = w.join((1..=9).map(visitor).collect()).await;
    let place = |n: usize| match answers[n - 1] {
        Joined::Placed { place, .. } | Joined::Admitted { place, .. } => place,
        other => panic!("{other:?}"),
    };
    w.end(Ending { session: ticket(visitor(1), w.clock.now() + Duration::from_secs(60)) }).await;
    w.depart(visitor(6), place(6)).await;
    w.call_up_to(5).await;
    w.claim(visitor(4), place(4)).await;
    w.pass(w.terms.heard_for * 2 + w.terms.retention);
    w.sweep().await;
    w.claim(visitor(5), place(5)).await;
    w.propose(shut(), LimitsSource::Operator).await;
    w.pause(true).await;

    let after = mirror.version();
    let follow = w.call(|store, room, caller, _| store.follow(room, caller, Some(after))).await.unwrap();
    let News::Changes(changes) = &follow.news else { panic!("not every change is in the log") };
    assert_eq!(changes.len() as u64, follow.summary.mark.version - after);
    mirror.take(follow).unwrap();
    let whole = w.whole().await;
    let mark = HighWater { steps: mirror.summary.mark.steps + 1, ..mirror.summary.mark };
    assert_eq!(Summary { mark, ..mirror.summary.clone() }, whole.summary, "a look is a step");
    assert_eq!((mirror.line.last(), mirror.line.frontier()), (whole.line.last(), whole.line.frontier()));
    assert_eq!(mirror.ended, whole.ended);
    for n in 1..=9 {
        assert_eq!(mirror.line.standing(place(n)), whole.line.standing(place(n)), "place {n}");
    }
    assert_eq!(mirror.summary.line_length, mirror.line.waiting());
    assert_eq!(mirror.line.state(place(6)), Some(PlaceState::Spent));
}

/// N9: who missed more than the log keeps reads everything anew; a memory never skips a change.
pub(super) async fn a_gap_is_answered_with_the_whole(mut w: World) {
    w.open(Limits { max_line_length: 2_000, ..shut() }).await;
    let mirror = w.whole().await;
    for n in 0..1_300 {
        w.join(vec![visitor(n)]).await;
    }
    let after = mirror.version();
    let follow = w.call(|store, room, caller, _| store.follow(room, caller, Some(after))).await.unwrap();
    assert!(matches!(follow.news, News::Whole(_)));
    let mut mirror = mirror;
    mirror.take(follow).unwrap();
    assert_eq!(mirror.line.last().sequence.get(), 1_300);
    let recent = mirror.version() - 1_000;
    let follow = w.call(|store, room, caller, _| store.follow(room, caller, Some(recent))).await.unwrap();
    assert!(matches!(follow.news, News::Changes(changes) if changes.len() == 1_000));
}

/// A look at a quiet room brings a summary and no change.
pub(super) async fn nothing_new_is_no_change(mut w: World) {
    w.open_usual().await;
    let mut mirror = w.whole().await;
    w.pass(Duration::from_secs(1));
    let after = mirror.version();
    let follow = w.call(|store, room, caller, _| store.follow(room, caller, Some(after))).await.unwrap();
    assert!(matches!(&follow.news, News::Changes(changes) if changes.is_empty()));
    assert_eq!(mirror.take(follow), Ok(0));
    assert_eq!(mirror.summary.time, w.clock.now());
}

/// Bitmaps are kept in pieces of 2^20 places; nothing changes at a border.
pub(super) async fn a_place_beyond_the_first_chunk(mut w: World) {
    const BORDER: u32 = 1 << 20;
    w.open(Limits { max_line_length: 2_000_000, ..shut() }).await;
    let before_border = BORDER - 2;
    w.give_places(before_border).await;
    let mut mirror = w.whole().await;
    let mut places = Vec::new();
    for n in 0..4 {
        let place = w.place(visitor(before_border + n)).await;
        assert_eq!(place.sequence.get(), before_border + n + 1);
        places.push(place);
    }
    for n in [1, 2] {
        assert!(w.depart(visitor(before_border + n), places[n as usize]).await);
    }
    let after = mirror.version();
    mirror.take(w.call(|store, room, caller, _| store.follow(room, caller, Some(after))).await.unwrap()).unwrap();
    let whole = w.whole().await;
    let first = whole.line.waiting() - 2;
    for memory in [&mirror, &whole] {
        let standing = |n: usize| memory.line.standing(places[n]);
        assert_eq!(standing(0), Standing::Waiting { ahead: first });
        assert_eq!((standing(1), standing(2)), (Standing::Spent, Standing::Spent));
        assert_eq!(standing(3), Standing::Waiting { ahead: first + 1 });
        let unknown = Place { sequence: Sequence::new(BORDER + 3).unwrap(), ..places[0] };
        assert_eq!(memory.line.standing(unknown), Standing::Unknown);
    }
    let next = whole.line.nth_waiting_after(crate::support::place(before_border + 1), 1);
    assert_eq!(next, Some(crate::support::place(BORDER + 2)));
}
