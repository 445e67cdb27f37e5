//! What is broken, one file each. Those in [`lasting`] lose no data.

mod fault_free;
