//! Live progress on stderr: a line that renews itself on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a terminal's line is renewed.
const ON_A_TERMINAL: Duration = Duration::from_millis(200);
/// How often a plain line is written, for logs.
const IN_A_LOG: Duration = Duration::from_secs(5);

/// Where progress is shown.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// On stderr, whatever it is.
    pub fn start() -> Self {
        if !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            return Self { bar: None };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar: Some(bar) }
    }

    /// How often to call [`Progress::show`].
    pub fn interval(&self) -> Duration {
        if self.bar.is_some() { ON_A_TERMINAL } else { IN_A_LOG }
    }

    /// Shows where the run stands.
    pub fn show(&self, message: String) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(message);
                bar.tick();
            }
            None => eprintln!("{message}"),
        }
    }

    /// Leaves the last line standing.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}
