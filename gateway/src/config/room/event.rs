//! `[[room.event]]`: when a room opens and closes.

use queue_core::Timestamp;

use crate::config::reader::{Field, Reader, section};
use crate::config::scalar::Name;

section! {
    /// An opening of the room.
    EventSection, "[[room.event]]" {
        /// Its name.
        name: Name,
        /// When the lobby opens.
        prequeue_start_time: Option<Timestamp>,
        /// When the first may enter.
        event_start_time: Timestamp,
        /// When nobody may join or enter any more.
        event_end_time: Option<Timestamp>,
    }
}

/// An opening of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// When the lobby opens; before `event_start_time`.
    pub prequeue_start_time: Option<Timestamp>,
    /// When the first may enter.
    pub event_start_time: Timestamp,
    /// When nobody may join or enter any more; after `event_start_time`.
    pub event_end_time: Option<Timestamp>,
}

/// The events in the order of time, unless something was told about them.
pub(super) fn resolve(fields: &[Field<EventSection>], reader: &mut Reader<'_, '_>) -> Option<Vec<Event>> {
    reader.tell_twice(fields.iter().filter_map(Field::get).filter_map(|event| {
        let name = event.name.get()?;
        Some((name.0.as_str(), &event.name.spot))
    }));
    let mut events: Vec<(&Field<EventSection>, Event)> = Vec::with_capacity(fields.len());
    for field in fields {
        let Some(event) = field.get().and_then(|section| event(section, reader)) else { continue };
        events.push((field, event));
    }
    events.sort_by_key(|(_, event)| event.event_start_time);
    for pair in events.windows(2) {
        let [(_, earlier), (field, later)] = pair else { continue };
        let begins = later.prequeue_start_time.unwrap_or(later.event_start_time);
        if earlier.event_end_time.is_none_or(|end| end > begins) {
            let problem = format!(
                "\"{}\" begins before \"{}\" has ended; give that one an event_end_time",
                later.name, earlier.name
            );
            reader.findings.error(&field.spot, problem);
        }
    }
    (events.len() == fields.len()).then(|| events.into_iter().map(|(_, event)| event).collect())
}

fn event(section: &EventSection, reader: &mut Reader<'_, '_>) -> Option<Event> {
    let start = section.event_start_time.copied();
    let lobby = section.prequeue_start_time.copied().flatten();
    let end = section.event_end_time.copied().flatten();
    let early = lobby.zip(start).is_none_or(|(lobby, start)| lobby < start);
    if !early {
        reader.findings.error(&section.prequeue_start_time.spot, "must be earlier than event_start_time");
    }
    let late = end.zip(start).is_none_or(|(end, start)| end > start);
    if !late {
        reader.findings.error(&section.event_end_time.spot, "must be later than event_start_time");
    }
    if !(early && late) {
        return None;
    }
    Some(Event {
        name: section.name.get()?.0.clone(),
        prequeue_start_time: lobby,
        event_start_time: start?,
        event_end_time: end,
    })
}

/// The event that is on or comes next at `now`; after the last one, the last: the room stays closed.
pub(super) fn current(events: &[Event], now: Timestamp) -> Option<&Event> {
    events.iter().find(|event| event.event_end_time.is_none_or(|end| end > now)).or_else(|| events.last())
}
