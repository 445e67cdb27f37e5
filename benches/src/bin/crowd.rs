//! `crowd`
fn main() {}
