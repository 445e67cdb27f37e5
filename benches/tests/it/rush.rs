//! `crowd rush` must pass a sale that keeps its promises and fail one that breaks any of them, by name.

use std::process::{Command, Output};
use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::fake::{Fake, Fault};

const LIMIT: usize = 8;
const SEATS: usize = 30;

struct Run {
    output: Output,
    report: Value,
    fake: Fake,
}

impl Run {
    fn against(fault: Fault, more: &[&str]) -> Self {
        Self::within("40s", "40ms", fault, more)
    }

    fn within(deadline: &str, think: &str, fault: Fault, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [json, rows] = ["report.json", "booking.db"].map(|name| folder.path().join(name));
        let fake = Fake::with_rows(fault, LIMIT, SEATS, Some(&rows));
        let [url, other] = [0, 1].map(|which| format!("http://{}", fake.addresses[which]));
        let output = Command::new(env!("CARGO_BIN_EXE_crowd"))
            .args(["rush", "--url", &url, "--url", &other, "--metrics", &format!("{url}/metrics"), "--visitors", "80"])
            .args(["--seats", &SEATS.to_string(), "--limit", &LIMIT.to_string(), "--arrive", "500ms"])
            .args(["--think", think, "--connections", "8", "--deadline", deadline, "--json"])
            .arg(&json)
            .args(["--database", &format!("sqlite:{}", rows.display())])
            .args(more)
            .output()
            .unwrap();
        let report = std::fs::read(&json).map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
        Self { output, report, fake }
    }

    fn broken(&self) -> Vec<&str> {
        let verdicts = self.report["verdicts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let broken = verdicts.iter().filter(|verdict| verdict["broken"] != 0);
        broken.filter_map(|verdict| verdict["invariant"].as_str()).collect()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned() + &String::from_utf8_lossy(&self.output.stderr)
    }
}

/// An honest sale passes: everything sold once, everyone told, the cohort full but not over, the figures as they were.
#[test]
fn an_honest_sale_passes() {
    let run = Run::against(Fault::None, &[]);
    assert_eq!(run.output.status.code(), Some(0), "{}", run.text());
    assert_eq!(run.report["seats_sold"], SEATS);
    assert_eq!(run.fake.shop.lock().unwrap().paid.iter().map(|(_, units)| units.len()).sum::<usize>(), SEATS);
    // Looks are a quarter of a second apart and may miss the fullest moment.
    let half_full_or_more = LIMIT as f64 / 2.0..=LIMIT as f64;
    for figure in ["highest_gauge", "highest_cohort"] {
        let seen = run.report[figure].as_f64().unwrap();
        assert!(half_full_or_more.contains(&seen), "the line must have been at work: {figure} {seen}");
    }
    let outcomes = run.report["outcomes"].as_object().unwrap();
    assert_eq!(outcomes.values().filter_map(Value::as_u64).sum::<u64>(), 80);
    for outcome in ["bought", "told sold out", "left the line"] {
        assert!(outcomes.contains_key(outcome), "{outcome}: {outcomes:?}");
    }
    for served in run.fake.served.iter() {
        assert!(served.load(Ordering::Relaxed) > 200, "visitors ask either gateway");
    }
    assert!(run.text().contains("holds B1: 30 units are sold, each by one paid order"), "{}", run.text());
    assert!(run.text().contains("| join | 80 |"), "{}", run.text());
}

/// N3 by the places signed.
#[test]
fn reordered_joins_fail() {
    fails(Fault::ReordersJoins, "N3");
}

/// N2: one place, one visitor.
#[test]
fn shared_places_fail() {
    fails(Fault::SharesPlaces, "N2 N13");
}

/// N6, by the visitors' own knowledge and by the gauge.
#[test]
fn too_many_inside_fails() {
    let run = fails(Fault::ExceedsCohort, "N6");
    assert!(run.text().contains("sessions lived at") && run.text().contains("usher_active_sessions reached"));
}

/// N4: moving back needs a reason.
#[test]
fn unexplained_growth_fails() {
    fails(Fault::GrowsPositions, "N4");
}

/// N3 by what visitors are told: the places look right, but the last are called first.
#[test]
fn calling_backwards_fails() {
    // Slow enough that some wait longer than any refresh could explain.
    let run = Run::within("40s", "400ms", Fault::CallsBackwards, &[]);
    assert_eq!(run.output.status.code(), Some(1), "{}", run.text());
    assert!(run.broken().contains(&"N3"), "{}", run.text());
}

/// N1: a token the room gave is good.
#[test]
fn refused_tokens_fail() {
    fails(Fault::RefusesTokens, "N1");
}

/// N7 against a bound the fake does not keep: it lets in as many at once as there are slots.
#[test]
fn admissions_faster_than_the_rate_fail() {
    let run = Run::against(Fault::None, &["--rate", "60/min", "--burst", "2"]);
    assert_eq!((run.output.status.code(), run.broken()), (Some(1), vec!["N7"]), "{}", run.text());
}

/// B1: the one thing a sale must never do.
#[test]
fn seats_sold_twice_fail() {
    let run = fails(Fault::SellsTwice, "B1");
    assert!(run.broken().contains(&"B2"), "{}", run.text());
}

/// A success answer without a row is a seat sold and lost.
#[test]
fn success_without_rows_fails() {
    let run = fails(Fault::ForgetsRows, "B1");
    assert!(run.text().contains("was answered as paid and is not"), "{}", run.text());
}

/// A sold row without a success answer is a seat paid for and never given.
#[test]
fn rows_without_success_fail() {
    let run = fails(Fault::InventsRows, "B1");
    assert!(run.text().contains("order nobody's is paid and nobody was told"), "{}", run.text());
}

/// "Sold out" with seats left is a wrong answer.
#[test]
fn sold_out_too_early_fails() {
    fails(Fault::SoldOutEarly, "B2");
}

/// A payment nobody confirms leaves customers without an answer.
#[test]
fn lost_answers_fail() {
    let run = Run::within("3s", "40ms", Fault::LosesPayments, &[]);
    assert_eq!(run.output.status.code(), Some(1), "{}", run.text());
    assert!(run.broken().contains(&"answers") && run.broken().contains(&"5xx"), "{}", run.text());
}

fn fails(fault: Fault, invariant: &str) -> Run {
    let run = Run::against(fault, &[]);
    assert_eq!(run.output.status.code(), Some(1), "{fault:?}: {}", run.text());
    assert!(run.broken().contains(&invariant), "{fault:?} must break {invariant}: {}", run.text());
    run
}
