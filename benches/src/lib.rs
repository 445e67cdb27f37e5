//! Measurements: the crowd (a rehearsal that judges what it sees), bare baselines, and both side by side.

pub mod baseline;
pub mod clock;
pub mod compare;
pub mod cpu;
pub mod document;
pub mod entropy;
pub mod http;
pub mod latency;
pub mod limits;
pub mod line;
pub mod load;
pub mod poll;
pub mod progress;
pub mod rush;
pub mod scrape;
pub mod token;
pub mod watch;
pub mod wipe;
