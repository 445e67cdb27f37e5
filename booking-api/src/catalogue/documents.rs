//! The catalogue as JSON documents.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Event, Unit};
use crate::hall;
use crate::money::Points;

#[derive(Serialize)]
struct MapDocument<'a> {
    event: String,
    version: &'a str,
    /// Between two neighbours, about.
    pitch: i64,
    width: i64,
    height: i64,
    sections: Vec<SectionDocument<'a>>,
}

#[derive(Serialize)]
struct SectionDocument<'a> {
    name: &'a str,
    offer: &'a str,
    price: Points,
    rows: Vec<RowDocument<'a>>,
}

#[derive(Serialize)]
struct RowDocument<'a> {
    row: i64,
    units: Vec<UnitDocument<'a>>,
}

#[derive(Serialize)]
struct UnitDocument<'a> {
    id: &'a str,
    /// Where its letter stands in `units?view=compact`.
    index: usize,
    seat: i64,
    x: i64,
    y: i64,
}

/// The static map: sections, their rows from the front, their units from the left.
pub(super) fn map(event: &Event) -> Bytes {
    let of_section = |index: usize| {
        let mut rows: Vec<RowDocument<'_>> = Vec::new();
        for (position, unit) in event.units.iter().enumerate().filter(|(_, unit)| unit.section == index) {
            let Unit { id, seat, x, y, row, .. } = unit;
            if rows.last().is_none_or(|last| last.row != *row) {
                rows.push(RowDocument { row: *row, units: Vec::new() });
            }
            if let Some(last) = rows.last_mut() {
                last.units.push(UnitDocument { id, index: position, seat: *seat, x: *x, y: *y });
            }
        }
        rows
    };
    let sections = event.sections.iter().enumerate().map(|(index, section)| SectionDocument {
        name: &section.name,
        offer: &event.offers[section.offer].name,
        price: event.offers[section.offer].price,
        rows: of_section(index),
    });
    let document = MapDocument {
        event: event.id.to_string(),
        version: &event.layout,
        pitch: hall::PITCH as i64,
        width: event.units.iter().map(|unit| unit.x).max().unwrap_or_default(),
        height: event.units.iter().map(|unit| unit.y).max().unwrap_or_default(),
        sections: sections.collect(),
    };
    serde_json::to_vec(&document).unwrap_or_default().into()
}

impl Event {
    /// The event as `GET /v1/events/{event}` shows it.
    pub(crate) fn document(&self) -> Value {
        let offers = self.offers.iter().map(|offer| json!({"name": offer.name, "price": offer.price}));
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "title": self.title,
            "venue": self.venue,
            "profile": "seat",
            "units": self.units.len(),
            "layout": self.layout,
            "opens_at": self.opens_at.to_string(),
            "closes_at": self.closes_at.to_string(),
            "starts_at": self.starts_at.to_string(),
            "hold_seconds": self.hold_for.as_secs(),
            "hold_ceiling_seconds": self.hold_ceiling.as_secs(),
            "limits": {"units_per_hold": self.max_units_per_hold, "units_per_customer": self.max_units_per_customer},
            "offers": offers.collect::<Vec<_>>(),
        })
    }
}
