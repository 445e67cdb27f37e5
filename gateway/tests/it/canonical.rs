//! One reading of host and path: what is decided on is what goes upstream, and no spelling gets around it.

mod hosts;
mod ordinary;
mod paths;
mod variants;
