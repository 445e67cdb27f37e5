//! The gateway's integration tests: one binary, one module for each part.

mod page;
