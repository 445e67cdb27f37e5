//! The command line. stdout is data, stderr is log; exit codes: 0 ok, 1 failed, 2 usage, 78 bad config.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Environment};
use crate::{app, clock, telemetry};

/// The config cannot be used: `EX_CONFIG` of sysexits.
const BAD_CONFIG: u8 = 78;

/// A virtual waiting room in front of a sale.
#[derive(Parser)]
#[command(name = "usher", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway.
    Run {
        /// The config file.
        #[arg(long, env = "USHER_CONFIG", value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a config file: prints every problem with its line; exits with 78 when there is one.
    Check {
        /// The config file.
        #[arg(long, env = "USHER_CONFIG", value_name = "FILE")]
        config: PathBuf,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { config } => run(&config),
        Command::Check { config } => check(&config),
    }
}

fn run(path: &Path) -> ExitCode {
    let loaded = clock::now();
    let (config, warnings) = match config::load(path, &Environment::of_process(), loaded) {
        Ok(good) => good,
        Err(problems) => {
            eprintln!("{problems}");
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let _logs = telemetry::start(&config.telemetry);
    for warning in &warnings {
        tracing::warn!(key = warning.key, "{}", warning.message);
    }
    match app::run(&config, loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(path: &Path) -> ExitCode {
    let report = config::check(path, &Environment::of_process(), clock::now());
    for finding in report.errors.iter().chain(&report.warnings) {
        eprintln!("{finding}");
    }
    if report.errors.is_empty() {
        println!("{}: ok, {} warning(s)", path.display(), report.warnings.len());
        ExitCode::SUCCESS
    } else {
        println!("{}: {} error(s), {} warning(s)", path.display(), report.errors.len(), report.warnings.len());
        ExitCode::from(BAD_CONFIG)
    }
}
