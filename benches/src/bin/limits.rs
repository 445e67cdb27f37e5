//! `limits`: the five algorithms for limits under the same crowd, as a table and a picture.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use benches::limits;
use clap::Parser;

#[derive(Parser)]
#[command(name = "limits", version, about = "The five algorithms for limits under the same crowd; Markdown on stdout")]
struct Cli {
    /// Where to draw the picture (SVG)
    #[arg(long, default_value = "benches/results/limits.svg")]
    svg: PathBuf,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("limits: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let runs = limits::runs()?;
    limits::plot::draw(&cli.svg, &runs).with_context(|| format!("cannot draw {}", cli.svg.display()))?;
    print!("{}", limits::table::markdown(&runs, &cli.svg));
    Ok(())
}
