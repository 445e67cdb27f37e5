//! Redis servers to be broken: each with its own port and directory, gone with its guard.

mod node;
mod wire;

pub(super) use self::node::{Frozen, Keeps, Node};
