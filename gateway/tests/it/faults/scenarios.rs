//! What is broken, one file for each kind of fault.

mod fault_free;
mod full_disk;
mod gateway_dies;
mod store_refuses;
mod store_stalls;
