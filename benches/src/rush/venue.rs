//! What the booking API says of its event: which seats there are, which are taken.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;

/// The event on sale and all its units.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Venue {
    /// The event's id.
    pub(super) event: String,
    /// All units, in the order of the map: the front first.
    pub(super) units: Vec<String>,
}

/// Which units are not free.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Taken {
    units: HashSet<String>,
    /// How many of them are held, and so may become free again.
    pub(super) held: usize,
}

impl Venue {
    /// The units of this venue that are free.
    pub(super) fn free(&self, taken: &Taken) -> Vec<&String> {
        self.units.iter().filter(|unit| !taken.units.contains(*unit)).collect()
    }
}

/// The id of the wanted event (by id or name; the first when none is named) in a list of events.
pub(super) fn event_in(list: &Value, wanted: Option<&str>) -> Option<String> {
    #[derive(Deserialize)]
    struct Event {
        id: String,
        #[serde(default)]
        name: String,
    }
    let events = list.as_array().or_else(|| list.as_object()?.values().find_map(Value::as_array))?;
    let events = events.iter().filter_map(|event| Event::deserialize(event).ok());
    let mut fitting = events.filter(|event| wanted.is_none_or(|wanted| event.id == wanted || event.name == wanted));
    fitting.next().map(|event| event.id)
}

/// The ids of all units in a map, in its order.
pub(super) fn units_in(map: &Value) -> Vec<String> {
    let mut units = Vec::new();
    collect(map, &mut units);
    units
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::Array(units) if name == "units" => into.extend(units.iter().filter_map(unit_id)),
                    value => collect(value, into),
                }
            }
        }
        _ => {}
    }
}

/// The units that a snapshot says are not free.
pub(super) fn taken_in(snapshot: &Value) -> Option<Taken> {
    let mut taken = Taken::default();
    for unit in snapshot.get("units")?.as_array()? {
        let state = unit.get("state").and_then(Value::as_str)?;
        if state == "available" {
            continue;
        }
        taken.held += usize::from(state == "held");
        taken.units.insert(unit_id(unit)?);
    }
    Some(taken)
}

fn unit_id(unit: &Value) -> Option<String> {
    let id = unit.get("id").or_else(|| unit.get("unit")).unwrap_or(unit);
    id.as_str().map(str::to_owned).or_else(|| id.as_u64().map(|id| id.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The crowd sells everything only if it knows every unit and which of them are free.
    #[test]
    fn reads_events_maps_and_snapshots() {
        let list = json!({"events": [{"id": "1", "name": "Opera"}, {"id": "2", "name": "Concert"}]});
        assert_eq!(event_in(&list, None).as_deref(), Some("1"));
        assert_eq!(event_in(&list, Some("Concert")).as_deref(), Some("2"));
        assert_eq!(event_in(&list, Some("Circus")), None);
        let map = json!({"sections": [{"rows": [{"units": [{"id": "a"}, {"id": "b"}]}, {"units": ["c"]}]}]});
        let venue = Venue { event: "1".into(), units: units_in(&map) };
        assert_eq!(venue.units, ["a", "b", "c"]);
        let taken = taken_in(&json!({"version": 3, "units": [{"unit": "a", "state": "sold"},
            {"unit": "b", "state": "held"}, {"unit": "c", "state": "available"}]}));
        let taken = taken.unwrap();
        assert_eq!((venue.free(&taken), taken.held), (vec![&"c".to_owned()], 1));
    }
}
