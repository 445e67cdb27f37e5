//! All problems at once, each with its line, column and caret.

use super::{check, errors};

/// Whoever repairs a file sees everything that is wrong with it in one run, at the right lines.
#[test]
fn ten_problems_are_told_in_one_run() {
    let text = r#"version = 2
[[listener]]
name = "Public Door"
bind = "8080"
insecure_cookies = "yes"
[tickets]
issuer = "https://tickets.example.com"
[[upstream]]
name = "booking"
endpoints = ["http://127.0.0.1:8090/api"]
[[room]]
name = "concert"
upstream = "boking"
totl_active_users = 200
new_users_per_minute = -5
session_duration = 300
claim_window = "60s"
queueing_method = "fifi"
queueing_status_code = 404
open = ["/assets/../x"]
"#;
    let report = check(text);
    assert_eq!(
        errors(&report),
        [
            "1: must be 1",
            "3: expected a name, 1 to 32 characters of a-z, 0-9 and '-', found \"Public Door\"",
            "4: expected an IP address and a port such as \"0.0.0.0:8080\" or \"[::]:8080\", found \"8080\"",
            "5: expected true or false, found a string",
            "10: expected a URL without path, query and user such as \"http://127.0.0.1:8090\"",
            "13: there is no [[upstream]] \"boking\"; did you mean \"booking\"?",
            "14: unknown key \"totl_active_users\" in [[room]]; did you mean \"total_active_users\"?",
            "15: expected an integer from 0 to 4294967295, found -5",
            "16: expected a duration with a unit (ms, s, m, h, d) such as \"180s\", found 300; write \"300s\"?",
            "17: must be at least 120 s: browsers throttle hidden tabs to one timer a minute",
            "18: unknown value \"fifi\"; one of fifo, random, passthrough, reject; did you mean \"fifo\"?",
            "19: must be 200, 202, 429 or 503",
            "20: \"/assets/../x\": write its canonical form, \"/x\"",
        ]
    );
    assert!(report.config.is_none());
}

/// A finding is shown as compilers show it, so editors can jump to it and people see it at once.
#[test]
fn a_finding_points_with_a_caret() {
    let report = check("version = 1\n\"표\" = 1\n[[room]]\nname = \"concert\"\n  totl_active_users = 200\n");
    let finding = report.errors.iter().find(|finding| finding.message.contains("totl")).unwrap();
    let shown = finding.to_string();
    let (first, rest) = shown.split_once('\n').unwrap();
    assert!(first.ends_with(
        "usher.toml:5:3: unknown key \"totl_active_users\" in [[room]]; did you mean \"total_active_users\"?"
    ));
    assert!(first.starts_with("error: "));
    assert_eq!(rest, "  |\n5 |   totl_active_users = 200\n  |   ^^^^^^^^^^^^^^^^^");
    assert_eq!(finding.key, "room.concert.totl_active_users");
    assert!(report.to_string().ends_with(" errors, 0 warnings"), "{report}");
}

/// Columns count characters, not bytes: carets stay under what they mean behind Korean text.
#[test]
fn columns_count_characters() {
    let report = check("version = 1\npoll = { \"표\" = 1, max = 2 } # 좌석\n");
    let unknown = report.errors.iter().find(|finding| finding.key == "poll").unwrap();
    assert_eq!(unknown.line(), Some(2));
    let report = check("version = 1\nx = \"좌석\" y\n");
    assert!(report.errors[0].to_string().contains(":2:10:"), "{report}");
}

/// Faults of the TOML itself are told by place too, all of them.
#[test]
fn syntax_errors_are_told() {
    let report = check("version = 1\nversion = 2\n[room\nname = 3\n");
    let lines: Vec<_> = report.errors.iter().map(|finding| finding.line().unwrap()).collect();
    assert_eq!(lines, [2, 3], "{report}");
}

/// An empty file tells what is missing instead of starting with nothing.
#[test]
fn an_empty_file_lacks_everything() {
    let mut messages: Vec<_> = check("").errors.into_iter().map(|finding| finding.message).collect();
    messages.sort();
    assert_eq!(
        messages,
        [
            "missing [[listener]]: at least one is needed",
            "missing [[room]]: at least one is needed",
            "missing [[upstream]]: at least one is needed",
            "missing key \"issuer\" in [tickets]",
            "missing key \"version\" in the file",
        ]
    );
}

/// A key that stands below the wrong header is the commonest slip of TOML: the message says where it belongs.
#[test]
fn a_key_in_the_wrong_table_is_sent_home() {
    let report = check(&format!(
        "{}[[room.event]]\nname = \"sale\"\nevent_start_time = \"2026-12-01T20:00:00+09:00\"\nfail_mode = \"closed\"\n",
        super::SMALLEST
    ));
    assert_eq!(errors(&report), ["18: unknown key \"fail_mode\" in [[room.event]]; it is a key of [[room]]"]);
}

/// `[room]` instead of `[[room]]` says which brackets were meant.
#[test]
fn single_brackets_are_recognised() {
    let report = check("version = 1\n[room]\nname = \"concert\"\n");
    assert!(
        errors(&report).contains(&"2: expected an array of tables, [[room]], found a table".to_owned()),
        "{report}"
    );
}

/// A file that is not there is told, not a panic.
#[test]
fn a_missing_file_is_told() {
    let missing = std::path::Path::new("/nonexistent/usher.toml");
    let report = gateway::config::check(missing, &Default::default(), super::NOW);
    assert!(report.errors[0].to_string().starts_with("error: /nonexistent/usher.toml: cannot be read:"), "{report}");
}
