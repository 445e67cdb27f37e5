//! `baseline`
fn main() {}
