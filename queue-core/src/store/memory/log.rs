//! The change log: what a follower missed, as far back as it is kept.

use std::collections::VecDeque;

use crate::high_water::Version;
use crate::store::{Change, Event};

/// The most versions one follower catches up by; further behind, everything is read anew.
pub(crate) const LONGEST_CATCH_UP: usize = 1_000;

/// The latest changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    changes: VecDeque<Change>,
    pending: Vec<Event>,
    /// Where in the pending ones the last place given and the last place called stand.
    joined: Option<usize>,
    called: Option<usize>,
}

impl Log {
    /// Notes one thing that changed in the step under way.
    pub(super) fn note(&mut self, event: Event) {
        let said = match event {
            Event::Joined(_) => &mut self.joined,
            Event::Called(_) => &mut self.called,
            _ => return self.pending.push(event),
        };
        // Joins come in hundreds; the last place says it all.
        match said.and_then(|at| self.pending.get_mut(at)) {
            Some(earlier) => *earlier = event,
            None => {
                *said = Some(self.pending.len());
                self.pending.push(event);
            }
        }
    }

    /// A new life: nothing of an earlier one is followed by its changes.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether the step under way changed something.
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Closes the step under way as one version.
    pub(super) fn seal(&mut self, version: Version) {
        if self.changes.len() == LONGEST_CATCH_UP {
            self.changes.pop_front();
        }
        (self.joined, self.called) = (None, None);
        self.changes.push_back(Change { version, events: std::mem::take(&mut self.pending) });
    }

    /// The changes after a version, if none is missing.
    pub(super) fn after(&self, version: Version, newest: Version) -> Option<Vec<Change>> {
        let missing = newest.checked_sub(version)?;
        if missing == 0 {
            return Some(Vec::new());
        }
        let start = self.changes.len().checked_sub(usize::try_from(missing).ok()?)?;
        Some(self.changes.range(start..).cloned().collect())
    }
}
