//! `crowd poll` must pass a room whose polls cost the store nothing, and fail one whose polls do.

use std::process::{Command, Output};

use crate::fake::{Fake, Fault};

fn poll(fault: Fault) -> Output {
    let fake = Fake::start(fault, 10, 1);
    let url = format!("http://{}", fake.addresses[0]);
    Command::new(env!("CARGO_BIN_EXE_crowd"))
        .args(["poll", "--url", &url, "--metrics", &format!("{url}/metrics"), "--visitors", "60"])
        .args(["--arrive", "200ms", "--for", "1s", "--quiet", "1s", "--deadline", "10s"])
        .output()
        .unwrap()
}

/// The fixed refresh goes on whatever the number of polls; that is no cost of polls.
#[test]
fn free_polls_pass() {
    let output = poll(Fault::None);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("60 visitors, 50 of them waiting") && text.contains("| refresh | "), "{text}");
}

/// One store operation a poll is what kills waiting rooms.
#[test]
fn polls_that_cost_the_store_fail() {
    let output = poll(Fault::CountsPolls);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("BROKEN polls") && text.contains("  rank: "), "{text}");
}
