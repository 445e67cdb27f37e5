//! Everything that queue-core promises from outside, in one binary.

mod ticket;
