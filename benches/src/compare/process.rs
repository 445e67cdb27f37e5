//! A server of the comparison: pinned to one core, ended with its guard.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

/// A running server.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Process {
    /// Starts a baseline on `core` and reads the address it prints.
    pub(super) fn baseline(core: usize, arguments: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let mut child = pinned(core, &program).args(arguments).stdout(Stdio::piped()).spawn().context("taskset")?;
        let mut line = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        // Guarded from here on, so that it ends even when it printed something else.
        let mut process = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        read.context("no stdout")??;
        process.address = line.trim().parse().with_context(|| format!("baseline printed {line:?}"))?;
        Ok(process)
    }

    /// Starts another program on `core` that will listen on `address`, its log going to `log`.
    pub(super) fn other(
        core: usize,
        program: &Path,
        arguments: &[&str],
        address: SocketAddr,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let log = std::fs::File::create(log)?;
        let child = pinned(core, program).args(arguments).stdout(log.try_clone()?).stderr(log).spawn();
        Ok(Self { child: child.context("taskset")?, address })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its only state is in its memory and a temporary folder.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// `taskset` replaces itself with the program, so the process id is the program's.
fn pinned(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &core.to_string()]).arg(program).stdin(Stdio::null());
    command
}

/// Keeps this process to `core`, and every thread it will start.
pub(super) fn pin_self(core: usize) -> anyhow::Result<()> {
    let own = std::process::id().to_string();
    let mut taskset = Command::new("taskset");
    taskset.args(["--cpu-list", "--pid", &core.to_string(), &own]).stdout(Stdio::null());
    let status = taskset.status().context("taskset (Debian package util-linux)")?;
    ensure!(status.success(), "cannot run on core {core}");
    Ok(())
}
