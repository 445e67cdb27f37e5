//! `crowd`: a crowd of visitors against a running waiting room. Exits 1 when an invariant was broken, and names it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use benches::rush::checks::Verdict;
use benches::{line, poll, rush, wipe};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "crowd", version, about = "A crowd of visitors that judges what it sees")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A rush for seats: everyone joins, waits, enters, buys or is told; then the invariants are checked
    Rush(rush::options::Options),
    /// Visitors who join and then only poll; then what the store did meanwhile is compared with silence
    Poll(poll::options::Options),
    /// A long line at the store's adapter: joins, positions against the sorted set, memory, the cost of a look
    Line(line::Options),
    /// A long line whose store is wiped while everybody goes on polling; then the invariants are checked
    Wipe(wipe::options::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crowd: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether everything held.
fn run(command: Command) -> anyhow::Result<bool> {
    // One thread: the crowd shares its cores with what it measures, and says how much CPU it took.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        Command::Rush(options) => {
            let json = options.json.clone();
            let report = runtime.block_on(rush::run(options))?;
            print!("{report}");
            write_json(json.as_deref(), &report)?;
            Ok(name(report.broken()))
        }
        Command::Poll(options) => {
            let json = options.json.clone();
            let report = runtime.block_on(poll::run(options))?;
            print!("{report}");
            write_json(json.as_deref(), &report)?;
            Ok(name(report.broken()))
        }
        Command::Line(options) => {
            let json = options.json.clone();
            let report = runtime.block_on(line::run(options))?;
            print!("{report}");
            write_json(json.as_deref(), &report)?;
            Ok(report.wrong == 0)
        }
        Command::Wipe(options) => {
            let json = options.json.clone();
            let report = runtime.block_on(wipe::run(options))?;
            print!("{report}");
            write_json(json.as_deref(), &report)?;
            Ok(name(report.broken()))
        }
    }
}

/// Names what was broken on stderr; whether nothing was.
fn name<'a>(broken: impl Iterator<Item = &'a Verdict>) -> bool {
    broken.map(|verdict| eprintln!("crowd: {} was broken {} times", verdict.invariant, verdict.broken)).count() == 0
}

fn write_json(path: Option<&Path>, report: &impl serde::Serialize) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, serde_json::to_string_pretty(report)? + "\n").with_context(|| path.display().to_string())
}
