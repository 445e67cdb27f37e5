//! The live picture of all seats, in memory: what is shown, and what can be refused without asking the database.
//!
//! It follows the database: the writer changes it after each commit and before it answers, so whoever got an answer
//! finds it in the picture. It never says "yes".

mod picture;
mod rendered;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arc_swap::ArcSwap;
use queue_core::Timestamp;

use crate::catalogue::{Catalogue, Event, UnitIndex};
use crate::ids::{CustomerId, EventId, FeedId};
use crate::refusal::Taken;

pub(crate) use picture::{Cell, Counts, Picture};
pub(crate) use rendered::Rendered;

/// A committed change of one event's seats.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) event: EventId,
    pub(crate) units: Vec<UnitIndex>,
    pub(crate) to: Cell,
}

/// All events' pictures.
pub(crate) struct Board {
    events: HashMap<EventId, EventBoard>,
}

struct EventBoard {
    event: Arc<Event>,
    feed: FeedId,
    picture: RwLock<Picture>,
    rendered: ArcSwap<Rendered>,
    /// One renders, the others wait for it: it takes well under a millisecond.
    rendering: Mutex<()>,
}

impl Board {
    /// Everything free, until [`Board::reset`] says otherwise.
    pub(crate) fn new(catalogue: &Catalogue, now: Timestamp) -> Self {
        let board = |event: &Arc<Event>| EventBoard {
            feed: FeedId::new(now),
            picture: RwLock::new(Picture::new(event.units.len())),
            rendered: ArcSwap::from_pointee(Rendered::never()),
            rendering: Mutex::new(()),
            event: Arc::clone(event),
        };
        Self { events: catalogue.events().iter().map(|event| (event.id, board(event))).collect() }
    }

    /// Replaces an event's picture by what the database says.
    pub(crate) fn reset(&self, event: EventId, cells: Vec<Cell>, holders: impl IntoIterator<Item = CustomerId>) {
        if let Some(board) = self.events.get(&event) {
            board.picture.write().unwrap_or_else(PoisonError::into_inner).reset(cells, holders);
        }
    }

    /// Follows a committed change.
    pub(crate) fn apply(&self, change: &Change) {
        if let Some(board) = self.events.get(&change.event) {
            board.picture.write().unwrap_or_else(PoisonError::into_inner).apply(&change.units, change.to);
        }
    }

    /// Those of `units` that `customer` certainly cannot have at `now`: sold, blocked, or held by someone else. Empty
    /// for customers who ever held a seat here: a request of theirs may be the repetition of one that succeeded.
    pub(crate) fn certainly_taken(
        &self,
        event: EventId,
        units: &[UnitIndex],
        customer: CustomerId,
        now: Timestamp,
    ) -> Vec<(UnitIndex, Taken)> {
        let Some(board) = self.events.get(&event) else { return Vec::new() };
        board.picture.read().unwrap_or_else(PoisonError::into_inner).certainly_taken(units, customer, now)
    }

    /// Whether `customer` has a hold, or an order to be paid, that is still good at `now`.
    pub(crate) fn has_open(&self, customer: CustomerId, now: Timestamp) -> bool {
        let has =
            |board: &EventBoard| board.picture.read().unwrap_or_else(PoisonError::into_inner).has_open(customer, now);
        self.events.values().any(has)
    }

    /// How many units are in which state at `now`, per section, and the version that is true of.
    pub(crate) fn counts(&self, event: EventId, now: Timestamp) -> Option<(u64, Vec<Counts>)> {
        let board = self.events.get(&event)?;
        let mut picture = board.picture.write().unwrap_or_else(PoisonError::into_inner);
        picture.settle(now);
        let mut sections = vec![Counts::default(); board.event.sections.len()];
        for (unit, cell) in board.event.units.iter().zip(picture.cells()) {
            sections[unit.section].add(cell);
        }
        Some((picture.version(), sections))
    }

    /// How many units are sold, over all events.
    pub(crate) fn sold(&self) -> usize {
        let sold = |board: &EventBoard| {
            let picture = board.picture.read().unwrap_or_else(PoisonError::into_inner);
            picture.cells().iter().filter(|cell| matches!(cell, Cell::Sold { .. })).count()
        };
        self.events.values().map(sold).sum()
    }

    /// The snapshot documents, at most [`rendered::FRESH`] old.
    pub(crate) fn snapshot(&self, event: EventId, now: Timestamp) -> Option<Arc<Rendered>> {
        let board = self.events.get(&event)?;
        let current = board.rendered.load_full();
        if current.is_fresh(now) {
            return Some(current);
        }
        let _one_renders = board.rendering.lock().unwrap_or_else(PoisonError::into_inner);
        let current = board.rendered.load_full();
        if current.is_fresh(now) {
            return Some(current);
        }
        let (version, cells) = {
            let mut picture = board.picture.write().unwrap_or_else(PoisonError::into_inner);
            picture.settle(now);
            if current.is_of(picture.version()) {
                drop(picture);
                let renewed = Arc::new(current.checked_at(now));
                board.rendered.store(Arc::clone(&renewed));
                return Some(renewed);
            }
            (picture.version(), picture.cells().to_vec())
        };
        let rendered = Arc::new(Rendered::new(&board.event, board.feed, version, &cells, now));
        board.rendered.store(Arc::clone(&rendered));
        Some(rendered)
    }
}
