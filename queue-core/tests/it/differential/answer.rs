//! Answers in a form that can be compared.

use std::collections::BTreeMap;

use queue_core::bits::PlaceState;
use queue_core::store::{
    Called, Change, Claimed, Event, Follow, Joined, Merged, Mirror, News, Renewed, Summary, Swept,
};
use queue_core::stretch::Stretch;
use queue_core::{Life, Place, Timestamp, VisitorId};

/// What a step answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Summary(Box<Summary>),
    Merged(Merged),
    Joined(Vec<Joined>),
    Claimed(Vec<Claimed>),
    Renewed(Vec<Renewed>),
    Flags(Vec<bool>),
    Called(Called),
    Swept(Swept),
    Done,
    Follow(Box<Room>),
}

/// A followed room.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Room {
    pub(super) summary: Summary,
    pub(super) news: Told,
}

/// What a follower was told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Changes(Vec<Change>),
    Whole { frontier: Place, lives: Vec<LifeTold>, ended: BTreeMap<VisitorId, Timestamp> },
}

/// What one life gave, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LifeTold {
    pub(super) life: Life,
    pub(super) last: Place,
    pub(super) states: Vec<PlaceState>,
}

impl LifeTold {
    fn of(stretch: &Stretch) -> Self {
        let places = (1..=stretch.given()).map(|number| stretch.life().mark().plus(number));
        let states = places.filter_map(|place| stretch.state(place)).collect();
        Self { life: stretch.life(), last: stretch.last(), states }
    }
}

/// Stores may refill the bucket at different steps: what it holds now is what counts.
pub(super) fn comparable(mut summary: Summary) -> Summary {
    summary.bucket = summary.bucket.refilled(summary.limits.rate(), summary.time);
    summary
}

impl Room {
    pub(super) fn of(follow: Follow) -> Self {
        let summary = comparable(follow.summary.clone());
        let news = match &follow.news {
            News::Changes(changes) => Told::Changes(changes.iter().cloned().map(sorted).collect()),
            News::Whole(_) => {
                let line = Mirror::new(follow).expect("it is a whole one").clone();
                let ended = line.ended.iter().map(|(visitor, until)| (*visitor, *until)).collect();
                let line = line.line;
                let lives = line.stretches().iter().map(LifeTold::of).collect();
                Told::Whole { frontier: line.frontier(), lives, ended }
            }
        };
        Self { summary, news }
    }
}

/// The silent leave in one step, in an order that means nothing.
fn sorted(mut change: Change) -> Change {
    let gone = |event: &Event| matches!(event, Event::Place(_, PlaceState::Gone));
    for run in change.events.chunk_by_mut(|a, b| gone(a) && gone(b)) {
        run.sort_by_key(|event| if let Event::Place(place, _) = event { *place } else { Place::NOTHING });
    }
    change
}
