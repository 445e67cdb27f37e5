//! Logs: JSON lines on stderr, so that stdout stays data.

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogLevel, Telemetry};

/// Lines that may wait for a slow stderr before new ones are dropped: about 32 MiB.
const BUFFERED_LINES: usize = 65_536;

/// Sends logs to stderr for as long as the guard lives; dropping it writes what is left.
pub fn start(telemetry: &Telemetry) -> WorkerGuard {
    let (writer, guard): (NonBlocking, WorkerGuard) =
        NonBlockingBuilder::default().buffered_lines_limit(BUFFERED_LINES).lossy(true).finish(std::io::stderr());
    let level = match telemetry.log_level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::try_from_env("USHER_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    match telemetry.log_format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
    }
    guard
}
