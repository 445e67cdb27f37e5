//! One event's seats.

use std::collections::HashSet;

use queue_core::Timestamp;

use crate::catalogue::UnitIndex;
use crate::ids::CustomerId;
use crate::refusal::Taken;

/// One seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Nobody's.
    Free,
    /// Someone's until an instant.
    Held { owner: CustomerId, until: Timestamp },
    /// Someone's for good.
    Sold { owner: CustomerId },
    /// Kept back.
    Blocked,
}

/// Units per state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) total: usize,
    pub(crate) held: usize,
    pub(crate) sold: usize,
    pub(crate) blocked: usize,
    pub(crate) left: usize,
}

impl Counts {
    pub(crate) fn add(&mut self, cell: &Cell) {
        self.total += 1;
        match cell {
            Cell::Free => self.left += 1,
            Cell::Held { .. } => self.held += 1,
            Cell::Sold { .. } => self.sold += 1,
            Cell::Blocked => self.blocked += 1,
        }
    }
}

/// All seats of an event. Its version grows by one with every change.
pub(crate) struct Picture {
    version: u64,
    cells: Vec<Cell>,
    /// Who ever held a seat. As many as there are holds in the database, 16 bytes each.
    holders: HashSet<CustomerId>,
    /// No hold ends before this instant; `None` when nothing is held.
    next_end: Option<Timestamp>,
}

impl Picture {
    pub(crate) fn new(units: usize) -> Self {
        Self { version: 1, cells: vec![Cell::Free; units], holders: HashSet::new(), next_end: None }
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub(crate) fn reset(&mut self, cells: Vec<Cell>, holders: impl IntoIterator<Item = CustomerId>) {
        self.holders.extend(holders);
        if cells.len() == self.cells.len() && cells != self.cells {
            self.cells = cells;
            self.version += 1;
            self.find_next_end();
        }
    }

    pub(crate) fn apply(&mut self, units: &[UnitIndex], to: Cell) {
        for unit in units {
            if let Some(cell) = self.cells.get_mut(unit.0) {
                *cell = to;
            }
        }
        if let Cell::Held { owner, until } = to {
            self.holders.insert(owner);
            self.next_end = Some(self.next_end.map_or(until, |end| end.min(until)));
        }
        self.version += 1;
    }

    /// Frees what has ended at `now`.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        if self.next_end.is_none_or(|end| end > now) {
            return;
        }
        let mut changed = false;
        for cell in &mut self.cells {
            if matches!(cell, Cell::Held { until, .. } if *until <= now) {
                *cell = Cell::Free;
                changed = true;
            }
        }
        self.version += u64::from(changed);
        self.find_next_end();
    }

    fn find_next_end(&mut self) {
        let end = |cell: &Cell| if let Cell::Held { until, .. } = cell { Some(*until) } else { None };
        self.next_end = self.cells.iter().filter_map(end).min();
    }

    pub(crate) fn certainly_taken(
        &self,
        units: &[UnitIndex],
        customer: CustomerId,
        now: Timestamp,
    ) -> Vec<(UnitIndex, Taken)> {
        if self.holders.contains(&customer) {
            return Vec::new();
        }
        let taken = |unit: &UnitIndex| match self.cells.get(unit.0)? {
            Cell::Held { until, .. } if *until > now => Some((*unit, Taken::Held)),
            Cell::Sold { .. } => Some((*unit, Taken::Sold)),
            Cell::Blocked => Some((*unit, Taken::Blocked)),
            Cell::Free | Cell::Held { .. } => None,
        };
        units.iter().filter_map(taken).collect()
    }

    pub(crate) fn has_open(&self, customer: CustomerId, now: Timestamp) -> bool {
        let open = |cell: &Cell| matches!(cell, Cell::Held { owner, until } if *owner == customer && *until > now);
        self.holders.contains(&customer) && self.cells.iter().any(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Timestamp = Timestamp::from_secs(300);
    const ME: CustomerId = CustomerId::from_bytes([1; 16]);
    const YOU: CustomerId = CustomerId::from_bytes([2; 16]);

    /// B3: a hold that has ended is neither shown nor a reason to refuse, without anyone sweeping.
    #[test]
    fn a_hold_ends_by_time_alone() {
        let mut picture = Picture::new(2);
        picture.apply(&[UnitIndex(0)], Cell::Held { owner: ME, until: LATER });
        let before = Timestamp::from_micros(LATER.as_micros() - 1);
        assert_eq!(picture.certainly_taken(&[UnitIndex(0)], YOU, before), [(UnitIndex(0), Taken::Held)]);
        assert_eq!(picture.certainly_taken(&[UnitIndex(0)], YOU, LATER), []);
        let version = picture.version();
        picture.settle(before);
        assert_eq!((picture.version(), picture.has_open(ME, before)), (version, true));
        picture.settle(LATER);
        assert_eq!((picture.version(), picture.cells()), (version + 1, [Cell::Free; 2].as_slice()));
        assert!(!picture.has_open(ME, LATER));
    }

    /// B11: who ever held a seat is never refused from memory, since the request may repeat one that succeeded.
    #[test]
    fn former_holders_are_left_to_the_database() {
        let mut picture = Picture::new(1);
        picture.apply(&[UnitIndex(0)], Cell::Held { owner: ME, until: LATER });
        picture.apply(&[UnitIndex(0)], Cell::Sold { owner: YOU });
        assert_eq!(picture.certainly_taken(&[UnitIndex(0)], ME, Timestamp::ZERO), []);
    }
}
