//! `booking-api`
fn main() {}
