//! `[telemetry]`: what is logged.

use super::reader::{choice, section};

section! {
    /// What is logged, on stderr.
    TelemetrySection, "[telemetry]" {
        /// `json`, one object a line, or `text` for people.
        log_format: LogFormat = "json",
        /// From which level on.
        log_level: LogLevel = "info",
        /// One line for each request; a gateway under load writes a lot.
        access_log: bool = true,
    }
}

choice! {
    /// How log lines look.
    pub enum LogFormat ("json, text") {
        /// One JSON object a line.
        Json = "json",
        /// For people.
        Text = "text",
    }
}

choice! {
    /// The lowest level that is logged.
    pub enum LogLevel ("error, warn, info, debug, trace") {
        /// What needs somebody.
        Error = "error",
        /// What is doubtful.
        Warn = "warn",
        /// What happens.
        Info = "info",
        /// How.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

/// What is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// How log lines look.
    pub log_format: LogFormat,
    /// From which level on.
    pub log_level: LogLevel,
    /// One line for each request.
    pub access_log: bool,
}

impl TelemetrySection {
    /// The settings, unless they could not be read.
    pub(super) fn resolve(&self) -> Option<Telemetry> {
        Some(Telemetry {
            log_format: self.log_format.copied()?,
            log_level: self.log_level.copied()?,
            access_log: self.access_log.copied()?,
        })
    }
}
