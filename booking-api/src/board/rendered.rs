//! The snapshot documents, made once for all who ask.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use queue_core::Timestamp;

use super::picture::Cell;
use crate::catalogue::Event;
use crate::ids::FeedId;

/// How old a snapshot may be: a screen that asks once a second sees no difference, and 10 renderings a second are
/// nothing beside the requests they save.
pub(super) const FRESH: Duration = Duration::from_millis(100);

/// A snapshot in both forms.
#[derive(Clone)]
pub(crate) struct Rendered {
    version: u64,
    checked_at: Timestamp,
    /// Names feed and version.
    pub(crate) tag: String,
    /// Units that are not available, one object each.
    pub(crate) full: Bytes,
    /// One letter per unit in the order of the map.
    pub(crate) compact: Bytes,
}

impl Rendered {
    /// Older than any request; version 0 is no picture's.
    pub(super) fn never() -> Self {
        Self { version: 0, checked_at: Timestamp::ZERO, tag: String::new(), full: Bytes::new(), compact: Bytes::new() }
    }

    pub(super) fn new(event: &Event, feed: FeedId, version: u64, cells: &[Cell], now: Timestamp) -> Self {
        let mut full = format!(r#"{{"feed":"{feed}","version":{version},"at":"{now}","units":["#);
        let mut compact = format!(r#"{{"feed":"{feed}","version":{version},"at":"{now}","states":""#);
        let mut first = true;
        for (unit, cell) in event.units.iter().zip(cells) {
            let (word, letter) = match cell {
                Cell::Free => ("", 'a'),
                Cell::Held { .. } => ("held", 'h'),
                Cell::Sold { .. } => ("sold", 's'),
                Cell::Blocked => ("blocked", 'b'),
            };
            compact.push(letter);
            if !word.is_empty() {
                let comma = if std::mem::take(&mut first) { "" } else { "," };
                // A unit's id has letters, digits and dashes alone: it needs no escaping.
                let _ = write!(full, r#"{comma}{{"unit":"{}","state":"{word}"}}"#, unit.id);
            }
        }
        full.push_str("]}");
        compact.push_str("\"}");
        Self {
            version,
            checked_at: now,
            tag: format!("\"{feed}:{version}\""),
            full: full.into(),
            compact: compact.into(),
        }
    }

    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        self.version != 0 && now.since(self.checked_at) < FRESH
    }

    pub(super) const fn is_of(&self, version: u64) -> bool {
        self.version == version
    }

    pub(super) fn checked_at(&self, now: Timestamp) -> Self {
        Self { checked_at: now, ..self.clone() }
    }
}
