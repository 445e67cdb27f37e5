//! What is on sale. Written by the seed, read once at start: nothing in it changes while the service runs.

mod documents;
mod load;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use queue_core::Timestamp;

pub(crate) use load::load;

use crate::ids::EventId;
use crate::money::Points;

/// A unit's index in its event's layout, the front first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UnitIndex(pub(crate) usize);

/// All events.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    events: Vec<Arc<Event>>,
    /// By id and by name, as text.
    by_name: HashMap<String, Arc<Event>>,
}

impl Catalogue {
    pub(crate) fn new(events: Vec<Arc<Event>>) -> Self {
        let named =
            |event: &Arc<Event>| [(event.id.to_string(), Arc::clone(event)), (event.name.clone(), Arc::clone(event))];
        Self { by_name: events.iter().flat_map(named).collect(), events }
    }

    /// The event of this id or name.
    pub(crate) fn event(&self, id_or_name: &str) -> Option<&Arc<Event>> {
        self.by_name.get(id_or_name)
    }

    /// All, in the order they were made.
    pub(crate) fn events(&self) -> &[Arc<Event>] {
        &self.events
    }
}

/// One event with its layout and prices.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: EventId,
    pub(crate) name: String,
    pub(crate) title: Bilingual,
    pub(crate) venue: Bilingual,
    pub(crate) seller: String,
    pub(crate) layout: String,
    pub(crate) opens_at: Timestamp,
    pub(crate) closes_at: Timestamp,
    pub(crate) starts_at: Timestamp,
    pub(crate) hold_for: Duration,
    /// From the making of a hold to the latest end it can be extended to.
    pub(crate) hold_ceiling: Duration,
    pub(crate) max_units_per_hold: usize,
    pub(crate) max_units_per_customer: usize,
    pub(crate) offers: Vec<Offer>,
    pub(crate) sections: Vec<Section>,
    pub(crate) units: Vec<Unit>,
    pub(crate) unit_by_id: HashMap<String, UnitIndex>,
    /// The static map document and its entity tag.
    pub(crate) map: Bytes,
    pub(crate) map_tag: String,
}

/// A text in the two languages of the page.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Bilingual {
    pub(crate) en: String,
    pub(crate) ko: String,
}

/// A price tier.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) name: String,
    pub(crate) price: Points,
}

/// A block of seats of one offer.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    /// Index into the event's offers.
    pub(crate) offer: usize,
}

/// One seat.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) id: String,
    /// Index into the event's sections.
    pub(crate) section: usize,
    pub(crate) row: i64,
    pub(crate) seat: i64,
    pub(crate) x: i64,
    pub(crate) y: i64,
}

impl Event {
    pub(crate) fn unit(&self, index: UnitIndex) -> &Unit {
        &self.units[index.0]
    }

    /// What a unit costs, as which offer.
    pub(crate) fn offer_of(&self, index: UnitIndex) -> &Offer {
        &self.offers[self.sections[self.unit(index).section].offer]
    }
}
