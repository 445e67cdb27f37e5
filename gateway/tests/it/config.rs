//! The configuration: what is refused, where it is pointed at, and what comes out.

mod environment;
mod fields;
mod secrets;
mod shipped;
mod store;
mod tls;
mod together;

use std::path::PathBuf;

use gateway::config::{self, Config, Environment, Report};
use queue_core::Timestamp;

/// The smallest file that can be used: one listener, one upstream, one room.
pub(crate) const SMALLEST: &str = r#"
version = 1
[[listener]]
name = "public"
bind = "127.0.0.1:8080"
insecure_cookies = true
[tickets]
issuer = "https://tickets.example.com"
[[upstream]]
name = "booking"
endpoints = ["http://127.0.0.1:8090"]
[[room]]
name = "concert"
upstream = "booking"
"#;

/// 2026-11-01T00:00:00Z, when all checks of these tests happen.
const NOW: Timestamp = Timestamp::from_secs(1_793_491_200);

/// A folder with a configuration file in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(text: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("usher.toml", text);
        folder
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn check(&self, environment: &[(&str, &str)]) -> Report {
        let environment: Environment = environment.iter().copied().collect();
        config::check(&self.0.path().join("usher.toml"), &environment, NOW)
    }
}

/// The report about a file with this text and an empty environment.
fn check(text: &str) -> Report {
    Folder::with(text).check(&[])
}

/// The configuration of a file that must be good.
#[track_caller]
fn good(text: &str) -> Config {
    let report = check(text);
    assert!(report.errors.is_empty(), "{report}");
    report.config.unwrap()
}

/// `line: message` of every error.
fn errors(report: &Report) -> Vec<String> {
    let shown = |finding: &config::Finding| match finding.line() {
        Some(line) => format!("{line}: {}", finding.message),
        None => format!("{:?}: {}", finding.place, finding.message),
    };
    report.errors.iter().map(shown).collect()
}

/// The only error of the smallest file with `lines` after its room.
#[track_caller]
fn only_error(lines: &str) -> String {
    let report = check(&format!("{SMALLEST}{lines}"));
    assert_eq!(report.errors.len(), 1, "{report}");
    report.errors[0].message.clone()
}
