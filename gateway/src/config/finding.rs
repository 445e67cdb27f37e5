//! What the check found, shown as compilers show it: place, what is wrong and what would be right, line and caret.

use std::fmt;
use std::path::{Path, PathBuf};

use super::document::{Origin, Spot};

/// Whether the configuration can be used all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
}

/// Where a finding stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the file.
    Line {
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// The characters to underline, at least 1.
        width: usize,
        /// The line's text; what could be a password in a URL is masked.
        text: String,
    },
    /// In an environment variable of this name.
    Variable(String),
    /// In the file as a whole.
    File,
}

/// One thing that is wrong or doubtful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the configuration can be used all the same.
    pub severity: Severity,
    /// The configuration file.
    pub file: PathBuf,
    /// Where it stands.
    pub place: Place,
    /// The key from the root on, such as `room.concert.burst`; empty for faults of the TOML itself.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Finding {
    /// The line in the file, counted from 1; `None` for what does not stand in the file.
    pub const fn line(&self) -> Option<usize> {
        match self.place {
            Place::Line { line, .. } => Some(line),
            Place::Variable(_) | Place::File => None,
        }
    }
}

/// `error: FILE:LINE:COLUMN: message`, the line, and a caret below it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let file = self.file.display();
        match &self.place {
            Place::Line { line, column, width, text } => {
                let gutter = line.to_string().len();
                writeln!(f, "{severity}: {file}:{line}:{column}: {}", self.message)?;
                writeln!(f, "{:gutter$} |", "")?;
                writeln!(f, "{line} | {text}")?;
                write!(f, "{:gutter$} | {:indent$}{}", "", "", "^".repeat(*width), indent = column - 1)
            }
            Place::Variable(name) => write!(f, "{severity}: environment variable {name}: {}", self.message),
            Place::File => write!(f, "{severity}: {file}: {}", self.message),
        }
    }
}

/// All findings of one configuration file.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    file: &'a Path,
    text: &'a str,
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    /// None yet, about a file with this text.
    pub(super) const fn about(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// This cannot stand.
    pub(super) fn error(&mut self, spot: &Spot, message: impl Into<String>) {
        self.push(Severity::Error, spot, message.into());
    }

    /// This is doubtful.
    pub(super) fn warn(&mut self, spot: &Spot, message: impl Into<String>) {
        self.push(Severity::Warning, spot, message.into());
    }

    /// The findings in the order of the file: errors, warnings.
    pub(super) fn into_parts(mut self) -> (Vec<Finding>, Vec<Finding>) {
        self.found.sort_by_key(|finding| match finding.place {
            Place::Line { line, column, .. } => (line, column),
            Place::Variable(_) | Place::File => (usize::MAX, 0),
        });
        self.found.into_iter().partition(|finding| finding.severity == Severity::Error)
    }

    fn push(&mut self, severity: Severity, spot: &Spot, message: String) {
        let place = match &spot.origin {
            Origin::File(span) => line_of(self.text, span.start, span.end),
            Origin::Variable(name) => Place::Variable(name.clone()),
            Origin::Whole => Place::File,
        };
        self.found.push(Finding { severity, file: self.file.to_owned(), place, key: spot.key.clone(), message });
    }
}

fn line_of(text: &str, start: usize, end: usize) -> Place {
    let start = start.min(text.len());
    let (before, after) = text.split_at_checked(start).unwrap_or((text, ""));
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = after.find('\n').map_or(text.len(), |newline| start + newline);
    let line = text.get(line_start..line_end).unwrap_or_default().trim_end_matches('\r');
    let underlined = text.get(start..end.clamp(start, line_end)).unwrap_or_default();
    Place::Line {
        line: before.matches('\n').count() + 1,
        column: text.get(line_start..start).unwrap_or_default().chars().count() + 1,
        width: underlined.chars().count().max(1),
        text: mask_passwords(line),
    }
}

/// The line with everything between `://` and `@` starred out, as long as it was, so that carets still point.
fn mask_passwords(line: &str) -> String {
    let masked = line.find("://").and_then(|scheme| {
        let start = scheme + "://".len();
        let end = start + line.get(start..)?.rfind('@')?;
        let stars = "*".repeat(line.get(start..end)?.chars().count());
        Some(format!("{}{stars}{}", line.get(..start)?, line.get(end..)?))
    });
    // A caret below a tab would point elsewhere.
    masked.unwrap_or_else(|| line.to_owned()).replace('\t', " ")
}
