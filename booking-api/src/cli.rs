//! The command line. stdout is data, stderr is log; exit codes: 0 ok, 1 failed, 2 usage, 78 bad config.

mod check;
mod run;
mod seed;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// As sysexits.h has it.
const BAD_CONFIG: u8 = 78;

/// Events with numbered seats, holds, orders and points; nothing is sold twice.
#[derive(Debug, Parser)]
#[command(name = "booking-api", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Which log lines are written to stderr, as JSON: a level, or target=level,…
    #[arg(long, global = true, default_value = "info", env = "BOOKING_LOG", value_name = "FILTER")]
    log_level: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve
    Run(run::Run),
    /// Check the rows against the invariants; exit 1 when one is broken
    Check(check::Check),
    /// Put a concert on sale
    Seed(seed::SeedArgs),
}

/// Why a command failed.
enum Failed {
    /// What was configured cannot be.
    Config(String),
    /// It was tried and did not work.
    Work(String),
}

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = filter(&cli.log_level).and_then(|filter| {
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(std::io::stderr).init();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failed::Work(format!("cannot start: {error}")))?;
        runtime.block_on(async {
            match cli.command {
                Command::Run(run) => run.execute().await,
                Command::Check(check) => check.execute().await,
                Command::Seed(seed) => seed.execute().await,
            }
        })
    });
    match result {
        Ok(code) => code,
        Err(Failed::Config(message)) => {
            eprintln!("booking-api: {message}");
            ExitCode::from(BAD_CONFIG)
        }
        Err(Failed::Work(message)) => {
            eprintln!("booking-api: {message}");
            ExitCode::FAILURE
        }
    }
}

fn filter(text: &str) -> Result<EnvFilter, Failed> {
    EnvFilter::try_new(text).map_err(|error| Failed::Config(format!("--log-level {text:?}: {error}")))
}
