//! `booking-api check`

use std::process::ExitCode;

use clap::Args;

use super::Failed;
use crate::clock::SystemClock;
use crate::{Database, Finding, checker};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// sqlite:PATH or postgres://USER@HOST/NAME; a service may be using it
    #[arg(long, env = "BOOKING_DATABASE", hide_env_values = true)]
    database: String,
    /// One JSON document instead of lines
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) async fn execute(self) -> Result<ExitCode, Failed> {
        let database = Database::open_to_read(&self.database).await;
        let database = database.map_err(|error| Failed::Config(error.to_string()))?;
        let findings = checker::check(&database, &SystemClock::default()).await;
        let findings = findings.map_err(|error| Failed::Work(error.to_string()))?;
        if self.json {
            let document = serde_json::json!({"ok": findings.is_empty(), "findings": findings});
            println!("{document}");
        } else {
            print(&findings);
        }
        Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A line per rule: what is true, and what is not with the rows that show it.
fn print(findings: &[Finding]) {
    for rule in checker::rules() {
        match findings.iter().find(|finding| finding.rule == rule.says) {
            None => println!("{:<4} ok      {}", rule.invariant, rule.says),
            Some(finding) => {
                println!("{:<4} BROKEN  {} ({} rows)", rule.invariant, rule.says, finding.violations());
                for row in &finding.rows {
                    println!("             {row}");
                }
            }
        }
    }
}
