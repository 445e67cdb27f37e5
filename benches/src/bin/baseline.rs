//! `baseline`: bare servers, and the gateway side by side with them.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use benches::baseline::fixed::{Fixed, POSITION_DOCUMENT};
use benches::baseline::origin::Origin;
use benches::baseline::proxy::Proxy;
use benches::baseline::{self, Bind};
use benches::compare;
use bytes::Bytes;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "baseline", version, about = "Bare servers, and the gateway side by side with them")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A hyper proxy that checks nothing; prints its address
    Proxy {
        #[command(flatten)]
        bind: Bind,
        /// The upstream's address
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// A hyper server that answers one fixed document; prints its address
    Fixed {
        #[command(flatten)]
        bind: Bind,
        /// The document
        #[arg(long, default_value = POSITION_DOCUMENT)]
        body: String,
    },
    /// A small upstream; prints its address
    Origin {
        #[command(flatten)]
        bind: Bind,
    },
    /// The gateway side by side with the bare servers, in CPU seconds per 10,000 requests; Markdown on stdout
    Compare(compare::options::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("baseline: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Proxy { bind, upstream } => baseline::run(bind, move || Proxy::new(upstream))?,
        Command::Fixed { bind, body } => {
            let body = Bytes::from(body);
            baseline::run(bind, move || Fixed(body.clone()))?;
        }
        Command::Origin { bind } => baseline::run(bind, || Origin)?,
        Command::Compare(options) => {
            let report = compare::run(&options)?;
            print!("{report}");
            if let Some(path) = &options.json {
                let text = serde_json::to_string_pretty(&report)? + "\n";
                std::fs::write(path, text).with_context(|| path.display().to_string())?;
            }
            ensure!(report.is_valid(), "answers other than 200: nothing was compared");
        }
    }
    Ok(())
}
