//! What all visitors of one run share: the clock, the connections, the records.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::operation::{Operation, Times};
use super::options::Options;
use super::record::Record;
use super::venue::Venue;
use crate::clock::{Clock, Moment};
use crate::http::{Answer, Ask, Failure, Pool};

/// What went wrong along the way without ending a visit.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Answers 5xx.
    pub(super) server_errors: Cell<u64>,
    /// Answers "too many requests".
    pub(super) rate_limited: Cell<u64>,
    /// Exchanges that broke or timed out.
    pub(super) broken: Cell<u64>,
    /// Refusals of a hold because others were faster.
    pub(super) lost_seats: Cell<u64>,
}

/// What the progress line shows.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// Answered joins.
    pub(super) joined: Cell<u64>,
    /// In line now.
    pub(super) waiting: Cell<u64>,
    /// Inside now.
    pub(super) inside: Cell<u64>,
    /// Seats sold.
    pub(super) sold: Cell<u64>,
    /// Visits that ended.
    pub(super) ended: Cell<u64>,
}

/// Adds to a counter.
pub(super) fn add(cell: &Cell<u64>, by: u64) {
    cell.set(cell.get() + by);
}

/// Takes one from a counter.
pub(super) fn take(cell: &Cell<u64>) {
    cell.set(cell.get().saturating_sub(1));
}

/// One run.
#[derive(Debug)]
pub(super) struct Stage {
    /// The run's clock.
    pub(super) clock: Clock,
    /// What was asked for.
    pub(super) options: Options,
    /// Differs from run to run.
    pub(super) run_id: u64,
    /// Everyone's facts, by visitor.
    pub(super) records: RefCell<Vec<Record>>,
    /// Everyone's times.
    pub(super) times: RefCell<Times>,
    /// What went wrong.
    pub(super) tally: Tally,
    /// Where the run stands.
    pub(super) count: Count,
    /// The event and its seat map, once someone has loaded them.
    pub(super) venue: RefCell<Option<Rc<Venue>>>,
    gateways: Vec<Pool>,
}

impl Stage {
    /// An empty stage before its first visitor.
    pub(super) fn new(clock: Clock, options: Options, run_id: u64, gateways: Vec<Pool>) -> Self {
        let records = RefCell::new(vec![Record::default(); options.visitors as usize]);
        let (times, tally, count, venue) = Default::default();
        Self { clock, options, run_id, records, times, tally, count, venue, gateways }
    }

    /// How many gateways there are to choose from.
    pub(super) fn gateways(&self) -> usize {
        self.gateways.len()
    }

    /// How many connections were opened.
    pub(super) fn connections_opened(&self) -> u64 {
        self.gateways.iter().map(Pool::opened).sum()
    }

    /// When whoever has no answer has none.
    pub(super) fn deadline(&self) -> Moment {
        Moment::START + self.options.deadline
    }

    /// Sends a request through the given gateway.
    ///
    /// # Errors
    /// [`Failure`] when there is no complete answer.
    pub(super) async fn send(&self, gateway: usize, ask: &Ask) -> Result<Answer, Failure> {
        self.gateways[gateway % self.gateways.len()].send(&self.clock, ask).await
    }

    /// Notes how long an operation took.
    pub(super) fn took(&self, operation: Operation, took: Duration) {
        self.times.borrow_mut().record(operation, took);
    }

    /// Changes one visitor's record.
    pub(super) fn note<T>(&self, visitor: u32, change: impl FnOnce(&mut Record) -> T) -> T {
        change(&mut self.records.borrow_mut()[visitor as usize])
    }
}
