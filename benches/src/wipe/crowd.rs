//! The crowd: hundreds of thousands who poll as told over a few connections. Nobody is a task of their own: whoever is due
//! next is served by the next free connection.

mod visitor;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::options::Options;
use crate::clock::{Clock, Moment};
use crate::http::{Answer, Ask, Pool};
use crate::latency::Spread;

pub(super) use self::visitor::{Phase, Visitor};

/// When nobody is due.
const IDLE: Duration = Duration::from_millis(50);

/// Everybody, and when each is due.
pub(super) struct Crowd {
    clock: Clock,
    stay: Duration,
    pools: Vec<Pool>,
    pub(super) visitors: RefCell<Vec<Visitor>>,
    due: RefCell<BinaryHeap<Reverse<(Moment, u32)>>>,
    rng: RefCell<StdRng>,
    pub(super) count: Count,
    /// From the moment due to the answer, of polls.
    pub(super) poll_times: RefCell<Spread>,
    /// When the store was wiped.
    pub(super) wiped: Cell<Option<Moment>>,
}

/// What the progress line and the report count.
#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) joined: Cell<u32>,
    pub(super) admitted: Cell<u32>,
    pub(super) polls: Cell<u64>,
    pub(super) degraded: Cell<u64>,
    pub(super) server_errors: Cell<u64>,
    pub(super) rate_limited: Cell<u64>,
    pub(super) broken: Cell<u64>,
}

pub(super) fn add_one<T: Copy + std::ops::Add<Output = T> + From<u8>>(cell: &Cell<T>) {
    cell.set(cell.get() + T::from(1));
}

impl Crowd {
    pub(super) fn new(options: &Options, clock: Clock, pools: Vec<Pool>) -> Self {
        Self {
            clock,
            stay: options.stay,
            pools,
            visitors: RefCell::default(),
            due: RefCell::default(),
            rng: RefCell::new(StdRng::seed_from_u64(options.seed)),
            count: Count::default(),
            poll_times: RefCell::default(),
            wiped: Cell::new(None),
        }
    }

    /// So many come, so many a second from now on.
    pub(super) fn comes(&self, count: u32, per_second: u32) {
        let now = self.clock.now();
        let mut visitors = self.visitors.borrow_mut();
        for number in 0..count {
            let index = visitors.len() as u32;
            visitors.push(Visitor::default());
            let after = Duration::from_secs_f64(f64::from(number) / f64::from(per_second));
            self.due.borrow_mut().push(Reverse((now + after, index)));
        }
    }

    /// How many are in line.
    pub(super) fn waiting(&self) -> u32 {
        self.visitors.borrow().iter().filter(|visitor| visitor.phase == Phase::Waiting).count() as u32
    }

    /// Everybody who has been in and out comes back with the used token, some time within `span`.
    pub(super) fn comes_again(&self, span: Duration) -> usize {
        let (now, mut again) = (self.clock.now(), 0);
        for (index, visitor) in (0..).zip(self.visitors.borrow_mut().iter_mut()) {
            if visitor.phase == Phase::Gone {
                visitor.phase = Phase::Again;
                let after = span.mul_f64(self.rng.borrow_mut().random());
                self.due.borrow_mut().push(Reverse((now + after, index)));
                again += 1;
            }
        }
        again
    }

    /// Serves whoever is due, over all connections, until dropped.
    pub(super) async fn goes_on(self: &Rc<Self>, connections: usize) {
        let mut workers = JoinSet::new();
        for worker in 0..connections * self.pools.len() {
            let crowd = Rc::clone(self);
            let gateway = worker % self.pools.len();
            workers.spawn_local(async move { crowd.work(gateway).await });
        }
        while workers.join_next().await.is_some() {}
    }

    async fn work(&self, gateway: usize) {
        loop {
            let next = self.due.borrow_mut().pop();
            let Some(Reverse((due, index))) = next else {
                self.clock.sleep_until(self.clock.now() + IDLE).await;
                continue;
            };
            self.clock.sleep_until(due).await;
            if let Some(next) = self.serve(gateway, index, due).await {
                self.due.borrow_mut().push(Reverse((next, index)));
            }
        }
    }

    async fn send(&self, gateway: usize, ask: &Ask) -> Option<Answer> {
        let answer = self.pools[gateway].send(&self.clock, ask).await.ok();
        match &answer {
            None => add_one(&self.count.broken),
            Some(answer) if answer.status.is_server_error() => add_one(&self.count.server_errors),
            Some(_) => {}
        }
        answer
    }
}
