//! Real faults: real gateways and real Redis servers, a crowd that waits in line, something broken at a random moment,
//! and a judge that goes by signed facts only: places, tickets, and what each visitor was told when.
//!
//! `USHER_FAULTS_CROWD` sets how many wait (each scenario has a small default), `USHER_FAULTS_SEED` replays a run's
//! choices; the seed is printed. `USHER_FAULTS_TRACE` tells each second of a run.

mod aside;
mod crowd;
mod gauges;
mod judge;
mod record;
mod redis;
mod relay;
mod scenarios;
mod shop;
mod stage;
