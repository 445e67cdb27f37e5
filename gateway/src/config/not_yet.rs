//! What the configuration can say and this gateway cannot do yet: one list, so that nothing is silently ignored.

use super::document::{Node, Origin, Spot, Table, Value};
use super::reader::Reader;

/// A value that is refused for now.
struct NotYet {
    /// The sections on the way, and the key.
    path: &'static [&'static str],
    value: Refused,
}

enum Refused {
    /// Every value.
    Any,
    /// This text.
    Is(&'static str),
}

use Refused::{Any, Is};

/// Delete a line when the gateway can do it.
const NOT_YET: &[NotYet] = &[
    NotYet { path: &["room", "queueing_method"], value: Is("random") },
    NotYet { path: &["room", "queueing_method"], value: Is("passthrough") },
    NotYet { path: &["room", "queueing_method"], value: Is("reject") },
    NotYet { path: &["room", "admission"], value: Is("adaptive") },
    NotYet { path: &["room", "latency_target"], value: Any },
];

/// Tells every value of the list that the tree holds.
pub(super) fn tell(root: &Table, reader: &mut Reader<'_, '_>) {
    for entry in NOT_YET {
        for (node, key) in nodes(root, entry.path, String::new()) {
            let text = node.text().unwrap_or_default();
            let (refused, what) = match entry.value {
                Any => (true, String::new()),
                Is(value) => (text == value, format!(" = \"{value}\"")),
            };
            if refused {
                let name = entry.path.last().copied().unwrap_or_default();
                let spot = Spot { origin: node.origin.clone(), key };
                reader.findings.error(&spot, format!("{name}{what} is not supported yet"));
            }
        }
    }
}

/// Every node at `path`, items of arrays each for itself, with its key from the root on.
fn nodes<'t>(table: &'t Table, path: &[&str], key: String) -> Vec<(&'t Node, String)> {
    let Some((step, deeper)) = path.split_first() else { return Vec::new() };
    let Some(node) = table.get(step) else { return Vec::new() };
    let key = Spot { origin: Origin::Whole, key }.inside(step, Origin::Whole).key;
    let items: Vec<(&Node, String)> = match &node.value {
        Value::List(items) => {
            items.iter().enumerate().map(|(index, item)| (item, format!("{key}.{}", label(item, index)))).collect()
        }
        _ => vec![(node, key)],
    };
    if deeper.is_empty() {
        return items;
    }
    let below = |(item, key): (&'t Node, String)| match &item.value {
        Value::Table(table) => nodes(table, deeper, key),
        _ => Vec::new(),
    };
    items.into_iter().flat_map(below).collect()
}

fn label(item: &Node, index: usize) -> String {
    item.name().map_or_else(|| index.to_string(), str::to_owned)
}
