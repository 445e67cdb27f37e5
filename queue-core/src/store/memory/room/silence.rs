//! Who was not heard for long: periods, marks, and who still has to bring some.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::store::{GatewayId, Heard, HeardChunk, LONGEST_GAP, MAX_BATCH, PERIODS_OF_SILENCE, Period};
use crate::{Epoch, Place, Timestamp, VisitorId};

/// The marks of the last periods.
#[derive(Clone, Debug, Default)]
pub(super) struct Silence {
    /// The last place given when each period was first swept in: a period that nobody swept in does not count.
    periods: BTreeMap<Period, Place>,
    heard: BTreeMap<(Period, Epoch, u32), Vec<u8>>,
    /// Which period each gateway merged last, and when.
    gateways: BTreeMap<GatewayId, (Period, Timestamp)>,
    /// When the last sweep was, and since when none was missed.
    swept: Option<(Timestamp, Timestamp)>,
    /// How far the present period's search got.
    searched: (Period, Place),
}

impl Silence {
    /// A new life: no sweep until one full retention has passed in it.
    pub(super) fn restart(&mut self) {
        self.periods.clear();
        self.heard.clear();
        self.swept = None;
    }

    /// A sweep at `now`; answers since when sweeps came without a gap.
    pub(super) fn watched_since(&mut self, now: Timestamp) -> Timestamp {
        let since = match self.swept {
            Some((last, since)) if now <= last + LONGEST_GAP => since,
            _ => now,
        };
        self.swept = Some((now, since));
        since
    }

    pub(super) fn hear(&mut self, heard: &Heard, now: Timestamp) {
        let current = Period::of(now, heard.retention);
        // A period that has not begun was named by a wrong clock: what is heard in it will still be brought.
        let period = if heard.period <= current { heard.period } else { Period::default() };
        let merged = self.gateways.entry(heard.gateway).or_insert((period, now));
        *merged = (merged.0.max(period), now);
        let counts = current.before(PERIODS_OF_SILENCE) <= heard.period && heard.period <= current;
        for HeardChunk { epoch, chunk, bits } in heard.chunks.iter().filter(|_| counts) {
            let marks = self.heard.entry((heard.period, *epoch, *chunk)).or_default();
            marks.resize(marks.len().max(bits.len()), 0);
            marks.iter_mut().zip(bits).for_each(|(mark, bits)| *mark |= bits);
        }
    }

    /// The next waiting places beyond the frontier that were silent for the retention, a bounded number.
    pub(super) fn find(
        &mut self,
        waiting: &BTreeMap<Place, VisitorId>,
        last: Place,
        frontier: Place,
        retention: Duration,
        now: Timestamp,
    ) -> Vec<Place> {
        let current = Period::of(now, retention);
        let oldest = current.before(PERIODS_OF_SILENCE + 1);
        self.periods.entry(current).or_insert(last);
        self.periods.retain(|period, _| *period >= oldest);
        self.heard.retain(|(period, ..), _| *period >= oldest);
        self.gateways.retain(|_, (_, alive)| *alive + retention > now);
        let swept_in_all = (oldest.get()..current.get()).all(|period| self.periods.contains_key(&Period::new(period)));
        let all_merged = self.gateways.values().all(|(merged, _)| *merged >= current.before(1));
        let Some(given) = self.periods.get(&oldest).copied().filter(|_| swept_in_all && all_merged) else {
            return Vec::new();
        };
        let from = if self.searched.0 == current { self.searched.1.max(frontier) } else { frontier };
        let silent: Vec<Place> = (from < given)
            .then(|| waiting.range((std::ops::Bound::Excluded(from), std::ops::Bound::Included(given))))
            .into_iter()
            .flatten()
            .map(|(place, _)| *place)
            .filter(|place| !self.was_heard(*place, current))
            .take(MAX_BATCH)
            .collect();
        let reached = if silent.len() < MAX_BATCH { given } else { silent[MAX_BATCH - 1] };
        self.searched = (current, reached.max(from));
        silent
    }

    fn was_heard(&self, place: Place, current: Period) -> bool {
        let (epoch, chunk, offset) = HeardChunk::locate(place);
        (1..=PERIODS_OF_SILENCE).any(|before| {
            let marks = self.heard.get(&(current.before(before), epoch, chunk));
            marks
                .and_then(|marks| marks.get(offset as usize / 8))
                .is_some_and(|byte| byte & (0x80 >> (offset % 8)) != 0)
        })
    }
}
