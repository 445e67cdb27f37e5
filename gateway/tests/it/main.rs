//! Everything the gateway promises from outside, in one binary.
#![allow(clippy::unwrap_used)]
// The lint knows `#[test]` functions, not the helpers beside them.
#![allow(clippy::unwrap_used)]

<<<<<<< HEAD
mod canonical;
mod client_addr;
mod config;
mod credentials;
=======
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

>>>>>>> page
mod page;
mod route;
