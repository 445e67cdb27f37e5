//! The store as it is, past the gateways: wiping it, who stands in it, and how far it has called.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Context as _;
use queue_core::{Place, VisitorId};
use redis::aio::MultiplexedConnection;

use super::servers::ROOM;
use crate::clock::{Clock, Moment};

/// How often the frontier is looked at: a quarter of a release tick.
const LOOK: Duration = Duration::from_millis(25);

/// How long the gateways take to tell a store what it lost.
const TOLD_AGAIN: Duration = Duration::from_secs(2);

/// Visitors asked for at once.
const ASKED_AT_ONCE: usize = 1_000;

/// A way to the store of a run.
pub(super) struct Store {
    url: String,
    clock: Clock,
    /// The frontier and the last moment at which it was still lower, ascending.
    calls: RefCell<Vec<(Place, Moment)>>,
}

impl Store {
    pub(super) fn new(url: String, clock: Clock) -> Self {
        Self { url, clock, calls: RefCell::default() }
    }

    async fn connect(&self) -> anyhow::Result<MultiplexedConnection> {
        Ok(redis::Client::open(self.url.as_str())?.get_multiplexed_async_connection().await?)
    }

    /// Whether arrivals get places: at first a room listens for those who came while there was no store.
    pub(super) async fn gives_places(&self) -> anyhow::Result<bool> {
        let mut ask = redis::cmd("HMGET");
        ask.arg(state()).arg("now").arg("collect_until");
        let (now, collects): (Option<u64>, Option<u64>) = ask.query_async(&mut self.connect().await?).await?;
        Ok(now.zip(collects).is_some_and(|(now, collects)| now > collects))
    }

    /// FLUSHALL: when it was answered.
    pub(super) async fn flush(&self) -> anyhow::Result<Moment> {
        redis::cmd("FLUSHALL").exec_async(&mut self.connect().await?).await?;
        Ok(self.clock.now())
    }

    /// Where each of them stands; `None`: not in line.
    pub(super) async fn places(&self, visitors: &[VisitorId]) -> anyhow::Result<Vec<Option<Place>>> {
        let (mut connection, mut all) = (self.connect().await?, Vec::with_capacity(visitors.len()));
        for visitors in visitors.chunks(ASKED_AT_ONCE) {
            let mut ask = redis::cmd("ZMSCORE");
            ask.arg(format!("usher:{{{ROOM}}}:line"));
            for visitor in visitors {
                ask.arg(visitor.as_bytes().as_slice());
            }
            let scores: Vec<Option<f64>> = ask.query_async(&mut connection).await.context("ZMSCORE")?;
            all.extend(scores.into_iter().map(|score| Place::from_score(score? as u64)));
        }
        Ok(all)
    }

    /// Watches how far the line is called, whatever happens to the store, until dropped.
    pub(super) async fn watch_calls(&self) {
        loop {
            // A store that is away, or was restarted, is looked for again.
            let _ended = self.watch_while_connected().await;
            self.clock.sleep_until(self.clock.now() + LOOK).await;
        }
    }

    async fn watch_while_connected(&self) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let mut looked = self.clock.now();
        loop {
            let asked = self.clock.now();
            let frontier: Option<u64> =
                redis::cmd("HGET").arg(state()).arg("frontier").query_async(&mut connection).await?;
            if let Some(frontier) = frontier.and_then(Place::from_score) {
                let mut calls = self.calls.borrow_mut();
                if calls.last().is_none_or(|(last, _)| *last < frontier) {
                    calls.push((frontier, looked));
                }
            }
            looked = asked;
            self.clock.sleep_until(asked + LOOK).await;
        }
    }

    /// The last moment at which this place was surely not called yet; `None` when nobody saw it called.
    pub(super) fn called_after(&self, place: Place) -> Option<Moment> {
        let calls = self.calls.borrow();
        calls.get(calls.partition_point(|(frontier, _)| *frontier < place)).map(|(_, looked)| *looked)
    }

    /// The first call that was seen after this moment. A store that lost its frontier is told it again by the gateways, who
    /// may have seen it a little further than we did: that is no call.
    pub(super) fn first_call_after(&self, moment: Moment) -> Option<Moment> {
        self.calls.borrow().iter().map(|(_, looked)| *looked).find(|looked| *looked > moment + TOLD_AGAIN)
    }
}

fn state() -> String {
    format!("usher:{{{ROOM}}}:state")
}
