//! What is broken, one file for each kind of fault.

mod fault_free;
mod full_disk;
mod gateway_dies;
mod store_refuses;
mod store_stalls;

// These need a line that survives its store: new epochs, places restored from tokens, provisional tokens.
mod data_lost;
mod data_old;
mod servers_killed;
mod store_away;
mod two_primaries;
