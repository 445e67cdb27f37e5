//! `baseline compare` measures both sides with the same requests and says when it measured nothing.

use std::process::{Command, Output};

use serde_json::Value;

fn compare(usher: &str) -> (Output, Value) {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_baseline"))
        .args(["compare", "--usher", usher, "--rounds", "2", "--requests", "400", "--connections", "4"])
        .args(["--waiting", "50", "--admitted", "5", "--server-core", "0", "--load-core", "0", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    let report = std::fs::read(&json).map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
    (output, report)
}

/// Both pairs are measured, every request is answered 200, and a slow gateway (a script) shows as slow.
#[test]
fn a_slow_gateway_shows() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: the stand-in for the gateway needs python3");
        return;
    }
    let (output, report) = compare(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fake/usher.py"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    for pair in report["comparisons"].as_array().unwrap() {
        assert_eq!(pair["usher"]["rounds"].as_array().unwrap().len(), 2);
        for side in ["bare", "usher"] {
            assert!(pair[side]["rounds"].as_array().unwrap().iter().all(|round| round["good"] == 400), "{text}");
        }
        // Hundredths of a second are all `/proc` tells, so a bare server may have used none in so short a round.
        assert!(pair["usher"]["cpu_seconds_per_10_000"].as_f64() > pair["bare"]["cpu_seconds_per_10_000"].as_f64());
    }
    assert!(text.contains("| admitted request: a bare proxy \\| usher"), "{text}");
}

/// A gateway that does not start is said plainly, not measured.
#[test]
fn no_gateway_no_figures() {
    let (output, _) = compare("/usr/bin/false");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the gateway does not answer"));
}
