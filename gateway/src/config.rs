//! The configuration: one TOML file, environment variables over it, checked as a whole.
//!
//! Two forms. The *sections* ([`schema()`]) are what is written: each declares its keys with type, default and meaning in
//! one place, and from that come the reader, the known names and the schema. The *resolved* form, [`Config`], cannot be
//! invalid. On the way from one to the other every problem is told, all at once, each with its place, what is wrong and
//! what would be right.

mod admin;
mod document;
mod drain;
mod environment;
mod finding;
mod listener;
mod not_yet;
mod rate_limit;
mod reader;
mod room;
mod root;
mod scalar;
pub mod schema;
mod secret;
mod server_tls;
mod store;
mod telemetry;
mod tickets;
mod units;
mod upstream;

pub use admin::Admin;
pub use drain::Drain;
pub use environment::Environment;
pub use finding::{Finding, Place, Severity};
pub use listener::{Listener, ListenerLimits};
pub use rate_limit::{RateLimit, RateLimitAlgorithm, RateLimitFailMode, RateLimitScope};
pub use room::{Admission, Event, Room};
pub use store::{Store, StoreUrl};
pub use telemetry::{LogFormat, LogLevel, Telemetry};
pub use tickets::{KeyMaterial, TicketAlgorithm, TicketKey, Tickets};
pub use upstream::{Endpoint, Upstream};

use std::fmt;
use std::path::Path;

use queue_core::Timestamp;

use document::{Origin, Spot, Table};
use finding::Findings;
use reader::Reader;
use root::RootSection;

/// Everything a gateway is told. Made by [`load`] only, so every value fits the others.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses at which visitors are answered, at least one.
    pub listeners: Vec<Listener>,
    /// The operators' address.
    pub admin: Admin,
    /// Where the line lives.
    pub store: Store,
    /// Who signs the tickets, how, and with which keys.
    pub tickets: Tickets,
    /// The services behind, at least one.
    pub upstreams: Vec<Upstream>,
    /// The waiting rooms, at least one.
    pub rooms: Vec<Room>,
    /// Limits on requests.
    pub rate_limits: Vec<RateLimit>,
    /// How the gateway ends.
    pub drain: Drain,
    /// What is logged.
    pub telemetry: Telemetry,
}

/// What the check of a file found, in the order of the file.
#[derive(Debug)]
pub struct Report {
    /// The configuration; `None` exactly when there are errors.
    pub config: Option<Config>,
    /// What makes it unusable.
    pub errors: Vec<Finding>,
    /// What is doubtful.
    pub warnings: Vec<Finding>,
}

/// A file that cannot be used: everything that was found in it.
#[derive(Debug, thiserror::Error)]
#[error("{}", Listing::of(.errors, .warnings))]
pub struct ConfigErrors {
    /// What makes it unusable; at least one.
    pub errors: Vec<Finding>,
    /// What is doubtful.
    pub warnings: Vec<Finding>,
}

/// The configuration in the file at `path`, with the overrides of `environment`, and what is doubtful about it.
/// Relative paths in it start at its folder. Which of a room's events is meant, and whether keys are still good, depends
/// on `now`.
///
/// # Errors
/// [`ConfigErrors`]: every problem, not the first.
pub fn load(path: &Path, environment: &Environment, now: Timestamp) -> Result<(Config, Vec<Finding>), ConfigErrors> {
    let Report { config, errors, warnings } = check(path, environment, now);
    config.map(|config| (config, warnings.clone())).ok_or(ConfigErrors { errors, warnings })
}

/// What is wrong and what is doubtful about the file at `path`; see [`load`].
pub fn check(path: &Path, environment: &Environment, now: Timestamp) -> Report {
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => check_text(&text, path, environment, now),
        Ok(Err(_)) => unreadable(path, "is not UTF-8"),
        Err(error) => unreadable(path, &format!("cannot be read: {error}")),
    }
}

/// The whole of what can be configured, as data.
pub const fn schema() -> &'static schema::Section {
    const ROOT: &schema::Section = &RootSection::SECTION;
    ROOT
}

fn check_text(text: &str, path: &Path, environment: &Environment, now: Timestamp) -> Report {
    let mut findings = Findings::about(path, text);
    let mut root = match Table::parse(text) {
        Ok(root) => root,
        Err(faults) => {
            for fault in faults {
                findings.error(&Spot { origin: Origin::File(fault.span), key: String::new() }, fault.message);
            }
            return report(findings, None);
        }
    };
    environment.apply(&mut root, &mut findings);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut reader = Reader { findings: &mut findings, environment, folder, schema: schema() };
    not_yet::tell(&root, &mut reader);
    let config = RootSection::of(&root, &mut reader).and_then(|sections| sections.resolve(now, &mut reader));
    report(findings, config)
}

fn report(findings: Findings<'_>, config: Option<Config>) -> Report {
    let (errors, warnings) = findings.into_parts();
    debug_assert!(config.is_some() || !errors.is_empty(), "a check failed without telling why");
    Report { config: config.filter(|_| errors.is_empty()), errors, warnings }
}

fn unreadable(path: &Path, problem: &str) -> Report {
    let mut findings = Findings::about(path, "");
    findings.error(&Spot::root(), problem);
    report(findings, None)
}

impl Report {
    /// Whether the file can be used.
    pub const fn is_usable(&self) -> bool {
        self.config.is_some()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Listing::of(&self.errors, &self.warnings).fmt(f)
    }
}

/// All findings and their number.
struct Listing<'l> {
    errors: &'l [Finding],
    warnings: &'l [Finding],
}

impl<'l> Listing<'l> {
    const fn of(errors: &'l [Finding], warnings: &'l [Finding]) -> Self {
        Self { errors, warnings }
    }
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in self.errors.iter().chain(self.warnings) {
            writeln!(f, "{finding}\n")?;
        }
        let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
        write!(f, "{}, {}", count(self.errors.len(), "error"), count(self.warnings.len(), "warning"))
    }
}
