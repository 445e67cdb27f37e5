//! `usher`
fn main() {}
