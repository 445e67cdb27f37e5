//! Queue tokens and admission tickets: what is signed is read, and nothing else is.

mod fixture;
mod round_trip;
